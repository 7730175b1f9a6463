"""What turns texts into vectors and terms, by the setting `embedder.kind`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from api.settings import Settings
from api.wiring.models import EMBEDDER, ModelStore
from ingest.chunking import StructureChunker
from retrieval.adapters.bergamot import BergamotTranslator
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.memory_encoders import WordTokenizer
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.errors import ModelFileDamaged
from retrieval.ports import Embedder, LanguageDetector, SparseEncoder, Tokenizer, Translator

CHUNK_TOKENS = 350
# Where the model's own tokens cannot be counted, words are: a word has about 1.5 tokens, in Portuguese more.
TOKENS_PER_WORD = 1.8


@dataclass(frozen=True, slots=True)
class Encoders:
    """Everything that reads texts, wired to each other."""

    embedder: Embedder
    tokenizer: Tokenizer
    chunk_tokens: int
    sparse: SparseEncoder
    detector: LanguageDetector
    translator: Translator

    def chunker(self) -> StructureChunker:
        """Cuts documents to the length that the embedder reads best."""
        return StructureChunker(self.tokenizer, self.detector, max_tokens=self.chunk_tokens)


async def encoders(settings: Settings) -> Encoders:
    """The encoders of these settings. Raises ModelFileDamaged when model files are missing."""
    embedder, tokenizer, tokens = await KINDS[settings.embedder.kind](settings)
    return Encoders(embedder, tokenizer, tokens, Bm25Encoder(), WordEvidenceDetector(), BergamotTranslator())


async def onnx(settings: Settings) -> tuple[Embedder, Tokenizer, int]:
    """The embedder that Lastro builds for itself; it is not fetched here, where nobody would see it."""
    from retrieval.adapters.onnx_embedder import OnnxEmbedder

    folder = ModelStore(settings).present(EMBEDDER)
    if folder is None:
        raise ModelFileDamaged(f"The embedder's files are not in {settings.models_dir}.")
    made = OnnxEmbedder(folder)
    return made, made.tokenizer, CHUNK_TOKENS


async def openai(settings: Settings) -> tuple[Embedder, Tokenizer, int]:
    """Any server with `/v1/embeddings`. Raises EmbedderUnavailable when it does not answer."""
    from retrieval.adapters.openai_embeddings import OpenAIEmbeddings

    given = settings.embedder
    made = OpenAIEmbeddings(
        given.url,
        given.model,
        given.key(),
        max_tokens=given.max_tokens,
        timeout_seconds=given.timeout_seconds,
        ca_file=given.ca_file,
    )
    return await made.open(), WordTokenizer(), words_within(given.max_tokens)


async def sentence_transformers(settings: Settings) -> tuple[Embedder, Tokenizer, int]:
    """Any model that the package can load; it brings torch, and is an extra."""
    from retrieval.adapters.sentence_transformers import SentenceTransformersEmbedder

    given = settings.embedder
    made = await SentenceTransformersEmbedder(given.model, allow_download=given.allow_download).open()
    return made, WordTokenizer(), words_within(made.identity.max_tokens)


def words_within(tokens: int) -> int:
    """How many words surely fit into that many tokens, title and section included."""
    return min(CHUNK_TOKENS, int(tokens / TOKENS_PER_WORD))


KINDS: dict[str, Callable[[Settings], Awaitable[tuple[Embedder, Tokenizer, int]]]] = {
    "onnx": onnx,
    "openai": openai,
    "sentence-transformers": sentence_transformers,
}

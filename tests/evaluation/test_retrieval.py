"""What the library reaches on FaQuAD, asked in Portuguese and in English: floors under which a change may not go."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.chunking import StructureChunker
from retrieval.access import LabelScale
from retrieval.adapters.bergamot import BergamotTranslator
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.edge_supervisor import EdgeProcess
from retrieval.adapters.memory import MemoryCatalogue, MemoryOriginals, MemoryParsedTexts
from retrieval.adapters.onnx_embedder import OnnxEmbedder
from retrieval.adapters.qdrant_edge import EdgeVectorStore
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.evaluation import Rephrase, RetrievalFigures, evaluate_retrieval, in_language
from retrieval.library import Library

pytestmark = [pytest.mark.models, pytest.mark.slow]

# Enough questions for a floor, few enough for a test; the command line measures all 900.
QUESTIONS = 120
TOKENS = 350


@pytest.fixture
def embedder(model_cache: Path) -> OnnxEmbedder:
    folders = sorted(model_cache.glob("embedder-*/manifest.json"))
    if not folders:
        pytest.skip("no embedder in the cache: lastro models pull")
    return OnnxEmbedder(folders[-1].parent)


@pytest.fixture
async def library(tmp_path_factory: pytest.TempPathFactory, embedder: OnnxEmbedder) -> AsyncIterator[Library]:
    folder = tmp_path_factory.mktemp("q")
    scale = LabelScale()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(EdgeProcess(folder / "index", folder / "s"))
        library = Library(
            catalogue=MemoryCatalogue(scale, lambda: datetime.now(UTC)),
            vectors=EdgeVectorStore(folder / "s"),
            originals=MemoryOriginals(),
            parsed_texts=MemoryParsedTexts(),
            embedder=embedder,
            sparse=Bm25Encoder(),
            detector=WordEvidenceDetector(),
            translator=BergamotTranslator(),
            scale=scale,
        )
        stack.push_async_callback(library.close)
        await library.open()
        yield library


async def evaluate(
    shared: Path, library: Library, embedder: OnnxEmbedder, rephrase: Rephrase | None = None
) -> RetrievalFigures:
    chunker = StructureChunker(embedder.tokenizer, WordEvidenceDetector(), max_tokens=TOKENS)
    folder = shared / "evaldata" / "faquad"
    return await evaluate_retrieval(
        folder, split="all", library=library, index=chunker, rephrase=rephrase, limit=QUESTIONS
    )


async def test_portuguese_questions_find_portuguese_texts(
    shared: Path, library: Library, embedder: OnnxEmbedder
) -> None:
    found = await evaluate(shared, library, embedder)
    assert found.n == QUESTIONS
    assert found.documents == 249
    assert found.figures["ndcg@10"].value >= 0.90
    assert found.figures["recall@10"].value >= 0.97
    assert found.figures["recall@100"].value >= 0.99


async def test_english_questions_find_portuguese_texts(shared: Path, library: Library, embedder: OnnxEmbedder) -> None:
    rephrase = in_language(BergamotTranslator(), WordEvidenceDetector(), "en")
    found = await evaluate(shared, library, embedder, rephrase)
    # Four fifths of what questions in the texts' own language reach (.927).
    assert found.figures["ndcg@10"].value >= 0.80

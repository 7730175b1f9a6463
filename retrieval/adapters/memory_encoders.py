"""Encoders without model files: for tests, and as the shortest statement of what the ports promise."""

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

import numpy as np

from retrieval.model import EmbedderIdentity, Language, Matrix

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w+|[^\w\s]")


class MemoryEmbedder:
    """Port `Embedder`: every word has a fixed random direction, a text is the sum of its words' directions.

    Texts are similar when they share words; a question and a passage with the same words have the same vector.
    """

    def __init__(self, dimensions: int = 64, *, name: str = "memory-words") -> None:
        """Another `name` stands for another model."""
        self.identity = EmbedderIdentity(name, dimensions, max_tokens=512)

    async def embed_queries(self, texts: Sequence[str]) -> Matrix:
        """(n, dimensions), L2-normalised float32, in order."""
        return np.array([self._vector(text) for text in texts], np.float32).reshape(-1, self.identity.dimensions)

    async def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """The same as for questions."""
        return await self.embed_queries(texts)

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _vector(self, text: str) -> Matrix:
        words = _WORD.findall(text.lower())[: self.identity.max_tokens] or [""]
        total = np.sum([self._direction(word) for word in words], axis=0)
        return np.asarray(total / np.linalg.norm(total), np.float32)

    def _direction(self, word: str) -> Matrix:
        seed = int.from_bytes(sha256(word.encode("utf-8", "surrogatepass")).digest()[:8], "big")
        return np.random.default_rng(seed).standard_normal(self.identity.dimensions).astype(np.float32)


class WordTokenizer:
    """Port `Tokenizer`: a token is a word or a single mark."""

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """The character span of each word and mark."""
        return [match.span() for match in _TOKEN.finditer(text)]


class MemoryTranslator:
    """Port `Translator` by dictionary, word for word; a word that is not in it stays as it is."""

    def __init__(self, english_to_portuguese: Mapping[str, str]) -> None:
        """Words in lower case; the reverse direction takes the first word that has the translation."""
        forth = dict(english_to_portuguese)
        back = {portuguese: english for english, portuguese in reversed(forth.items())}
        self._words: dict[tuple[Language, Language], dict[str, str]] = {("en", "pt"): forth, ("pt", "en"): back}

    async def translate(self, text: str, source: Language, target: Language) -> str:
        """The text with every known word replaced, all else kept."""
        return "".join(self._translated(text, self._words.get((source, target), {})))

    @staticmethod
    def _translated(text: str, words: Mapping[str, str]) -> Iterator[str]:
        end = 0
        for match in _WORD.finditer(text):
            yield text[end : match.start()]
            yield words.get(match[0].lower(), match[0])
            end = match.end()
        yield text[end:]

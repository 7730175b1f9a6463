"""A question as the rankers see it, also in the other language when the library holds that.

Measured on FaQuAD with its questions translated: see `docs/reference/measurements.md`.
"""

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from retrieval.errors import TemporaryFailure
from retrieval.model import Language, Matrix, SparseVector
from retrieval.ports import Embedder, LanguageDetector, SparseEncoder, Translator

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class EncodedQuestion:
    """One vector for each form of the question, (dimensions,), and the terms of all forms together."""

    dense: tuple[Matrix, ...]
    sparse: SparseVector


class QuestionEncoder:
    """Encodes a question in its own language and in the others that the library holds."""

    def __init__(
        self,
        *,
        embedder: Embedder,
        sparse: SparseEncoder,
        detector: LanguageDetector,
        translator: Translator | None,
    ) -> None:
        """Without a translator, a question finds the other language by its vector and by the words they share."""
        self._embedder = embedder
        self._sparse = sparse
        self._detector = detector
        self._translator = translator

    async def encode(self, question: str, present: Collection[Language]) -> EncodedQuestion:
        """The question's vectors and terms; `present` are the languages of what is searched."""
        forms = await self._forms(question, present)
        vectors = await self._embedder.embed_queries(list(forms.values()))
        terms = [self._sparse.encode_query(text, [language]) for language, text in forms.items()]
        return EncodedQuestion(tuple(vectors), merged(terms))

    async def _forms(self, question: str, present: Collection[Language]) -> dict[Language, str]:
        """The question by language: as it was asked, then translated."""
        own = self._detector.detect(question)
        forms = {own: question}
        for other in sorted(set(present) - {own}):
            translation = await self._translated(question, own, other)
            if translation:
                forms[other] = translation
        return forms

    async def _translated(self, question: str, source: Language, target: Language) -> str:
        """Empty when it cannot be had: a search without it is worth more than none."""
        if self._translator is None:
            return ""
        try:
            return await self._translator.translate(question, source, target)
        except TemporaryFailure as error:
            log.warning("question_not_translated", source=source, target=target, code=error.code)
            return ""


def merged(vectors: Collection[SparseVector]) -> SparseVector:
    """The terms of all; one that is in several counts once, at its highest weight."""
    weights: dict[int, float] = {}
    for vector in vectors:
        for index, value in zip(vector.indices, vector.values, strict=True):
            weights[index] = max(value, weights.get(index, value))
    indices = tuple(sorted(weights))
    return SparseVector(indices, tuple(weights[index] for index in indices))

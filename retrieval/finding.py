"""From a question to passages: candidates from the vector store, the truth from the catalogue, then one ranking."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from uuid import UUID

from retrieval.access import LabelScale, Principal, ReaderFilter, reader_filter
from retrieval.fusion import fuse
from retrieval.model import Evidence, Hit, Language, Passage, SearchFilters, StoreHits, StoreQuery
from retrieval.ports import Catalogue, VectorSearch
from retrieval.questions import QuestionEncoder, QuestionForm

# Hits of each ranker: what fusion was measured with.
DEPTH = 100
# When too few of them may be shown, the store is asked again for more: 100, 800 and 6,400 hits, and no further.
GROWTH = 8
DEEPEST = 6_400
ROUNDS = 5
LANGUAGES_KEPT_SECONDS = 10.0


class Stopwatch:
    """How long each step took, in milliseconds."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._begin = self._last = timer()
        self._laps: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """Count the time since the last lap to this step."""
        now = self._timer()
        self._laps[step] = self._laps.get(step, 0.0) + (now - self._last) * 1000
        self._last = now

    def times(self) -> dict[str, float]:
        """Each step, and `search`: all of them together."""
        return {**self._laps, "search": (self._last - self._begin) * 1000}


class Finder:
    """Finds passages for one reader at a time."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        vectors: VectorSearch,
        encoder: QuestionEncoder,
        scale: LabelScale,
        timer: Callable[[], float],
    ) -> None:
        """`timer` gives seconds, for measuring and for how long the languages of a tenant are believed."""
        self._catalogue = catalogue
        self._vectors = vectors
        self._encoder = encoder
        self._scale = scale
        self._timer = timer
        self._languages: dict[str, tuple[float, frozenset[Language]]] = {}

    async def find(self, question: str, *, reader: Principal, filters: SearchFilters, limit: int) -> Evidence:
        """The best `limit` passages that the reader may read, best first. Raises TemporaryFailure, InvalidVector."""
        allowed = reader_filter(reader, self._scale)
        if allowed is None or limit < 1 or not question.strip():
            return Evidence()
        watch = Stopwatch(self._timer)
        forms = await self._encoder.encode(question, await self._present(reader.tenant))
        watch.lap("encode")
        depth = max(DEPTH, limit)
        passages: list[Passage] = []
        lost: frozenset[UUID] | None = None
        for _ in range(ROUNDS):
            hits = await self._ask(forms, allowed, depth)
            watch.lap("store")
            before, (passages, lost) = lost, await self._checked(hits, reader, filters, limit)
            watch.lap("check")
            bottom = depth >= DEEPEST or max(len(hits.dense), len(hits.sparse)) < depth * len(forms)
            if not lost or (lost == before and (bottom or len(passages) >= limit)):
                break
            # Even with enough of them: the store's answer may be older than a version that was written meanwhile.
            if len(passages) < limit and not bottom:
                depth *= GROWTH
        return Evidence(tuple(passages), may_leave=False, timings_ms=watch.times())

    def forget_languages(self, tenant: str) -> None:
        """Look anew at the next question: something was written."""
        self._languages.pop(tenant, None)

    async def _present(self, tenant: str) -> frozenset[Language]:
        """The languages the tenant has texts in; others may write, so what is remembered does not last."""
        now = self._timer()
        at, languages = self._languages.get(tenant, (now, frozenset[Language]()))
        if not languages or now - at > LANGUAGES_KEPT_SECONDS:
            languages = await self._catalogue.languages(tenant)
            self._languages[tenant] = now, languages
        return languages

    async def _ask(self, forms: Sequence[QuestionForm], allowed: ReaderFilter, depth: int) -> StoreHits:
        """Each form in a search of its own. Fusion takes the higher of a chunk's scores: that of its own language."""
        queries = [
            StoreQuery(allowed, form.dense, form.sparse if form.sparse.indices else None, depth) for form in forms
        ]
        answers = await asyncio.gather(*(self._vectors.search(query) for query in queries))
        dense = chain.from_iterable(answer.dense for answer in answers)
        sparse = (
            Hit(hit.chunk_id, hit.score * form.weight)
            for form, answer in zip(forms, answers, strict=True)
            for hit in answer.sparse
        )
        return StoreHits(tuple(dense), tuple(sparse))

    async def _checked(
        self, hits: StoreHits, reader: Principal, filters: SearchFilters, limit: int
    ) -> tuple[list[Passage], frozenset[UUID]]:
        """The passages, and the chunks that would be among the best but may not be shown, or not any more."""
        found = list({hit.chunk_id: None for hit in chain(hits.dense, hits.sparse)})
        kept = await self._catalogue.current(found, reader=reader, filters=filters)
        fused = {one.chunk_id: one for one in fuse(hits, kept, limit=limit)}
        # Checked once more with the texts: what was closed or deleted in this moment is left out.
        scores = {chunk: one.score for chunk, one in fused.items()}
        passages = [
            replace(passage, dense_score=one.dense, sparse_score=one.sparse)
            for passage in await self._catalogue.passages(scores, reader=reader)
            for one in [fused[passage.chunk.id]]
        ]
        best = fused if len(kept) == len(found) else {one.chunk_id: one for one in fuse(hits, found, limit=limit)}
        return passages, frozenset(best).difference(kept) | frozenset(fused).difference(
            passage.chunk.id for passage in passages
        )

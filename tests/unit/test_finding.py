"""Finding when the store's answer and the catalogue disagree, in two languages, and by the clock."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest

from retrieval.access import Access, LabelScale, Principal
from retrieval.finding import DEPTH, Finder
from retrieval.model import (
    Chunk,
    EmbedderIdentity,
    Hit,
    Language,
    Matrix,
    Passage,
    SearchFilters,
    SparseVector,
    StoreHits,
    StoreQuery,
)
from retrieval.questions import QuestionEncoder, QuestionForm

SCALE = LabelScale()
ANA = Principal("acme", "ana", frozenset(), SCALE.highest)
OPEN = Access("acme", frozenset({"everyone"}), SCALE.lowest)
DOCUMENT = UUID(int=7)


class Ladder:
    """A store with chunks 0, 1, 2 … of falling scores; it notes how deep it was asked."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.depths: list[int] = []

    async def search(self, query: StoreQuery) -> StoreHits:
        self.depths.append(query.limit)
        return StoreHits(dense=tuple(Hit(UUID(int=n), 1.0 - n / 1e6) for n in range(min(self.size, query.limit))))


class Allowing:
    """A catalogue that lets certain chunks through; `rounds` gives one set for each time it is asked."""

    def __init__(self, *rounds: range | set[int]) -> None:
        self.rounds = [frozenset(UUID(int=n) for n in some) for some in rounds]
        self.asked = -1
        self.languages_asked = 0
        self.gone: set[UUID] = set()

    async def current(self, chunks: Sequence[UUID], *, reader: Principal, filters: SearchFilters) -> frozenset[UUID]:
        self.asked = min(self.asked + 1, len(self.rounds) - 1)
        return self.rounds[self.asked].intersection(chunks)

    async def passages(self, scores, *, reader: Principal) -> list[Passage]:
        return [
            Passage(Chunk(chunk, DOCUMENT, "v", 0, 0, 1, "x"), "u", "s", OPEN, score)
            for chunk, score in scores.items()
            if chunk not in self.gone
        ]

    async def languages(self, tenant: str) -> frozenset[Language]:
        self.languages_asked += 1
        return frozenset({"en"})


class OneVector:
    identity = EmbedderIdentity("one", 1, 8)

    async def embed_queries(self, texts: Sequence[str]) -> Matrix:
        return np.ones((len(texts), 1), np.float32)


class OneTerm:
    def encode_query(self, text: str, languages: Sequence[Language]) -> SparseVector:
        return SparseVector((1,), (1.0,))


class English:
    def detect(self, text: str) -> Language:
        return "en"


class Clock:
    """Moves on by a millisecond each time it is read."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def finder(store: Ladder, catalogue: Allowing, clock: Clock | None = None) -> Finder:
    encoder = QuestionEncoder(embedder=OneVector(), sparse=OneTerm(), detector=English(), translator=None)  # type: ignore[arg-type]
    return Finder(catalogue=catalogue, vectors=store, encoder=encoder, scale=SCALE, timer=clock or Clock())  # type: ignore[arg-type]


async def numbers(finder: Finder, limit: int = 3) -> list[int]:
    evidence = await finder.find("question", reader=ANA, filters=SearchFilters(), limit=limit)
    return [passage.chunk.id.int for passage in evidence.passages]


async def test_the_store_is_asked_once_when_nothing_is_dropped() -> None:
    store = Ladder(5000)
    assert await numbers(finder(store, Allowing(range(5000)))) == [0, 1, 2]
    assert store.depths == [DEPTH]


async def test_dropped_hits_below_the_shown_ones_cost_nothing() -> None:
    store = Ladder(5000)
    assert await numbers(finder(store, Allowing(range(50)))) == [0, 1, 2]
    assert store.depths == [DEPTH]


async def test_too_few_hits_are_made_up_for_by_looking_further_down() -> None:
    store = Ladder(5000)
    assert await numbers(finder(store, Allowing(range(798, 5000)))) == [798, 799, 800]
    assert store.depths == [100, 800, 6400]


async def test_looking_further_down_has_an_end() -> None:
    store = Ladder(100_000)
    assert await numbers(finder(store, Allowing(set()))) == []
    assert store.depths == [100, 800, 6400]


async def test_a_store_that_has_no_more_is_asked_just_once_more() -> None:
    store = Ladder(4)
    assert await numbers(finder(store, Allowing({3}))) == [3]
    assert store.depths == [100, 100]


async def test_a_store_s_answer_older_than_the_catalogue_is_asked_for_anew() -> None:
    # At first none of what the store found is current any more; when asked again it has caught up.
    store = Ladder(4)
    assert await numbers(finder(store, Allowing(set(), range(4)))) == [0, 1, 2]
    assert store.depths == [100, 100]


async def test_a_chunk_that_vanishes_between_check_and_reading_is_left_out() -> None:
    catalogue = Allowing(range(10))
    catalogue.gone = {UUID(int=1)}
    store = Ladder(10)
    assert await numbers(finder(store, catalogue)) == [0, 2]
    assert store.depths == [100, 100]


async def test_a_limit_beyond_the_depth_is_reached() -> None:
    store = Ladder(5000)
    assert len(await numbers(finder(store, Allowing(range(5000))), limit=250)) == 250
    assert store.depths == [250]


async def test_every_step_is_timed() -> None:
    evidence = await finder(Ladder(5), Allowing(range(5))).find(
        "question", reader=ANA, filters=SearchFilters(), limit=3
    )
    assert set(evidence.timings_ms) == {"encode", "store", "check", "search"}
    steps = sum(time for step, time in evidence.timings_ms.items() if step != "search")
    assert evidence.timings_ms["search"] == pytest.approx(steps)
    assert evidence.may_leave is False


async def test_the_languages_of_a_tenant_are_looked_up_now_and_then() -> None:
    catalogue, clock = Allowing(range(5)), Clock()
    one = finder(Ladder(5), catalogue, clock)
    await numbers(one)
    await numbers(one)
    assert catalogue.languages_asked == 1
    clock.now += 60
    await numbers(one)
    assert catalogue.languages_asked == 2
    one.forget_languages("acme")
    await numbers(one)
    assert catalogue.languages_asked == 3


class TwoForms:
    """A question with a translation."""

    async def encode(self, question: str, present: frozenset[Language]) -> list[QuestionForm]:
        one = np.ones(1, np.float32)
        return [QuestionForm(one, SparseVector((1,), (1.0,))), QuestionForm(one, SparseVector((), ()), 0.5)]


class Bilingual:
    """A store where each form finds one chunk of its own, and chunk 9 by both."""

    def __init__(self) -> None:
        self.queries: list[StoreQuery] = []

    async def search(self, query: StoreQuery) -> StoreHits:
        self.queries.append(query)
        n = len(self.queries)
        own = Hit(UUID(int=n), 0.9)
        return StoreHits(dense=(own, Hit(UUID(int=9), 0.1 * n)), sparse=(Hit(UUID(int=n), 8.0), Hit(UUID(int=9), 4.0)))


async def test_each_form_is_searched_and_a_chunk_has_the_score_of_its_better_one() -> None:
    store = Bilingual()
    one = Finder(
        catalogue=Allowing(range(10)),  # type: ignore[arg-type]
        vectors=store,
        encoder=TwoForms(),  # type: ignore[arg-type]
        scale=SCALE,
        timer=Clock(),
    )
    evidence = await one.find("question", reader=ANA, filters=SearchFilters(), limit=3)
    scores = {passage.chunk.id.int: (passage.dense_score, passage.sparse_score) for passage in evidence.passages}
    assert scores == {1: (0.9, 8.0), 2: (0.9, 4.0), 9: (0.2, 4.0)}
    # Of a question that is all stop words, no terms are asked for.
    assert [query.sparse is None for query in store.queries] == [False, True]

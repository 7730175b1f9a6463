"""When a list of hits decides the best few, and when it must be asked for again."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from retrieval.adapters.tie_order import GROWTH, MOST, first_ask, next_ask, ranked
from retrieval.model import Hit


def hits(*scores: float) -> list[Hit]:
    return [Hit(UUID(int=n), score) for n, score in enumerate(scores)]


def test_the_best_come_first_and_equals_go_by_chunk_id() -> None:
    assert [hit.chunk_id.int for hit in ranked(reversed(hits(0.1, 0.9, 0.5, 0.9)), 3)] == [1, 3, 2]
    assert ranked(hits(1.0), 0) == ()
    assert ranked(hits(1.0), -1) == ()


def test_fewer_hits_than_asked_for_are_all_there_are() -> None:
    assert next_ask(hits(1, 1, 1), 1, 4) is None


def test_a_tie_that_ends_within_the_hits_decides() -> None:
    assert next_ask(hits(2, 1, 1, 0.5), 2, 4) is None


def test_a_tie_that_may_go_on_is_asked_for_again_up_to_a_bound() -> None:
    assert next_ask(hits(2, 1, 1, 1), 2, 4) == 4 * GROWTH
    assert next_ask(hits(2, 1, 1, 1), 3, MOST - 1) is None
    assert next_ask(hits(*[1.0] * MOST), 3, MOST) is None


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=60), st.integers(1, 10), st.randoms())
def test_asking_on_gives_the_same_as_knowing_all(scores: list[float], limit: int, chance: object) -> None:
    everything = hits(*scores)

    def engine(asked: int) -> list[Hit]:
        shuffled = everything[:]
        chance.shuffle(shuffled)  # type: ignore[attr-defined]
        return sorted(shuffled, key=lambda hit: -hit.score)[:asked]

    asked = first_ask(limit)
    found = engine(asked)
    while (more := next_ask(found, limit, asked)) is not None:
        asked = more
        found = engine(asked)
    assert ranked(found, limit) == ranked(everything, limit)

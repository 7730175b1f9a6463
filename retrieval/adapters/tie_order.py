"""Makes "the best n" one answer: engines order equal scores as they like and cut through them at the limit.

A store asks for a few hits more than it was asked for. If the last of them scores no less than the last one wanted,
equal ones may lie beyond, and it asks again with a higher limit until the whole tie is in; then chunk ids decide.
"""

from collections.abc import Iterable, Sequence

from retrieval.model import Hit

SLACK = 16
GROWTH = 8
# Thousands of equal scores are copies of one boilerplate text: which of them is shown does not matter.
MOST = 20_000


def ranked(hits: Iterable[Hit], limit: int) -> tuple[Hit, ...]:
    """The best `limit` hits, highest score first, equal scores by chunk id."""
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))[: max(limit, 0)])


def first_ask(limit: int) -> int:
    """How many hits to ask an engine for at first."""
    return limit + SLACK


def next_ask(hits: Sequence[Hit], limit: int, asked: int) -> int | None:
    """How many to ask for next, when `asked` hits end inside a tie that crosses `limit`; None when they decide."""
    if len(hits) < asked or asked >= MOST:
        return None
    by_score = sorted((hit.score for hit in hits), reverse=True)
    return min(asked * GROWTH, MOST) if by_score[-1] == by_score[limit - 1] else None

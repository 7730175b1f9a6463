"""Retrying is one decision: what is tried again, when, and when it ends."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from ingest.errors import EmptyFile, SourceUnavailable
from ingest.retries import GiveUp, RetryAt, RetryPolicy
from retrieval.errors import DiskFull, EmbedderUnavailable, LastroError, NotFound, StoreUnavailable, TemporaryFailure

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Highest(Random):
    """A random source whose every draw is the largest."""

    def uniform(self, a: float, b: float) -> float:
        return b


def policy(**changed: object) -> RetryPolicy:
    return RetryPolicy(clock=lambda: NOON, rng=Highest(), **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("failure", [StoreUnavailable(), EmbedderUnavailable(), SourceUnavailable(), DiskFull()])
def test_what_passes_by_itself_is_tried_again_after_a_second(failure: LastroError) -> None:
    assert policy().decide(1, failure) == RetryAt(NOON + timedelta(seconds=1))


@pytest.mark.parametrize("failure", [EmptyFile(), NotFound(), LastroError()])
def test_what_does_not_pass_is_given_up_at_once(failure: LastroError) -> None:
    assert policy().decide(1, failure) == GiveUp()


def test_waits_double_up_to_the_longest() -> None:
    waits = []
    for attempt in range(1, 10):
        decision = policy().decide(attempt, StoreUnavailable())
        assert isinstance(decision, RetryAt)
        waits.append((decision.moment - NOON).total_seconds())
    assert waits == [1, 2, 4, 8, 16, 32, 64, 120, 120]


def test_a_passing_fault_that_does_not_pass_is_given_up_after_ten_attempts() -> None:
    assert isinstance(policy().decide(9, StoreUnavailable()), RetryAt)
    assert policy().decide(10, StoreUnavailable()) == GiveUp()
    assert policy(tries=1).decide(1, StoreUnavailable()) == GiveUp()


def test_a_full_disk_is_waited_for_without_end() -> None:
    assert policy().decide(1_000_000, DiskFull()) == RetryAt(NOON + timedelta(minutes=2))


def test_the_wait_is_drawn_anew_each_time() -> None:
    drawing = RetryPolicy(clock=lambda: NOON, rng=Random(7))
    moments = {drawing.decide(3, TemporaryFailure()) for _ in range(20)}
    assert len(moments) == 20


def test_a_job_is_suspected_from_the_fifth_death_on() -> None:
    assert [policy().suspects(deaths) for deaths in (0, 1, 4, 5, 6)] == [False, False, False, True, True]
    assert policy(interruptions=1).suspects(1)

"""Laws of waiting that hold for every policy."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.retries import GiveUp, RetryAt, RetryPolicy
from retrieval.errors import DiskFull, PermanentFailure, StoreUnavailable

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

policies = st.builds(
    RetryPolicy,
    clock=st.just(lambda: NOON),
    rng=st.integers(0, 2**32).map(Random),
    first=st.timedeltas(timedelta(milliseconds=1), timedelta(minutes=5)),
    longest=st.timedeltas(timedelta(milliseconds=1), timedelta(days=1)),
    tries=st.integers(1, 50),
)
attempts = st.integers(1, 10_000)


@settings(max_examples=100)
@given(policies, attempts)
def test_a_wait_is_never_longer_than_the_longest_nor_shorter_than_half_its_turn(
    policy: RetryPolicy, attempt: int
) -> None:
    decision = policy.decide(attempt, DiskFull())
    assert isinstance(decision, RetryAt)
    turn = min(policy.longest, policy.first * 2 ** min(attempt - 1, 20))
    # A timedelta is rounded to the microsecond.
    slack = timedelta(microseconds=1)
    assert turn / 2 - slack <= decision.moment - NOON <= turn + slack


@settings(max_examples=100)
@given(policies, attempts)
def test_trying_ends_exactly_after_the_permitted_attempts(policy: RetryPolicy, attempt: int) -> None:
    decision = policy.decide(attempt, StoreUnavailable())
    assert isinstance(decision, GiveUp) is (attempt >= policy.tries)


@settings(max_examples=50)
@given(policies, attempts)
def test_a_lasting_failure_is_never_tried_again(policy: RetryPolicy, attempt: int) -> None:
    assert policy.decide(attempt, PermanentFailure()) == GiveUp()

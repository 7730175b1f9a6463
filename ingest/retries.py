"""Whether and when a job is tried again: one decision, in one place, as a value."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TypeAlias

from retrieval.errors import DiskFull, LastroError, TemporaryFailure


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, not before that time."""

    moment: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again by yourself."""


RetryDecision: TypeAlias = RetryAt | GiveUp


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits that double from `first` to `longest`, less up to half at random, so that jobs do not come back in step.

    `tries` bounds the attempts at a passing fault: with the defaults about five minutes. A full disk is waited for
    without end, since nothing is wrong with the job. `interruptions` is how often a job may be running when its worker
    dies before it is taken for the cause; an orderly stop does not count.
    """

    clock: Callable[[], datetime]
    rng: Random
    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=2)
    tries: int = 10
    interruptions: int = 5

    def decide(self, attempt: int, failure: LastroError) -> RetryDecision:
        """What to do after attempt number `attempt` (from 1) failed so. Only temporary failures are tried again."""
        if not isinstance(failure, TemporaryFailure):
            return GiveUp()
        if attempt >= self.tries and not isinstance(failure, DiskFull):
            return GiveUp()
        return RetryAt(self.clock() + self._pause(attempt))

    def suspects(self, interruptions: int) -> bool:
        """Whether a job that was running at so many deaths of its worker is taken for their cause."""
        return interruptions >= self.interruptions

    def _pause(self, attempt: int) -> timedelta:
        # The first doubling past `longest` decides; a greater power could exceed what a timedelta holds.
        longest = min(self.longest, self.first * (1 << min(attempt - 1, 20)))
        return longest * self.rng.uniform(0.5, 1.0)

"""The figures of retrieval, as pure functions of a ranking (document ids, best first) and the judged gains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

RESAMPLES = 1_000
SEED = 20_240_229


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and, where it is a mean over questions, its 95 % bootstrap interval."""

    value: float
    low: float | None = None
    high: float | None = None


def ndcg(ranking: Sequence[str], gains: Mapping[str, int], k: int) -> float:
    """Normalised discounted cumulative gain at k (Järvelin and Kekäläinen 2002), gains linear as in BEIR."""
    ideal = discounted(sorted(gains.values(), reverse=True)[:k])
    return discounted([gains.get(document, 0) for document in ranking[:k]]) / ideal if ideal else 0.0


def discounted(gains: Sequence[int]) -> float:
    """Gains, each divided by log2(rank + 1), ranks from 1."""
    return sum(gain / log2(place + 2) for place, gain in enumerate(gains))


def recall(ranking: Sequence[str], gains: Mapping[str, int], k: int) -> float:
    """The share of the relevant documents among the first k."""
    relevant = {document for document, gain in gains.items() if gain > 0}
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], gains: Mapping[str, int], k: int) -> float:
    """1 / rank of the first relevant document among the first k, else 0."""
    return next((1 / (place + 1) for place, document in enumerate(ranking[:k]) if gains.get(document, 0) > 0), 0.0)


def estimate(values: Sequence[float]) -> Figure:
    """The mean with its 95 % percentile bootstrap interval (Efron 1979); the same values give the same interval."""
    if not values:
        return Figure(0.0)
    data = np.asarray(values, np.float64)
    draws = np.random.default_rng(SEED).integers(0, len(data), (RESAMPLES, len(data)))
    low, high = np.percentile(data[draws].mean(axis=1), [2.5, 97.5])
    return Figure(float(data.mean()), float(low), float(high))


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile by linear interpolation; 0 of nothing."""
    return float(np.percentile(values, percent)) if values else 0.0

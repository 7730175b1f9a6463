"""The figures against values computed by hand."""

from math import log2

import pytest

from retrieval.scoring import Figure, estimate, ndcg, percentile, recall, reciprocal_rank

RANKING = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("gains", "k", "expected"),
    [
        ({"a": 1}, 10, 1.0),
        ({"b": 1}, 10, 1 / log2(3)),
        ({"d": 1}, 3, 0.0),
        ({"a": 1, "c": 1}, 10, (1 + 1 / 2) / (1 + 1 / log2(3))),
        ({"c": 2, "b": 1}, 10, (1 / log2(3) + 2 / 2) / (2 + 1 / log2(3))),
        ({"x": 1}, 10, 0.0),
        ({"a": 1, "x": 1}, 1, 1.0),
        ({}, 10, 0.0),
    ],
)
def test_ndcg(gains: dict[str, int], k: int, expected: float) -> None:
    assert ndcg(RANKING, gains, k) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("gains", "k", "expected"),
    [
        ({"a": 1}, 1, 1.0),
        ({"b": 1}, 1, 0.0),
        ({"a": 1, "d": 2}, 2, 0.5),
        ({"a": 1, "x": 1}, 9, 0.5),
        ({"a": 0}, 4, 0.0),
    ],
)
def test_recall(gains: dict[str, int], k: int, expected: float) -> None:
    assert recall(RANKING, gains, k) == expected


@pytest.mark.parametrize(
    ("gains", "k", "expected"),
    [({"a": 1}, 10, 1.0), ({"c": 1, "d": 1}, 10, 1 / 3), ({"c": 1}, 2, 0.0), ({"x": 1}, 10, 0.0), ({"a": 0}, 10, 0.0)],
)
def test_reciprocal_rank(gains: dict[str, int], k: int, expected: float) -> None:
    assert reciprocal_rank(RANKING, gains, k) == pytest.approx(expected)


def test_the_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    values = [0.0, 1.0, 1.0, 0.5, 0.25, 1.0, 0.0, 1.0]
    figure = estimate(values)
    assert figure == estimate(values)
    assert figure.value == pytest.approx(4.75 / 8)
    assert figure.low is not None
    assert figure.high is not None
    assert 0.0 <= figure.low < figure.value < figure.high <= 1.0


def test_the_interval_narrows_with_more_questions() -> None:
    few, many = estimate([0.0, 1.0] * 10), estimate([0.0, 1.0] * 1000)
    # The standard error of a coin is 0.5 / sqrt(n), and the interval nearly 4 of them wide.
    assert (few.high or 0) - (few.low or 0) == pytest.approx(4 * 0.5 / 20**0.5, rel=0.2)
    assert (many.high or 0) - (many.low or 0) == pytest.approx(4 * 0.5 / 2000**0.5, rel=0.2)


def test_equal_values_and_none_have_no_width() -> None:
    assert estimate([1.0, 1.0]) == Figure(1.0, 1.0, 1.0)
    assert estimate([]) == Figure(0.0)


def test_percentiles_are_interpolated() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.5
    assert percentile([], 95) == 0.0

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retrieval.adapters.vectors_from_outside import normalised
from retrieval.errors import InvalidVector


@given(arrays(np.float32, (3, 4), elements=st.floats(-100, 100, width=32)).map(lambda a: a + np.float32(101)))
def test_vectors_keep_their_direction_and_get_length_one(vectors: np.ndarray) -> None:
    found = normalised(list(vectors), 3, 4)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert np.sum(found * vectors, axis=1) == pytest.approx(np.linalg.norm(vectors, axis=1), rel=1e-4)


@pytest.mark.parametrize(
    ("vectors", "dimensions", "reason"),
    [
        ([[1.0, 2.0], [3.0]], None, "one length"),
        ([[1.0, 2.0]], None, "2 vectors"),
        ([["a"], ["b"]], None, "one length"),
        ([[1.0], [2.0]], 2, "1 numbers instead of 2"),
        ([[1.0, 0.0], [0.0, 0.0]], 2, "zero or not finite"),
        ([[1.0, 0.0], [float("nan"), 1.0]], 2, "zero or not finite"),
        ([[1.0, 0.0], [float("inf"), 1.0]], 2, "zero or not finite"),
        ([[], []], None, "zero or not finite"),
    ],
)
def test_what_is_no_vector_is_refused(vectors: list[list[float]], dimensions: int | None, reason: str) -> None:
    with pytest.raises(InvalidVector, match=reason):
        normalised(vectors, 2, dimensions)

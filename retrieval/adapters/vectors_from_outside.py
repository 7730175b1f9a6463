"""Checks vectors that another program made, before they meet an index."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from retrieval.errors import InvalidVector
from retrieval.model import Matrix


def normalised(vectors: Sequence[ArrayLike], count: int, dimensions: int | None) -> Matrix:
    """(count, dimensions) of length 1. Raises InvalidVector for another shape, values not finite, or a zero vector."""
    try:
        matrix = np.asarray(vectors, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise InvalidVector("the embedder did not give vectors of one length") from error
    if matrix.ndim != 2 or len(matrix) != count:
        raise InvalidVector(f"the embedder did not give {count} vectors of one length")
    if dimensions is not None and matrix.shape[1] != dimensions:
        raise InvalidVector(f"the embedder gave vectors of {matrix.shape[1]} numbers instead of {dimensions}")
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.isfinite(matrix).all() or not lengths.all():
        raise InvalidVector("the embedder gave a vector that is zero or not finite")
    return np.asarray(matrix / lengths, np.float32)

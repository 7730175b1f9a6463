"""Refuses what would poison an index: engines take NaN and repeated terms silently, and never find the point again."""

from collections.abc import Sequence

import numpy as np

from retrieval.errors import InvalidVector
from retrieval.model import Matrix, Point, SparseVector, StoreQuery

LARGEST_TERM = 2**32 - 1


def check_dense(vector: Matrix, dimensions: int) -> None:
    """Raise InvalidVector unless the shape is (dimensions,) and every value is finite."""
    if vector.shape != (dimensions,):
        raise InvalidVector(f"A vector has the shape {vector.shape}; the index wants ({dimensions},).")
    if not np.isfinite(vector).all():
        raise InvalidVector("A vector holds a value that is not finite.")


def check_sparse(vector: SparseVector) -> None:
    """Raise InvalidVector unless the term ids ascend, each of them once, and the weights are finite."""
    ids = np.asarray(vector.indices, dtype=np.int64)
    if not (ids[:-1] < ids[1:]).all():
        raise InvalidVector("The term ids of a sparse vector must ascend, each of them once.")
    if len(ids) and not 0 <= ids[0] <= ids[-1] <= LARGEST_TERM:
        raise InvalidVector("A term id of a sparse vector does not fit in 32 bits.")
    if not np.isfinite(np.asarray(vector.values, dtype=np.float32)).all():
        raise InvalidVector("A sparse vector holds a weight that is not finite.")


def check_points(points: Sequence[Point], dimensions: int) -> None:
    """Check all before any is written, so that one bad vector leaves nothing half done. Raises InvalidVector."""
    for point in points:
        check_dense(point.dense, dimensions)
        check_sparse(point.sparse)


def check_query(query: StoreQuery, dimensions: int) -> None:
    """Raise InvalidVector when either vector of the question cannot be compared with the index."""
    if query.dense is not None:
        check_dense(query.dense, dimensions)
    if query.sparse is not None:
        check_sparse(query.sparse)

"""Two rankings into one: min-max normalised scores, half from each ranker.

Measured against reciprocal rank fusion and distribution-based fusion on seven collections in English and Portuguese:
better than either ranker alone on all seven and than rank fusion on six. It is done here and not in the store, so
that it sees only what the reader may see and is the same whatever the store.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from retrieval.model import Hit, StoreHits

DENSE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Fused:
    """A chunk after fusion: `score` between 0 and 1, beside what each ranker gave it (0 where it did not find it)."""

    chunk_id: UUID
    score: float
    dense: float = 0.0
    sparse: float = 0.0


def fuse(hits: StoreHits, kept: Collection[UUID], *, limit: int) -> list[Fused]:
    """The best `limit` of the kept chunks, best first, ties by chunk id.

    Each ranker's scores are stretched to 0..1 over its kept chunks; a chunk that a ranker did not find counts 0 there.
    """
    dense, sparse = scores(hits.dense, kept), scores(hits.sparse, kept)
    from_dense, from_sparse = stretched(dense), stretched(sparse)
    fused = [
        Fused(
            chunk,
            DENSE_SHARE * from_dense.get(chunk, 0.0) + (1 - DENSE_SHARE) * from_sparse.get(chunk, 0.0),
            dense.get(chunk, 0.0),
            sparse.get(chunk, 0.0),
        )
        for chunk in dense.keys() | sparse.keys()
    ]
    return list(islice(sorted(fused, key=lambda one: (-one.score, one.chunk_id)), max(0, limit)))


def scores(hits: Sequence[Hit], kept: Collection[UUID]) -> dict[UUID, float]:
    """The kept chunks with their scores; of a chunk that was found twice the higher one."""
    found: dict[UUID, float] = {}
    for hit in hits:
        if hit.chunk_id in kept:
            found[hit.chunk_id] = max(hit.score, found.get(hit.chunk_id, hit.score))
    return found


def stretched(found: Mapping[UUID, float]) -> dict[UUID, float]:
    """Scores from 0 for the lowest to 1 for the highest; 1 for all when they are equal: each is a best one."""
    if not found:
        return {}
    lowest, highest = min(found.values()), max(found.values())
    if highest == lowest:
        return dict.fromkeys(found, 1.0)
    return {chunk: (score - lowest) / (highest - lowest) for chunk, score in found.items()}

"""How an index looks to the embedded engine: its configuration, its payload indexes, its points and its errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import qdrant_edge as engine

from retrieval.adapters.point_payload import DENSE, KEYWORDS, SPARSE, TENANT, UUIDS, payload_of
from retrieval.errors import DiskFull, InvalidVector, StoreUnavailable
from retrieval.model import IndexIdentity, Point

# In KB of vectors; so large that no segment ever gets a graph.
NEVER_INDEX = 10**9
# The engine has no class of its own: its errors differ in their text alone.
EngineError = Exception


@contextmanager
def engine_errors() -> Iterator[None]:
    """Translate what the engine raises into InvalidVector, DiskFull and StoreUnavailable."""
    try:
        yield
    except EngineError as error:
        text = str(error)
        if "Vector dimension" in text:
            raise InvalidVector(text) from error
        if "No space left" in text:
            raise DiskFull from error
        raise StoreUnavailable(f"The index engine failed: {text}") from error


def configuration(identity: IndexIdentity) -> engine.EdgeConfig:
    """Dense vectors by cosine, sparse ones with IDF, no graph."""
    return engine.EdgeConfig(
        vectors={DENSE: engine.EdgeVectorParams(identity.embedder.dimensions, engine.Distance.Cosine)},
        sparse_vectors={SPARSE: engine.EdgeSparseVectorParams(modifier=engine.Modifier.Idf)},
        optimizers=engine.EdgeOptimizersConfig(indexing_threshold=NEVER_INDEX),
    )


def make_shard(path: Path, identity: IndexIdentity) -> None:
    """Make the engine's files, the payload indexes before any data."""
    keyword, uuid = engine.PayloadSchemaType.Keyword, engine.PayloadSchemaType.Uuid
    indexes = dict.fromkeys(KEYWORDS, keyword) | dict.fromkeys(UUIDS, uuid)
    with engine_errors():
        path.mkdir()
        shard = engine.EdgeShard.create(str(path), configuration(identity))
        shard.update(engine.UpdateOperation.create_field_index(TENANT, engine.KeywordIndexParams(is_tenant=True)))
        for field, schema in indexes.items():
            shard.update(engine.UpdateOperation.create_field_index(field, schema))
        shard.flush()
        shard.close()


def engine_point(point: Point) -> engine.Point:
    """A point with both vectors and its payload."""
    sparse = engine.SparseVector(list(point.sparse.indices), list(point.sparse.values))
    return engine.Point(point.chunk_id, {DENSE: point.dense.tolist(), SPARSE: sparse}, payload_of(point))

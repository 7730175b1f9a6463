"""How each value of the library travels to the index process and back: flat lists, vectors as raw bytes.

The functions come in pairs, one for each side, so that a change of the form shows both ends.
"""

from uuid import UUID

import numpy as np

from retrieval.access import Access, Label, ReaderFilter
from retrieval.adapters.edge_frames import Wire
from retrieval.model import EmbedderIdentity, Hit, IndexIdentity, Matrix, Point, SparseVector, StoreHits, StoreQuery


def pack_identity(identity: IndexIdentity) -> Wire:
    """An identity as a flat list."""
    embedder = identity.embedder
    return [embedder.name, embedder.dimensions, embedder.max_tokens, embedder.digest, identity.sparse]


def unpack_identity(packed: Wire) -> IndexIdentity:
    """The reverse of `pack_identity`."""
    name, dimensions, max_tokens, digest, sparse = packed
    return IndexIdentity(EmbedderIdentity(name, dimensions, max_tokens, digest), sparse)


def pack_dense(vector: Matrix) -> bytes:
    """Little-endian float32; a vector of another rank than 1 is flattened and then has the wrong length."""
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def unpack_dense(packed: bytes) -> Matrix:
    """The reverse of `pack_dense`; raises ValueError when bytes are left over."""
    return np.frombuffer(packed, dtype="<f4")


def pack_sparse(vector: SparseVector) -> Wire:
    """Term ids and weights."""
    return [list(vector.indices), list(vector.values)]


def unpack_sparse(packed: Wire) -> SparseVector:
    """The reverse of `pack_sparse`."""
    indices, values = packed
    return SparseVector(tuple(indices), tuple(values))


def pack_access(access: Access) -> Wire:
    """Tenant, readers, label."""
    return [access.tenant, sorted(access.readers), access.label.rank, access.label.name]


def unpack_access(packed: Wire) -> Access:
    """The reverse of `pack_access`."""
    tenant, readers, rank, name = packed
    return Access(tenant, frozenset(readers), Label(rank, name))


def pack_point(point: Point) -> Wire:
    """A point as a flat list."""
    ids = [point.chunk_id.bytes, point.document_id.bytes, point.version, point.n]
    return [*ids, pack_access(point.access), pack_dense(point.dense), pack_sparse(point.sparse)]


def unpack_point(packed: Wire) -> Point:
    """The reverse of `pack_point`."""
    chunk, document, version, n, access, dense, sparse = packed
    vectors = unpack_dense(dense), unpack_sparse(sparse)
    return Point(UUID(bytes=chunk), UUID(bytes=document), version, n, unpack_access(access), *vectors)


def pack_query(query: StoreQuery) -> Wire:
    """A query as a flat list."""
    reader = query.reader
    dense = None if query.dense is None else pack_dense(query.dense)
    sparse = None if query.sparse is None else pack_sparse(query.sparse)
    return [reader.tenant, sorted(reader.readers), sorted(reader.labels), dense, sparse, query.limit]


def unpack_query(packed: Wire) -> StoreQuery:
    """The reverse of `pack_query`; raises ValueError for a filter with an empty condition."""
    tenant, readers, labels, dense, sparse, limit = packed
    reader = ReaderFilter(tenant, frozenset(readers), frozenset(labels))
    return StoreQuery(
        reader, None if dense is None else unpack_dense(dense), None if sparse is None else unpack_sparse(sparse), limit
    )


def pack_hits(hits: StoreHits) -> Wire:
    """Both lists of hits."""
    return [[[hit.chunk_id.bytes, hit.score] for hit in ranker] for ranker in (hits.dense, hits.sparse)]


def unpack_hits(packed: Wire) -> StoreHits:
    """The reverse of `pack_hits`."""
    dense, sparse = (tuple(Hit(UUID(bytes=chunk), score) for chunk, score in ranker) for ranker in packed)
    return StoreHits(dense, sparse)

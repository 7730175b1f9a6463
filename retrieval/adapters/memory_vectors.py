"""The vector store in memory: the readable specification that the engines are held to, and what unit tests run on."""

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np

from retrieval.access import Access
from retrieval.adapters.chunk_counts import count_chunks
from retrieval.adapters.tie_order import ranked
from retrieval.adapters.vector_checks import check_points, check_query
from retrieval.errors import StoreUnavailable, WrongEmbedder
from retrieval.model import (
    Hit,
    IndexIdentity,
    Matrix,
    Point,
    SparseVector,
    StoredDocument,
    StoreHits,
    StoreQuery,
)


class MemoryVectorStore:
    """Implements `VectorStore` with a dictionary of points. Closing keeps them, as closing a folder would."""

    def __init__(self) -> None:
        self._points: dict[UUID, Point] = {}
        self._identity: IndexIdentity | None = None
        self._open = False

    async def open(self, identity: IndexIdentity) -> None:
        """Make or open the index. Raises WrongEmbedder if it was built with another identity."""
        if self._identity not in (None, identity):
            raise WrongEmbedder
        self._identity = identity
        self._open = True

    async def search(self, query: StoreQuery) -> StoreHits:
        """The best `query.limit` readable chunks by cosine and by BM25."""
        check_query(query, self._dimensions())
        tenant = [point for point in self._points.values() if point.access.tenant == query.reader.tenant]
        readable = [point for point in tenant if query.reader.matches(point.access)]
        dense = cosine_hits(query.dense, readable) if query.dense is not None else ()
        sparse = bm25_hits(query.sparse, readable, corpus=tenant) if query.sparse is not None else ()
        return StoreHits(ranked(dense, query.limit), ranked(sparse, query.limit))

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace by chunk id."""
        check_points(points, self._dimensions())
        self._points |= {point.chunk_id: point for point in points}

    async def remove(self, document: UUID, *, keep_version: str | None = None) -> None:
        """Remove a document's points, but for those of `keep_version`."""
        self._dimensions()
        self._points = {
            chunk: point
            for chunk, point in self._points.items()
            if point.document_id != document or point.version == keep_version
        }

    async def relabel(self, document: UUID, access: Access) -> None:
        """Give all of a document's points another access."""
        self._dimensions()
        self._points = {
            chunk: replace(point, access=access) if point.document_id == document else point
            for chunk, point in self._points.items()
        }

    async def flush(self) -> None:
        """Nothing to do: memory does not survive a loss of power."""
        self._dimensions()

    async def documents(self) -> AsyncIterator[StoredDocument]:
        """Every version of every document with its number of chunks."""
        self._dimensions()
        for document in count_chunks((point.document_id, point.version) for point in self._points.values()):
            yield document

    async def count(self) -> int:
        """The number of points."""
        self._dimensions()
        return len(self._points)

    async def close(self) -> None:
        """Refuse further calls until it is opened again."""
        self._open = False

    def _dimensions(self) -> int:
        if not self._open or self._identity is None:
            raise StoreUnavailable("The vector store is not open.")
        return self._identity.embedder.dimensions


def cosine_hits(query: Matrix, points: Sequence[Point]) -> list[Hit]:
    """Every point with its cosine to the query (dimensions,); a zero vector scores 0."""
    if not points:
        return []
    vectors = np.stack([point.dense for point in points]).astype(np.float32)
    # Row by row: a matrix product may give two equal rows different last bits, and then they are no tie.
    scores = (_unit(vectors) * _unit(query[np.newaxis, :].astype(np.float32))).sum(axis=1)
    return [Hit(point.chunk_id, float(score)) for point, score in zip(points, scores, strict=True)]


def bm25_hits(query: SparseVector, points: Sequence[Point], *, corpus: Sequence[Point]) -> list[Hit]:
    """The points that share a term with the query, by the sum of weight x query weight x IDF.

    IDF = ln(1 + (N - df + 0.5) / (df + 0.5)) over the points of the tenant (Robertson and Zaragoza, 2009, in the form
    that Lucene and Qdrant use), readable or not: it depends on the tenant, never on other tenants.
    """
    weights = {}
    for term, weight in zip(query.indices, query.values, strict=True):
        df = sum(term in point.sparse.indices for point in corpus)
        weights[term] = weight * math.log(1 + (len(corpus) - df + 0.5) / (df + 0.5))
    hits = []
    for point in points:
        terms = zip(point.sparse.indices, point.sparse.values, strict=True)
        score = sum(value * weights[term] for term, value in terms if term in weights)
        if score > 0:
            hits.append(Hit(point.chunk_id, score))
    return hits


def _unit(rows: Matrix) -> Matrix:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Matrix = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit

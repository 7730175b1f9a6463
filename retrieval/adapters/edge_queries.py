"""Questions to the embedded engine, each ranking filtered by the reader and exact."""

from collections.abc import Callable, Sequence
from uuid import UUID

import qdrant_edge as engine

from retrieval.access import ReaderFilter
from retrieval.adapters.edge_schema import engine_errors
from retrieval.adapters.point_payload import DENSE, SPARSE, TENANT
from retrieval.adapters.tie_order import first_ask, next_ask, ranked
from retrieval.model import Hit, StoreHits, StoreQuery

Ask = Callable[[int], engine.QueryRequest]


def search(shard: engine.EdgeShard, query: StoreQuery) -> StoreHits:
    """Both rankings, in one call of the engine unless a tie crosses the limit."""
    rankers = [_dense(query), _sparse(query)]
    asking = [ask for ask in rankers if ask is not None and query.limit > 0]
    answers = iter(_ask(shard, asking, first_ask(query.limit)))
    found = [_settled(shard, ask, next(answers), query.limit) if ask in asking else () for ask in rankers]
    return StoreHits(*found)


def versions_of(document: UUID, *, but: str | None) -> engine.Filter:
    """A document's points, but for those of one version."""
    return engine.Filter(
        must=[equals("document_id", str(document))], must_not=None if but is None else [equals("version", but)]
    )


def equals(field: str, value: str) -> engine.FieldCondition:
    """The field is, or holds, this very value."""
    return engine.FieldCondition(field, match=engine.MatchValue(value))


def _readable_by(reader: ReaderFilter) -> engine.Filter:
    """All three conditions of the reader; `ReaderFilter` sees to it that none is empty."""
    return engine.Filter(
        must=[
            equals(TENANT, reader.tenant),
            engine.FieldCondition("readers", match=engine.MatchAny(sorted(reader.readers))),
            engine.FieldCondition("label", match=engine.MatchAny(sorted(reader.labels))),
        ]
    )


def _dense(query: StoreQuery) -> Ask | None:
    if query.dense is None:
        return None
    nearest = engine.Query.Nearest(query.dense.tolist(), using=DENSE)
    return _asking(nearest, query.reader, engine.SearchParams(exact=True))


def _sparse(query: StoreQuery) -> Ask | None:
    if query.sparse is None or not query.sparse.indices:
        return None
    terms = engine.SparseVector(list(query.sparse.indices), list(query.sparse.values))
    # How rare a term is within the tenant: other tenants' words must not move a score.
    corpus = engine.IdfParams(engine.Filter(must=[equals(TENANT, query.reader.tenant)]))
    return _asking(engine.Query.Nearest(terms, using=SPARSE), query.reader, engine.SearchParams(idf=corpus))


def _asking(nearest: engine.Query, reader: ReaderFilter, params: engine.SearchParams) -> Ask:
    return lambda limit: engine.QueryRequest(limit, query=nearest, filter=_readable_by(reader), params=params)


def _settled(shard: engine.EdgeShard, ask: Ask, hits: Sequence[Hit], limit: int) -> tuple[Hit, ...]:
    asked = first_ask(limit)
    while (more := next_ask(hits, limit, asked)) is not None:
        asked = more
        [hits] = _ask(shard, [ask], asked)
    return ranked(hits, limit)


def _ask(shard: engine.EdgeShard, asking: Sequence[Ask], limit: int) -> list[list[Hit]]:
    batch = engine.QueryBatchRequest([ask(limit) for ask in asking])
    with engine_errors():
        answers = shard.query_batch(batch)
    return [[Hit(UUID(str(point.id)), point.score) for point in points] for points in answers]

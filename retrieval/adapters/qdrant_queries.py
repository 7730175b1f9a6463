"""Questions to a Qdrant server, each ranking filtered by the reader."""

from collections.abc import Callable, Sequence
from uuid import UUID

from qdrant_client import AsyncQdrantClient, models

from retrieval.access import ReaderFilter
from retrieval.adapters.point_payload import DENSE, SPARSE, TENANT
from retrieval.adapters.tie_order import first_ask, next_ask, ranked
from retrieval.model import Hit, StoreHits, StoreQuery

Ask = Callable[[int], models.QueryRequest]

EXACT = models.SearchParams(exact=True)
# Searches the graph among the filtered points alone: without it recall fell to 0.4 under a filter of 13 %.
GRAPH = models.SearchParams(hnsw_ef=256, acorn=models.AcornSearchParams(enable=True, max_selectivity=1.0))


class FilteredSearch:
    """Both rankings of one query on one collection. Errors are the client's own."""

    def __init__(self, client: AsyncQdrantClient, collection: str) -> None:
        self._client = client
        self._collection = collection

    async def run(self, query: StoreQuery, *, exact: bool) -> StoreHits:
        """The best hits of each ranker; without `exact` the graph is used, and where it finds too few, a scan."""
        rankers = [_dense(query, EXACT if exact else GRAPH), _sparse(query)]
        asking = [ask for ask in rankers if ask is not None and query.limit > 0]
        answers = iter(await self._ask(asking, first_ask(query.limit)))
        found = [next(answers) if ask in asking else [] for ask in rankers]
        scan = _dense(query, EXACT)
        if not exact and scan is not None and len(found[0]) < first_ask(query.limit):
            rankers[0] = scan
            [found[0]] = await self._ask([scan], first_ask(query.limit))
        settled = [await self._settled(ask, hits, query.limit) for ask, hits in zip(rankers, found, strict=True)]
        return StoreHits(*settled)

    async def _settled(self, ask: Ask | None, hits: list[Hit], limit: int) -> tuple[Hit, ...]:
        asked = first_ask(limit)
        while ask is not None and (more := next_ask(hits, limit, asked)) is not None:
            asked = more
            [hits] = await self._ask([ask], asked)
        return ranked(hits, limit)

    async def _ask(self, asking: Sequence[Ask], limit: int) -> list[list[Hit]]:
        if not asking:
            return []
        answers = await self._client.query_batch_points(self._collection, [ask(limit) for ask in asking])
        return [[Hit(UUID(str(point.id)), point.score) for point in answer.points] for answer in answers]


def versions_of(document: UUID, *, but: str | None) -> models.Filter:
    """A document's points, but for those of one version."""
    return models.Filter(
        must=[_equals("document_id", str(document))], must_not=None if but is None else [_equals("version", but)]
    )


def readable_by(reader: ReaderFilter) -> models.Filter:
    """All three conditions of the reader; `ReaderFilter` sees to it that none is empty."""
    return models.Filter(
        must=[
            _equals(TENANT, reader.tenant),
            models.FieldCondition(key="readers", match=models.MatchAny(any=sorted(reader.readers))),
            models.FieldCondition(key="label", match=models.MatchAny(any=sorted(reader.labels))),
        ]
    )


def _equals(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _dense(query: StoreQuery, params: models.SearchParams) -> Ask | None:
    if query.dense is None:
        return None
    return _asking(query.dense.tolist(), DENSE, query.reader, params)


def _sparse(query: StoreQuery) -> Ask | None:
    if query.sparse is None or not query.sparse.indices:
        return None
    terms = models.SparseVector(indices=list(query.sparse.indices), values=list(query.sparse.values))
    # How rare a term is within the tenant: other tenants' words must not move a score.
    tenant = models.Filter(must=[_equals(TENANT, query.reader.tenant)])
    return _asking(terms, SPARSE, query.reader, models.SearchParams(idf=models.IdfCorpusParams(corpus=tenant)))


def _asking(
    vector: list[float] | models.SparseVector, using: str, reader: ReaderFilter, params: models.SearchParams
) -> Ask:
    return lambda limit: models.QueryRequest(
        query=vector, using=using, filter=readable_by(reader), params=params, limit=limit
    )

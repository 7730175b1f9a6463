"""The vector store on a Qdrant server: for more than one machine, or more than 200,000 chunks."""

import ssl
import time
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Self
from uuid import UUID

from qdrant_client import AsyncQdrantClient, models

from retrieval.access import Access
from retrieval.adapters.chunk_counts import count_chunks
from retrieval.adapters.point_payload import DENSE, SPARSE, access_payload, payload_of
from retrieval.adapters.qdrant_collection import open_collection
from retrieval.adapters.qdrant_errors import server_errors
from retrieval.adapters.qdrant_queries import FilteredSearch, versions_of
from retrieval.adapters.vector_checks import check_points, check_query
from retrieval.errors import StoreUnavailable
from retrieval.model import IndexIdentity, Point, StoredDocument, StoreHits, StoreQuery

BATCH = 256
SCANNED_AT_ONCE = 1_000
# Up to here a scan of all readable chunks is quick enough and finds everything.
EXACT_UP_TO = 200_000
RECOUNT_SECONDS = 60.0


class QdrantServerStore:
    """Implements `VectorStore` on a Qdrant server (1.19 or newer). Durability and copies are the server's affair."""

    def __init__(
        self, client: AsyncQdrantClient, *, alias: str = "lastro", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._alias = alias
        self._clock = clock
        self._collection: str | None = None
        self._dimensions = 0
        self._exact = True
        self._counted_at = float("-inf")

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        api_key: str | None = None,
        ca_file: Path | None = None,
        timeout: int = 10,
        alias: str = "lastro",
    ) -> Self:
        """A store on the server at `url`, over TLS for https; `timeout` in seconds. Nothing is sent before `open`.

        `ca_file` holds the certificate authority to trust instead of the public ones.
        """
        verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
        with warnings.catch_warnings():
            # It warns of a key without TLS. Whether that is acceptable, as on loopback, is the operator's decision.
            warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
            client = AsyncQdrantClient(
                url=url, api_key=api_key, timeout=timeout, check_compatibility=False, verify=verify
            )
        return cls(client, alias=alias)

    async def open(self, identity: IndexIdentity) -> None:
        """Make or open the collection. Raises WrongEmbedder, StoreRefused (key, version), StoreUnavailable."""
        self._collection = await open_collection(self._client, self._alias, identity)
        self._dimensions = identity.embedder.dimensions

    async def search(self, query: StoreQuery) -> StoreHits:
        """Both rankings in one request; exact up to 200,000 chunks, by the graph with ACORN beyond."""
        collection = self._opened()
        check_query(query, self._dimensions)
        with server_errors():
            return await FilteredSearch(self._client, collection).run(query, exact=await self._scan_is_quick())

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace by chunk id, in batches."""
        collection = self._opened()
        check_points(points, self._dimensions)
        for start in range(0, len(points), BATCH):
            batch = [_point(point) for point in points[start : start + BATCH]]
            with server_errors():
                await self._client.upsert(collection, batch, wait=True)

    async def remove(self, document: UUID, *, keep_version: str | None = None) -> None:
        """Remove a document's points, but for those of `keep_version`."""
        doomed = models.FilterSelector(filter=versions_of(document, but=keep_version))
        with server_errors():
            await self._client.delete(self._opened(), doomed, wait=True)

    async def relabel(self, document: UUID, access: Access) -> None:
        """Give all of a document's points another access."""
        its_points = versions_of(document, but=None)
        with server_errors():
            await self._client.set_payload(self._opened(), access_payload(access), points=its_points, wait=True)

    async def flush(self) -> None:
        """Nothing to do: an acknowledged write is in the server's log, which the server flushes by itself."""
        self._opened()

    async def documents(self) -> AsyncIterator[StoredDocument]:
        """Every version of every document; what is written meanwhile may be missing."""
        collection = self._opened()
        chunks: list[tuple[UUID, str]] = []
        offset = None
        while True:
            with server_errors():
                records, offset = await self._client.scroll(
                    collection, limit=SCANNED_AT_ONCE, offset=offset, with_payload=["document_id", "version"]
                )
            payloads = [record.payload or {} for record in records]
            chunks += [(UUID(payload["document_id"]), payload["version"]) for payload in payloads]
            if offset is None:
                break
        for document in count_chunks(chunks):
            yield document

    async def count(self) -> int:
        """The number of points. Raises StoreUnavailable."""
        with server_errors():
            return (await self._client.count(self._opened(), exact=True)).count

    async def close(self) -> None:
        """Close the client; closing twice is harmless."""
        self._collection = None
        await self._client.close()

    def _opened(self) -> str:
        if self._collection is None:
            raise StoreUnavailable("The vector store is not open.")
        return self._collection

    async def _scan_is_quick(self) -> bool:
        if self._clock() - self._counted_at > RECOUNT_SECONDS:
            points = (await self._client.count(self._opened(), exact=False)).count
            self._exact, self._counted_at = points <= EXACT_UP_TO, self._clock()
        return self._exact


def _point(point: Point) -> models.PointStruct:
    terms = models.SparseVector(indices=list(point.sparse.indices), values=list(point.sparse.values))
    vectors = {DENSE: point.dense.tolist(), SPARSE: terms}
    return models.PointStruct(id=str(point.chunk_id), vector=vectors, payload=payload_of(point))

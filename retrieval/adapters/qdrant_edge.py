"""The embedded vector store as the rest of Lastro sees it: a client of the index process, which owns the files."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID

from retrieval.access import Access
from retrieval.adapters.chunk_counts import count_chunks
from retrieval.adapters.edge_connections import Connections
from retrieval.adapters.edge_frames import Wire, result_of
from retrieval.adapters.edge_values import pack_access, pack_identity, pack_point, pack_query, unpack_hits
from retrieval.adapters.vector_checks import check_points, check_query
from retrieval.errors import StoreUnavailable
from retrieval.model import IndexIdentity, Point, StoredDocument, StoreHits, StoreQuery

# One frame's worth: a write of this size keeps a search that arrives meanwhile waiting for about 10 ms.
BATCH = 256
SCANNED_AT_ONCE = 2_000


class EdgeVectorStore:
    """Implements `VectorStore` over the socket of an index process.

    In seconds: `deadline` is how long one answer may take; `search_patience` and `write_patience` how long a call tries
    to reach a process that is away, the longer one bridging a restart. Every call may be repeated without harm.
    """

    def __init__(
        self,
        socket_path: Path,
        *,
        deadline: float = 30.0,
        search_patience: float = 2.0,
        write_patience: float = 10.0,
    ) -> None:
        self._connections = Connections(socket_path)
        self._deadline = deadline
        self._search_patience = search_patience
        self._write_patience = write_patience
        self._dimensions: int | None = None

    async def open(self, identity: IndexIdentity) -> None:
        """Make or open the index. Raises WrongEmbedder, DiskFull, StoreUnavailable."""
        await self._call(["open", pack_identity(identity)], self._write_patience)
        self._dimensions = identity.embedder.dimensions

    async def search(self, query: StoreQuery) -> StoreHits:
        """Both rankings in one request. Raises StoreUnavailable, InvalidVector."""
        check_query(query, self._opened())
        return unpack_hits(await self._call(["search", pack_query(query)], self._search_patience))

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace by chunk id, in batches. Raises StoreUnavailable, InvalidVector, DiskFull."""
        check_points(points, self._opened())
        for start in range(0, len(points), BATCH):
            batch = [pack_point(point) for point in points[start : start + BATCH]]
            await self._call(["upsert", batch], self._write_patience)

    async def remove(self, document: UUID, *, keep_version: str | None = None) -> None:
        """Remove a document's points, but for those of `keep_version`."""
        self._opened()
        await self._call(["remove", document.bytes, keep_version], self._write_patience)

    async def relabel(self, document: UUID, access: Access) -> None:
        """Give all of a document's points another access."""
        self._opened()
        await self._call(["relabel", document.bytes, pack_access(access)], self._write_patience)

    async def flush(self) -> None:
        """Make everything written so far survive a loss of power."""
        self._opened()
        await self._call(["flush"], self._write_patience)

    async def documents(self) -> AsyncIterator[StoredDocument]:
        """Every version of every document; what is written meanwhile may be missing."""
        self._opened()
        chunks: list[tuple[UUID, str]] = []
        after = None
        while True:
            rows, after = await self._call(["scan", after, SCANNED_AT_ONCE], self._write_patience)
            chunks += [(UUID(bytes=document), version) for document, version in rows]
            if after is None:
                break
        for document in count_chunks(chunks):
            yield document

    async def count(self) -> int:
        """The number of points. Raises StoreUnavailable."""
        self._opened()
        return int(await self._call(["count"], self._search_patience))

    async def close(self) -> None:
        """Let go of the connections; the index process goes on."""
        self._dimensions = None
        await self._connections.close()

    def _opened(self) -> int:
        if self._dimensions is None:
            raise StoreUnavailable("The vector store is not open.")
        return self._dimensions

    async def _call(self, request: Wire, patience: float) -> Wire:
        give_up = asyncio.get_running_loop().time() + patience
        pause = 0.02
        while True:
            try:
                async with asyncio.timeout(self._deadline):
                    return result_of(await self._connections.exchange(request))
            except TimeoutError as error:
                raise StoreUnavailable(f"The index process took more than {self._deadline:g} s to answer.") from error
            except (OSError, EOFError) as error:
                # The process died: so did every other connection to it.
                await self._connections.close()
                if asyncio.get_running_loop().time() + pause > give_up:
                    raise StoreUnavailable("The index process does not run.") from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.25)

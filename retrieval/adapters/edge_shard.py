"""The embedded Qdrant engine behind plain calls: what the index process does.

No HNSW: a graph loses hits under a filter of medium width (recall 0.4 measured at 13 % of the points), a scan loses
none and takes 3 ms of CPU at 100,000 chunks of 384 dimensions. Above 200,000 chunks the scan grows past 20 ms: use a
Qdrant server then, which has the graph with the settings that keep recall.
"""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import qdrant_edge as engine

from retrieval.access import Access
from retrieval.adapters.edge_folder import EdgeFolder
from retrieval.adapters.edge_queries import search, versions_of
from retrieval.adapters.edge_schema import configuration, engine_errors, engine_point, make_shard
from retrieval.adapters.point_payload import access_payload
from retrieval.adapters.vector_checks import check_points, check_query
from retrieval.errors import DiskFull, IndexDamaged, LastroError, StoreUnavailable, WrongEmbedder
from retrieval.model import IndexIdentity, Point, StoreHits, StoreQuery

# The write-ahead log and one new page of each storage need about this much; a full disk under a mapped file is a crash.
LEAST_FREE_BYTES = 192 * 1024 * 1024


class EdgeShard:
    """One index on disk, used by one thread at a time. Constructing takes the folder, `close()` gives it back.

    Raises DataFolderInUse and IndexDamaged when it is constructed; StoreUnavailable from every call before `open()`
    made an index. An acknowledged write survives the death of the process, and after `flush()` the loss of power.
    """

    def __init__(self, folder: Path, *, least_free_bytes: int = LEAST_FREE_BYTES) -> None:
        self._least_free_bytes = least_free_bytes
        self._folder = EdgeFolder(folder)
        self._shard: engine.EdgeShard | None = None
        try:
            self._identity = self._folder.identity()
            if self._identity is not None:
                self._load(self._identity)
        except LastroError:
            self._folder.release()
            raise

    def open(self, identity: IndexIdentity) -> None:
        """Make the index, or see that it is the right one. Raises WrongEmbedder, DiskFull."""
        if self._identity is None:
            self._check_disk()
            self._folder.make(identity, lambda path: make_shard(path, identity))
            self._load(identity)
            self._identity = identity
        elif self._identity != identity:
            raise WrongEmbedder(f"The index was built with {self._identity}, the configuration says {identity}.")

    def search(self, query: StoreQuery) -> StoreHits:
        """Both rankings in one call of the engine, each exact."""
        shard, dimensions = self._opened()
        check_query(query, dimensions)
        return search(shard, query)

    def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace by chunk id, all or none. Raises InvalidVector, DiskFull."""
        shard, dimensions = self._opened()
        check_points(points, dimensions)
        self._check_disk()
        if points:
            with engine_errors():
                shard.update(engine.UpdateOperation.upsert_points([engine_point(point) for point in points]))

    def remove(self, document: UUID, keep_version: str | None) -> None:
        """Remove a document's points, but for those of `keep_version`."""
        shard, _ = self._opened()
        doomed = versions_of(document, but=keep_version)
        with engine_errors():
            shard.update(engine.UpdateOperation.delete_points_by_filter(doomed))

    def relabel(self, document: UUID, access: Access) -> None:
        """Give all of a document's points another access."""
        shard, _ = self._opened()
        its_points = versions_of(document, but=None)
        with engine_errors():
            shard.update(engine.UpdateOperation.set_payload_by_filter(its_points, access_payload(access)))

    def flush(self) -> None:
        """Write everything to disk, and rebuild segments once a fifth of their points was removed (3 s at 100,000)."""
        shard, _ = self._opened()
        with engine_errors():
            shard.flush()
            if shard.optimize():
                shard.flush()

    def scan(self, after: UUID | None, limit: int) -> tuple[list[tuple[UUID, str]], UUID | None]:
        """Document and version of up to `limit` points in the order of their ids, and where to go on."""
        shard, _ = self._opened()
        wanted = engine.PayloadSelector.Include(["document_id", "version"])
        with engine_errors():
            records, offset = shard.scroll(engine.ScrollRequest(offset=after, limit=limit, with_payload=wanted))
        rows = [(record.payload or {}) for record in records]
        return [(UUID(row["document_id"]), row["version"]) for row in rows], None if offset is None else UUID(
            str(offset)
        )

    def count(self) -> int:
        """The number of points."""
        shard, _ = self._opened()
        with engine_errors():
            return shard.count(engine.CountRequest(exact=True))

    def close(self) -> None:
        """Flush, close and give the folder back; closing twice is harmless."""
        try:
            if self._shard is not None:
                with engine_errors():
                    self._shard.flush()
                    self._shard.close()
        finally:
            self._shard = None
            self._folder.release()

    def _opened(self) -> tuple[engine.EdgeShard, int]:
        if self._shard is None or self._identity is None:
            raise StoreUnavailable("The index has not been opened yet.")
        return self._shard, self._identity.embedder.dimensions

    def _load(self, identity: IndexIdentity) -> None:
        try:
            with engine_errors():
                self._shard = engine.EdgeShard.load(str(self._folder.shard), configuration(identity))
        except StoreUnavailable as error:
            raise IndexDamaged(f"The index in {self._folder.shard} cannot be loaded: {error.message}") from error

    def _check_disk(self) -> None:
        if self._folder.free_bytes() < self._least_free_bytes:
            raise DiskFull(f"Less than {self._least_free_bytes >> 20} MiB are free on the disk of the index.")

"""Chunks into the vector store, in batches: a long document then needs no more memory than a short one."""

import asyncio
from collections.abc import Sequence

from retrieval.access import Access
from retrieval.model import Chunk, Point
from retrieval.ports import Embedder, SparseEncoder, VectorWriter

# Also what one call of a remote embedder carries.
BATCH = 64


class Indexer:
    """Writes points. Nothing of it can be found before the catalogue knows the version."""

    def __init__(self, *, vectors: VectorWriter, embedder: Embedder, sparse: SparseEncoder) -> None:
        self._vectors = vectors
        self._embedder = embedder
        self._sparse = sparse
        self._flushing = asyncio.Lock()
        self._asked = 0
        self._done = 0

    async def index(self, chunks: Sequence[Chunk], access: Access) -> None:
        """Write the chunks' points durably. May be repeated; raises EmbedderUnavailable, StoreUnavailable, DiskFull."""
        for start in range(0, len(chunks), BATCH):
            await self._vectors.upsert(await self._points(chunks[start : start + BATCH], access))
        await self._flush()

    async def _flush(self) -> None:
        """One flush serves all who wait for one: it is by far the dearest step of a short document."""
        self._asked += 1
        mine = self._asked
        async with self._flushing:
            if self._done < mine:
                covered = self._asked
                await self._vectors.flush()
                self._done = covered

    async def _points(self, chunks: Sequence[Chunk], access: Access) -> list[Point]:
        dense = await self._embedder.embed_passages([chunk.encoded_text for chunk in chunks])
        encode = self._sparse.encode_passage
        sparse = await asyncio.to_thread(lambda: [encode(chunk.encoded_text, chunk.language) for chunk in chunks])
        return [
            Point(chunk.id, chunk.document_id, chunk.version, chunk.n, access, vector, terms)
            for chunk, vector, terms in zip(chunks, dense, sparse, strict=True)
        ]

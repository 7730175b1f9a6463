"""Chunks become points in batches, and writers share what is dear."""

import asyncio
from uuid import UUID

import pytest

from retrieval.access import Access, LabelScale
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.memory_encoders import MemoryEmbedder
from retrieval.errors import StoreUnavailable
from retrieval.indexing import BATCH, Indexer
from retrieval.model import Chunk, Point, chunk_id

DOCUMENT = UUID(int=1)
OPEN = Access("acme", frozenset({"everyone"}), LabelScale().lowest)


class Noting:
    """A store that notes what it is asked; flushing takes a while."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.points: list[Point] = []
        self.durable = 0
        self.flushes = 0
        self.broken = False

    async def upsert(self, points) -> None:
        self.batches.append(len(points))
        self.points += points

    async def flush(self) -> None:
        self.flushes += 1
        written = len(self.points)
        await asyncio.sleep(0.01)
        if self.broken:
            raise StoreUnavailable
        self.durable = written


def chunks(count: int, version: str = "v") -> list[Chunk]:
    return [
        Chunk(chunk_id(DOCUMENT, version, n), DOCUMENT, version, n, 0, 5, f"férias {n}", "Guia", language="pt")
        for n in range(count)
    ]


def indexer(store: Noting) -> Indexer:
    return Indexer(vectors=store, embedder=MemoryEmbedder(), sparse=Bm25Encoder())  # type: ignore[arg-type]


async def test_points_carry_what_filters_need_and_are_made_from_title_and_text() -> None:
    store = Noting()
    (chunk,) = chunks(1)
    await indexer(store).index([chunk], OPEN)
    (point,) = store.points
    assert (point.chunk_id, point.document_id, point.version, point.n, point.access) == (
        chunk.id,
        DOCUMENT,
        "v",
        0,
        OPEN,
    )
    assert point.sparse == Bm25Encoder().encode_passage("Guia\nférias 0", "pt")
    assert (point.dense == (await MemoryEmbedder().embed_passages(["Guia\nférias 0"]))[0]).all()


async def test_long_documents_go_in_batches_in_order_and_are_flushed_once() -> None:
    store = Noting()
    await indexer(store).index(chunks(2 * BATCH + 3), OPEN)
    assert store.batches == [BATCH, BATCH, 3]
    assert [point.n for point in store.points] == list(range(2 * BATCH + 3))
    assert (store.flushes, store.durable) == (1, 2 * BATCH + 3)


async def test_writers_share_a_flush_but_none_returns_before_its_own_points_are_durable() -> None:
    store = Noting()
    one = indexer(store)

    async def write(n: int) -> None:
        await one.index(chunks(1, f"v{n}"), OPEN)
        place = next(i for i, point in enumerate(store.points) if point.version == f"v{n}")
        assert store.durable > place

    await asyncio.gather(*(write(n) for n in range(20)))
    assert store.flushes < 20
    before = store.flushes
    await write(99)
    assert store.flushes == before + 1


async def test_a_flush_that_fails_fails_every_writer_it_was_for() -> None:
    store = Noting()
    store.broken = True
    one = indexer(store)
    results = await asyncio.gather(*(one.index(chunks(1, f"v{n}"), OPEN) for n in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    store.broken = False
    await one.index(chunks(1), OPEN)
    assert store.durable == 4


async def test_nothing_to_write_is_no_trouble() -> None:
    store = Noting()
    await indexer(store).index([], OPEN)
    assert store.batches == []


@pytest.mark.parametrize("size", [1, BATCH, BATCH + 1])
async def test_writing_again_makes_the_same_points(size: int) -> None:
    store = Noting()
    one = indexer(store)
    await one.index(chunks(size), OPEN)
    await one.index(chunks(size), OPEN)
    first, second = store.points[:size], store.points[size:]
    assert [point.chunk_id for point in first] == [point.chunk_id for point in second]
    assert all((a.dense == b.dense).all() and a.sparse == b.sparse for a, b in zip(first, second, strict=True))

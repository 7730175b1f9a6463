"""The client of the index process against scripted ones: waiting, giving up, trying again, and never mixing answers."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from retrieval.access import Access, LabelScale, ReaderFilter
from retrieval.adapters.edge_connections import IDLE_KEPT
from retrieval.adapters.edge_frames import Wire, failure_answer, frame_of, read_frame
from retrieval.adapters.qdrant_edge import BATCH, EdgeVectorStore
from retrieval.errors import DiskFull, InvalidVector, PermanentFailure, StoreUnavailable, WrongEmbedder
from retrieval.model import (
    EmbedderIdentity,
    IndexIdentity,
    Point,
    SparseVector,
    StoredDocument,
    StoreQuery,
    chunk_id,
    document_id,
)

IDENTITY = IndexIdentity(EmbedderIdentity("e5", 2, 512), "bm25/1")
DOCUMENT = document_id("acme", "files", "a")
VECTOR = np.ones(2, dtype=np.float32)
QUERY = StoreQuery(ReaderFilter("acme", frozenset({"everyone"}), frozenset({"public"})), VECTOR, None)

Script = Callable[[Wire], Awaitable[Wire]]


class Process:
    """Answers as scripted, and remembers what it was asked and how many connected."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path = path
        self.script = script
        self.requests: list[Wire] = []
        self.connections = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Process"]:
        conversations: set[asyncio.StreamWriter] = set()

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            conversations.add(writer)
            try:
                while True:
                    request = await read_frame(reader)
                    self.requests.append(request)
                    answer = await self.script(request)
                    if answer == "hang up":
                        break
                    writer.write(frame_of(answer))
            except (EOFError, ConnectionError):
                pass
            finally:
                writer.close()

        self.path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(converse, self.path)
        yield self
        server.close()
        for writer in conversations:
            writer.close()
        await asyncio.sleep(0)


async def fine(request: Wire) -> Wire:
    return ["ok", {"open": None, "count": 7, "search": [[], []], "scan": [[], None]}.get(request[0])]


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lastro-") as folder:
        yield Path(folder) / "s"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[EdgeVectorStore]:
    made = EdgeVectorStore(path, deadline=0.3, search_patience=0.2, write_patience=2.0)
    yield made
    await made.close()


def points(count: int) -> list[Point]:
    access, empty = Access("acme", frozenset(), LabelScale().highest), SparseVector((), ())
    return [Point(chunk_id(DOCUMENT, "v", n), DOCUMENT, "v", n, access, VECTOR, empty) for n in range(count)]


async def test_a_write_waits_for_a_process_that_is_being_started_again(path: Path, store: EdgeVectorStore) -> None:
    async with Process(path, fine).running():
        await store.open(IDENTITY)
    writing = asyncio.create_task(store.upsert(points(1)))
    await asyncio.sleep(0.4)
    assert not writing.done()
    async with Process(path, fine).running() as process:
        await writing
        assert [request[0] for request in process.requests] == ["upsert"]


async def test_a_write_that_was_cut_off_is_sent_again(path: Path, store: EdgeVectorStore) -> None:
    answers = iter(["hang up", "hang up", ["ok", None]])

    async def script(request: Wire) -> Wire:
        return next(answers) if request[0] == "remove" else await fine(request)

    async with Process(path, script).running() as process:
        await store.open(IDENTITY)
        await store.remove(DOCUMENT, keep_version="v")
        assert process.requests[1:] == [["remove", DOCUMENT.bytes, "v"]] * 3


async def test_a_search_gives_up_sooner(path: Path, store: EdgeVectorStore) -> None:
    async with Process(path, fine).running():
        await store.open(IDENTITY)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="does not run"):
        await store.search(QUERY)
    assert 0.1 < time.monotonic() - began < 1.5


async def test_a_write_gives_up_in_the_end(path: Path) -> None:
    store = EdgeVectorStore(path, write_patience=0.1)
    with pytest.raises(StoreUnavailable, match="does not run") as failure:
        await store.open(IDENTITY)
    assert isinstance(failure.value.__cause__, OSError)


async def test_an_answer_that_takes_too_long_is_not_waited_for(path: Path, store: EdgeVectorStore) -> None:
    async def script(request: Wire) -> Wire:
        await asyncio.sleep(0 if request[0] == "open" else 5)
        return ["ok", None]

    async with Process(path, script).running() as process:
        await store.open(IDENTITY)
        with pytest.raises(StoreUnavailable, match=r"more than 0\.3 s"):
            await store.flush()
        assert len(process.requests) == 2


async def test_overload_is_passed_on_at_once(path: Path, store: EdgeVectorStore) -> None:
    async def script(request: Wire) -> Wire:
        return await fine(request) if request[0] == "open" else failure_answer(StoreUnavailable("too much"))

    async with Process(path, script).running() as process:
        await store.open(IDENTITY)
        for call in (store.count, store.flush, lambda: store.search(QUERY), lambda: store.upsert(points(1))):
            with pytest.raises(StoreUnavailable, match="too much"):
                await call()
        assert len(process.requests) == 5


@pytest.mark.parametrize("kind", [WrongEmbedder, DiskFull, InvalidVector, PermanentFailure])
async def test_failures_arrive_as_what_they_are(path: Path, store: EdgeVectorStore, kind: type[Exception]) -> None:
    async def script(request: Wire) -> Wire:
        return failure_answer(kind("why"))  # type: ignore[arg-type]

    async with Process(path, script).running():
        with pytest.raises(kind, match="why"):
            await store.open(IDENTITY)
        with pytest.raises(StoreUnavailable, match="not open"):
            await store.count()


async def test_a_call_that_was_given_up_leaves_no_answer_for_the_next(path: Path, store: EdgeVectorStore) -> None:
    slow = asyncio.Event()

    async def script(request: Wire) -> Wire:
        if request[0] == "count" and not slow.is_set():
            slow.set()
            await asyncio.sleep(0.05)
            return ["ok", 666]
        return await fine(request)

    async with Process(path, script).running():
        await store.open(IDENTITY)
        call = asyncio.create_task(store.count())
        await slow.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        for _ in range(3):
            assert await store.count() == 7
            await asyncio.sleep(0.03)


async def test_calls_run_side_by_side_and_few_connections_are_kept(path: Path, store: EdgeVectorStore) -> None:
    async def script(request: Wire) -> Wire:
        await asyncio.sleep(0.02)
        return await fine(request)

    async with Process(path, script).running() as process:
        await store.open(IDENTITY)
        began = time.monotonic()
        assert await asyncio.gather(*(store.count() for _ in range(20))) == [7] * 20
        assert time.monotonic() - began < 0.3
        before = process.connections
        for _ in range(IDLE_KEPT):
            await store.count()
        assert process.connections == before


async def test_points_travel_in_batches(path: Path, store: EdgeVectorStore) -> None:
    async with Process(path, fine).running() as process:
        await store.open(IDENTITY)
        await store.upsert(points(2 * BATCH + 1))
        await store.upsert([])
        assert [len(request[1]) for request in process.requests[1:]] == [BATCH, BATCH, 1]


async def test_a_bad_vector_is_not_even_sent(path: Path, store: EdgeVectorStore) -> None:
    async with Process(path, fine).running() as process:
        await store.open(IDENTITY)
        with pytest.raises(InvalidVector):
            await store.search(StoreQuery(QUERY.reader, np.ones(3, dtype=np.float32), None))
        assert len(process.requests) == 1


async def test_documents_are_scanned_to_the_end_and_counted(path: Path, store: EdgeVectorStore) -> None:
    pages = iter([[[[DOCUMENT.bytes, "v"]] * 3, b"x" * 16], [[[DOCUMENT.bytes, "v"], [DOCUMENT.bytes, "w"]], None]])

    async def script(request: Wire) -> Wire:
        return ["ok", next(pages)] if request[0] == "scan" else await fine(request)

    async with Process(path, script).running() as process:
        await store.open(IDENTITY)
        found = [document async for document in store.documents()]
        assert found == [StoredDocument(DOCUMENT, "v", 4), StoredDocument(DOCUMENT, "w", 1)]
        assert [request[1] for request in process.requests[1:]] == [None, b"x" * 16]

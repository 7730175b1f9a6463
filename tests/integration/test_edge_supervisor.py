"""The real index process: killed at any moment it loses nothing that was acknowledged; it never outlives its parent."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import numpy as np
import psutil
import pytest

from retrieval.access import Access, LabelScale, ReaderFilter
from retrieval.adapters.edge_supervisor import EdgeProcess
from retrieval.adapters.qdrant_edge import EdgeVectorStore
from retrieval.errors import DataFolderInUse, IndexDamaged, PermanentFailure, StoreUnavailable
from retrieval.model import EmbedderIdentity, IndexIdentity, Point, SparseVector, StoreQuery, chunk_id, document_id

IDENTITY = IndexIdentity(EmbedderIdentity("e5", 32, 512), "bm25/1")
SCALE = LabelScale()
OPEN = Access("acme", frozenset({"everyone"}), SCALE.lowest)
CLOSED = Access("acme", frozenset({"group:hr"}), SCALE.lowest)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lastro-") as made:
        yield Path(made)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[EdgeProcess, EdgeVectorStore]]:
    async with EdgeProcess(folder / "index", folder / "s", pauses=(0.05,)) as process:
        store = EdgeVectorStore(folder / "s")
        await store.open(IDENTITY)
        yield process, store
        await store.close()


def document(number: int) -> UUID:
    return document_id("acme", "files", str(number))


def points(number: int, count: int, version: str = "v") -> list[Point]:
    chance = np.random.default_rng(number)
    rows = chance.standard_normal((count, 32)).astype(np.float32)
    terms = SparseVector((number, 10**6), (1.0, 0.5))
    return [
        Point(chunk_id(document(number), version, n), document(number), version, n, OPEN, row, terms)
        for n, row in enumerate(rows)
    ]


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def gone(pid: int, within: float = 10.0) -> bool:
    give_up = time.monotonic() + within
    while alive(pid) and time.monotonic() < give_up:  # noqa: ASYNC110 -- another process sets no event
        await asyncio.sleep(0.02)
    return not alive(pid)


async def kill_now_and_then(folder: Path, rounds: int) -> None:
    """Kill whatever serves the folder, also while it is only starting."""
    chance = np.random.default_rng(7)
    for _ in range(rounds):
        await asyncio.sleep(float(chance.uniform(0.05, 0.8)))
        for child in psutil.Process().children():
            if alive(child.pid) and str(folder / "index") in child.cmdline():
                child.kill()


async def write_until(stop: asyncio.Event, store: EdgeVectorStore, acknowledged: dict[int, str]) -> None:
    """Writes, relabels and removes documents, and notes the state of each as soon as a call has returned."""
    number = 0
    while not stop.is_set():
        number += 1
        await store.upsert(points(number, 40))
        acknowledged[number] = "open"
        if number % 3 == 0:
            acknowledged.pop(number)
            await store.relabel(document(number), CLOSED)
            acknowledged[number] = "closed"
        if number % 4 == 0:
            acknowledged.pop(number)
            await store.remove(document(number))
            acknowledged[number] = "removed"
        if number % 25 == 0:
            await store.flush()


@pytest.mark.slow
async def test_no_acknowledged_change_is_lost_when_the_process_is_killed_again_and_again(folder: Path) -> None:
    acknowledged: dict[int, str] = {}
    async with running(folder) as (_, store):
        stop = asyncio.Event()
        writing = asyncio.create_task(write_until(stop, store, acknowledged))
        await kill_now_and_then(folder, rounds=10)
        stop.set()
        await writing
    assert len(acknowledged) > 20
    async with running(folder) as (_, store):
        held = {each.document_id: each.chunks async for each in store.documents()}
        expected = {document(number) for number, state in acknowledged.items() if state != "removed"}
        assert held == dict.fromkeys(expected, 40)
        everyone = ReaderFilter("acme", frozenset({"everyone"}), frozenset({"public"}))
        hits = await store.search(StoreQuery(everyone, points(1, 1)[0].dense, SparseVector((10**6,), (1.0,)), 100_000))
        visible = {
            point.chunk_id for number, state in acknowledged.items() if state == "open" for point in points(number, 40)
        }
        assert {hit.chunk_id for hit in hits.dense} == visible
        assert {hit.chunk_id for hit in hits.sparse} == visible


async def test_a_process_that_dies_is_started_again_and_callers_hardly_notice(folder: Path) -> None:
    async with running(folder) as (process, store):
        await store.upsert(points(1, 10))
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await store.upsert(points(2, 10))
        assert await store.count() == 20
        assert process.pid != first


async def test_a_clean_stop_ends_the_process_and_removes_nothing(folder: Path) -> None:
    async with running(folder) as (process, store):
        pid = process.pid
        await store.upsert(points(1, 10))
    assert pid is not None
    assert not alive(pid)
    assert process.pid is None
    await process.stop()
    async with running(folder) as (_, store):
        assert await store.count() == 10


async def test_the_index_and_its_socket_are_the_owner_s_alone(folder: Path) -> None:
    async with running(folder):
        assert (folder / "s").stat().st_mode & 0o077 == 0
        assert (folder / "index" / "index" / "identity.json").stat().st_mode & 0o077 == 0


async def test_a_second_process_on_the_same_folder_is_refused(folder: Path) -> None:
    async with running(folder) as (_, store):
        with pytest.raises(DataFolderInUse, match="Another process"):
            await EdgeProcess(folder / "index", folder / "t").start()
        assert await store.count() == 0


async def test_a_damaged_index_is_reported_at_the_start(folder: Path) -> None:
    async with running(folder):
        pass
    (folder / "index" / "index" / "identity.json").write_text("{")
    with pytest.raises(IndexDamaged):
        await EdgeProcess(folder / "index", folder / "s").start()


async def test_a_process_that_says_nothing_is_given_up(folder: Path) -> None:
    process = EdgeProcess(folder / "index", folder / "s", ready_within=0.001)
    with pytest.raises(StoreUnavailable, match="before it was ready"):
        await process.start()
    assert process.pid is None
    await process.stop()


async def test_a_process_that_does_not_end_is_killed(folder: Path) -> None:
    process = EdgeProcess(folder / "index", folder / "s", stop_within=0.1)
    await process.start()
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await process.stop()
    assert not alive(pid)


async def test_what_fails_to_start_again_is_tried_again(folder: Path) -> None:
    identity = folder / "index" / "index" / "identity.json"
    async with running(folder) as (process, store):
        whole, first = identity.read_text(), process.pid
        identity.write_text("{")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        with pytest.raises(StoreUnavailable):
            await store.count()
        identity.write_text(whole)
        await store.flush()
        assert await store.count() == 0


def test_a_socket_path_that_is_too_long_is_refused_with_the_remedy() -> None:
    with pytest.raises(PermanentFailure, match="more than 107 bytes") as failure:
        EdgeProcess(Path("/tmp/index"), Path("/tmp") / ("x" * 110))
    assert "shorter path" in failure.value.hint


PARENT = """
import asyncio, sys
from pathlib import Path
from retrieval.adapters.edge_supervisor import EdgeProcess

async def main():
    process = EdgeProcess(Path(sys.argv[1]) / "index", Path(sys.argv[1]) / "s")
    await process.start()
    print(process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_the_process_ends_when_its_parent_is_killed(folder: Path) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, folder, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    assert alive(child)
    parent.kill()
    await parent.wait()
    assert await gone(child)


async def test_a_search_during_heavy_writing_is_answered_soon(folder: Path) -> None:
    everyone = ReaderFilter("acme", frozenset({"everyone"}), frozenset({"public"}))
    async with running(folder) as (_, store):
        await store.upsert(points(1, 5))
        writing = asyncio.create_task(store.upsert(points(2, 5000)))
        waits = []
        while not writing.done():
            began = time.monotonic()
            await store.search(StoreQuery(everyone, points(1, 1)[0].dense, None, 10))
            waits.append(time.monotonic() - began)
        await writing
        # A search waits for the batch that is being written, not for all of them.
        assert len(waits) >= 3
        assert await store.count() == 5005

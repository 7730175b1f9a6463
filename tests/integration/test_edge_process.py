"""The index process's own part, run inside the test: its queue, its manners with bad callers, its end."""

import asyncio
import json
import os
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from retrieval.access import Access, LabelScale
from retrieval.adapters import edge_process
from retrieval.adapters.edge_frames import Wire, frame_of, read_frame
from retrieval.adapters.edge_process import EdgeServer, carry_out
from retrieval.adapters.edge_shard import EdgeShard
from retrieval.adapters.qdrant_edge import EdgeVectorStore
from retrieval.errors import StoreUnavailable
from retrieval.model import EmbedderIdentity, IndexIdentity, Point, SparseVector, chunk_id, document_id

IDENTITY = IndexIdentity(EmbedderIdentity("e5", 2, 512), "bm25/1")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lastro-") as made:
        yield Path(made)


@pytest.fixture
def shard(folder: Path) -> Iterator[EdgeShard]:
    made = EdgeShard(folder / "index")
    made.open(IDENTITY)
    yield made
    made.close()


@pytest.fixture
async def socket(folder: Path, shard: EdgeShard) -> AsyncIterator[Path]:
    stop, ready = asyncio.Event(), asyncio.Event()
    (folder / "s").write_text("left over")
    serving = asyncio.create_task(EdgeServer(shard, queue_length=2).serve(folder / "s", stop, ready.set))
    await ready.wait()
    yield folder / "s"
    stop.set()
    await serving


async def exchange(path: Path, *frames: bytes) -> list[Wire]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"".join(frames))
    answers = []
    try:
        for _ in frames:
            answers.append(await read_frame(reader))
    except EOFError:
        pass
    writer.close()
    await writer.wait_closed()
    return answers


async def test_requests_on_one_connection_are_answered_in_order(socket: Path) -> None:
    frames = [frame_of(["count"]), frame_of(["scan", None, 5]), frame_of(["flush"])]
    assert await exchange(socket, *frames) == [["ok", 0], ["ok", [[], None]], ["ok", None]]


async def test_what_is_not_understood_is_answered_and_harms_nobody(socket: Path) -> None:
    for request in (["drop_everything"], ["count", 1], [], None, 7, {"a": 1}, ["search", [1, 2]], ["upsert", "x"]):
        [[state, code, _]] = await exchange(socket, frame_of(request))
        assert (state, code) == ("failed", "permanent_failure")
    assert await exchange(socket, frame_of(["count"])) == [["ok", 0]]


async def test_a_filter_with_an_empty_condition_is_not_searched_with(socket: Path) -> None:
    query = ["acme", [], ["public"], np.ones(2, dtype=np.float32).tobytes(), None, 10]
    [[state, _, message]] = await exchange(socket, frame_of(["search", query]))
    assert state == "failed"
    assert "empty condition" in message


async def test_garbage_ends_its_own_connection_only(socket: Path) -> None:
    assert await exchange(socket, b"GET / HTTP/1.1\r\n\r\n") == []
    assert await exchange(socket, b"\x00\x00\x00\x01\xc1") == []
    assert await exchange(socket, frame_of(["count"])) == [["ok", 0]]


async def test_a_caller_that_goes_away_early_harms_nobody(socket: Path) -> None:
    for _ in range(5):
        _, writer = await asyncio.open_unix_connection(socket)
        writer.write(frame_of(["count"])[:-1])
        writer.close()
        await writer.wait_closed()
    assert await exchange(socket, frame_of(["count"])) == [["ok", 0]]


async def test_more_work_than_the_queue_holds_is_turned_away_at_once(folder: Path, shard: EdgeShard) -> None:
    server = EdgeServer(shard, queue_length=2)
    waiting = [asyncio.create_task(server._answer(["count"])) for _ in range(5)]
    await asyncio.sleep(0)
    refused = [task for task in waiting if task.done()]
    assert len(refused) == 3
    assert {task.result()[1] for task in refused} == {StoreUnavailable.code}
    working = asyncio.create_task(server._work())
    answers = await asyncio.gather(*waiting)
    assert answers.count(["ok", 0]) == 2
    working.cancel()


async def test_work_that_nobody_waits_for_any_more_is_skipped(shard: EdgeShard) -> None:
    server = EdgeServer(shard)
    given_up = asyncio.create_task(server._answer(["no such operation"]))
    await asyncio.sleep(0)
    given_up.cancel()
    wanted = asyncio.create_task(server._answer(["count"]))
    working = asyncio.create_task(server._work())
    assert await wanted == ["ok", 0]
    working.cancel()


async def test_callers_learn_that_the_server_stopped(folder: Path, shard: EdgeShard) -> None:
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(EdgeServer(shard).serve(folder / "s", stop, ready.set))
    await ready.wait()
    store = EdgeVectorStore(folder / "s", search_patience=0.1)
    await store.open(IDENTITY)
    stop.set()
    await serving
    with pytest.raises(StoreUnavailable, match="does not run"):
        await store.count()
    await store.close()


def test_the_same_upsert_carried_out_twice_changes_nothing(shard: EdgeShard) -> None:
    document = document_id("acme", "files", "a")
    access = Access("acme", frozenset({"everyone"}), LabelScale().lowest)
    point = Point(
        chunk_id(document, "v", 0), document, "v", 0, access, np.ones(2, dtype=np.float32), SparseVector((), ())
    )
    request = ["upsert", [edge_process_point(point)]]
    assert carry_out(shard, request) == carry_out(shard, request) == ["ok", None]
    assert carry_out(shard, ["count"]) == ["ok", 1]


def edge_process_point(point: Point) -> Wire:
    return [
        point.chunk_id.bytes,
        point.document_id.bytes,
        point.version,
        point.n,
        ["acme", ["everyone"], 0, "public"],
        point.dense.tobytes(),
        [[], []],
    ]


def run_main(folder: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> int:
    """The whole process but for the fork: standard input is a pipe that the test closes, or the signal comes."""
    reading, writing = os.pipe()
    interrupt, mask = signal.getsignal(signal.SIGINT), os.umask(0o022)

    def finish() -> None:
        if end == "signal":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            os.close(writing)

    timer = threading.Timer(0.3, finish)
    timer.start()
    with os.fdopen(reading) as standard_input:
        monkeypatch.setattr("sys.stdin", standard_input)
        code = edge_process.main(["--folder", str(folder / "index"), "--socket", str(folder / "s")])
        timer.join()
        if end == "signal":
            os.close(writing)
    signal.signal(signal.SIGINT, interrupt)
    os.umask(mask)
    return code


@pytest.mark.parametrize("end", ["stdin", "signal"])
def test_the_process_ends_cleanly_when_its_parent_is_gone_and_at_sigterm(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    assert run_main(folder, monkeypatch, end) == 0
    assert json.loads(capsys.readouterr().out) == {"state": "ready"}
    EdgeShard(folder / "index").close()


def test_a_process_that_cannot_start_says_why(
    folder: Path, shard: EdgeShard, capsys: pytest.CaptureFixture[str]
) -> None:
    code = edge_process.main(["--folder", str(folder / "index"), "--socket", str(folder / "s")])
    assert code == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], said["code"]) == ("failed", "data_folder_in_use")

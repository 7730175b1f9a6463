"""What the queue on DBOS does beyond its contract: fair to small calls, silent, closed to the network, patient."""

import asyncio
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest
from structlog.testing import capture_logs

from ingest.adapters.dbos_database import QueueDatabase, evenly
from ingest.adapters.dbos_jobs import DbosJobQueue
from ingest.adapters.dbos_worker import Handle
from ingest.adapters.worker_slots import FileSlots, first_free
from retrieval.errors import PermanentFailure, StoreRefused, StoreUnavailable


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[DbosJobQueue]:
    opened = DbosJobQueue.in_file(tmp_path / "queue.db", polling_interval=0.02, concurrency=2, recovery_interval=0.1)
    yield opened
    await opened.close()


@asynccontextmanager
async def working(queue: DbosJobQueue, handle: Handle) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(queue.work(handle))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def ids(count: int) -> list[UUID]:
    return [uuid4() for _ in range(count)]


async def test_a_single_file_does_not_wait_behind_an_import_of_hundreds(queue: DbosJobQueue) -> None:
    many, one = ids(200), uuid4()
    begun: set[UUID] = set()
    arrived, release = asyncio.Event(), asyncio.Event()

    async def handle(job: UUID) -> None:
        begun.add(job)
        if job == one:
            arrived.set()
        else:
            await release.wait()

    await queue.enqueue(many)
    await queue.enqueue([one])
    async with working(queue, handle):
        await asyncio.wait_for(arrived.wait(), 20)
        assert len(begun) <= 1 + 2
        release.set()


async def test_as_many_jobs_run_at_once_as_there_are_places_and_no_more(queue: DbosJobQueue) -> None:
    running, most, done = 0, 0, asyncio.Event()
    left = set(many := ids(64))

    async def handle(job: UUID) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        left.discard(job)
        if not left:
            done.set()

    await queue.enqueue(many)
    async with working(queue, handle):
        await asyncio.wait_for(done.wait(), 30)
    assert most == 2


async def test_it_opens_no_port_and_writes_nothing_on_the_console(
    queue: DbosJobQueue, capfd: pytest.CaptureFixture[str]
) -> None:
    done = asyncio.Event()

    async def handle(_: UUID) -> None:
        done.set()

    with capture_logs() as logged:
        await queue.enqueue(ids(1))
        async with working(queue, handle):
            await asyncio.wait_for(done.wait(), 20)
            assert [c for c in psutil.Process().net_connections("inet") if c.status == psutil.CONN_LISTEN] == []
    assert capfd.readouterr() == ("", "")
    assert [entry["event"] for entry in logged] == ["worker_started", "worker_stopped"]


async def test_what_dbos_warns_of_is_in_our_log(queue: DbosJobQueue, capfd: pytest.CaptureFixture[str]) -> None:
    await queue.enqueue(ids(1))
    with capture_logs() as logged:
        logging.getLogger("dbos").warning("Queue %s is odd", "x")
        logging.getLogger("dbos").info("chatter")
    assert logged == [
        {
            "event": "queue_notice",
            "log_level": "warning",
            "severity": "warning",
            "notice": "Queue x is odd",
            "error": None,
        }
    ]
    assert capfd.readouterr() == ("", "")


async def test_a_process_has_one_worker_at_a_time_and_may_have_another_later(
    queue: DbosJobQueue, tmp_path: Path
) -> None:
    other = DbosJobQueue.in_file(tmp_path / "other.db", polling_interval=0.02)
    done = asyncio.Event()

    async def handle(_: UUID) -> None:
        done.set()

    await queue.enqueue(ids(1))
    async with working(queue, handle):
        await asyncio.wait_for(done.wait(), 20)
        with pytest.raises(PermanentFailure, match="has a worker already"):
            await other.work(handle)
    done.clear()
    await other.enqueue(ids(1))
    async with working(other, handle):
        await asyncio.wait_for(done.wait(), 20)
    await other.close()


async def test_a_worker_that_is_stopped_while_it_starts_leaves_the_process_ready_for_another(
    queue: DbosJobQueue,
) -> None:
    done = asyncio.Event()

    async def handle(_: UUID) -> None:
        done.set()

    for seconds in (0, 0.001, 0.02, 0.05):
        task = asyncio.create_task(queue.work(handle))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    await queue.enqueue(ids(1))
    async with working(queue, handle):
        await asyncio.wait_for(done.wait(), 20)


async def test_batches_that_are_over_are_tidied_away(queue: DbosJobQueue, tmp_path: Path) -> None:
    left = set(many := ids(50))

    async def handle(job: UUID) -> None:
        left.discard(job)

    await queue.enqueue(many)
    with sqlite3.connect(tmp_path / "queue.db") as file:
        assert file.execute("SELECT count(*) FROM workflow_status").fetchone() == (4,)
        async with working(queue, handle), asyncio.timeout(20):
            while file.execute("SELECT count(*) FROM workflow_status").fetchone() != (0,):  # noqa: ASYNC110 not ours
                await asyncio.sleep(0.05)
    file.close()
    assert not left


async def test_a_job_whose_batch_is_gone_can_be_enqueued_again(queue: DbosJobQueue, tmp_path: Path) -> None:
    jobs = ids(3)
    await queue.enqueue(jobs)
    with sqlite3.connect(tmp_path / "queue.db") as file:
        file.execute("UPDATE workflow_status SET status = 'ERROR'")
    file.close()
    await queue.enqueue(jobs[:2])
    seen: list[UUID] = []
    done = asyncio.Event()

    async def handle(job: UUID) -> None:
        seen.append(job)
        if len(seen) == 2:
            done.set()

    async with working(queue, handle):
        await asyncio.wait_for(done.wait(), 20)
        await asyncio.sleep(0.1)
    assert sorted(seen) == sorted(jobs[:2])


async def test_a_worker_waits_while_its_table_cannot_be_read_and_then_goes_on(
    queue: DbosJobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = ids(3)
    failures = ["to_run", "done", "left_by_others"]
    for method in failures:
        monkeypatch.setattr(QueueDatabase, method, failing_once(getattr(QueueDatabase, method)))
    await queue.enqueue(jobs)
    seen: list[UUID] = []
    done = asyncio.Event()

    async def handle(job: UUID) -> None:
        seen.append(job)
        if len(seen) == 3:
            done.set()

    with capture_logs() as logged:
        async with working(queue, handle):
            await asyncio.wait_for(done.wait(), 20)
            await asyncio.sleep(0.2)
    assert seen == jobs
    assert [entry["code"] for entry in logged if entry["event"] == "queue_waits"] == ["store_unavailable"] * 3


def failing_once(method: Callable[..., object]) -> Callable[..., object]:
    calls: list[int] = []

    def failing(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise StoreUnavailable
        return method(*arguments)

    return failing


async def test_a_worker_that_waits_for_its_database_can_be_stopped(
    queue: DbosJobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.Event()
    loop = asyncio.get_running_loop()

    def down(*_: object) -> bool:
        loop.call_soon_threadsafe(waiting.set)
        raise StoreUnavailable

    monkeypatch.setattr(QueueDatabase, "to_run", down)
    jobs = ids(3)
    await queue.enqueue(jobs)

    async def handle(_: UUID) -> None:
        done.set()

    done = asyncio.Event()
    async with working(queue, handle):
        await asyncio.wait_for(waiting.wait(), 20)
    assert not done.is_set()
    monkeypatch.undo()
    async with working(queue, handle):
        await asyncio.wait_for(done.wait(), 20)


@pytest.mark.parametrize("call", ["enqueue", "cancel", "work"])
async def test_a_database_that_does_not_answer_is_a_temporary_failure(call: str, tmp_path: Path) -> None:
    queue = DbosJobQueue(f"postgresql+psycopg://nobody@/none?host={tmp_path}")

    async def handle(_: UUID) -> None: ...

    calls = {"enqueue": queue.enqueue(ids(1)), "cancel": queue.cancel(uuid4()), "work": queue.work(handle)}
    for name, waiting in calls.items():
        if name == call:
            with pytest.raises(StoreUnavailable):
                await waiting
        else:
            waiting.close()
    await queue.close()


async def test_an_address_that_is_none_is_refused() -> None:
    queue = DbosJobQueue("oracle://somewhere/else")
    with pytest.raises(StoreRefused):
        await queue.enqueue(ids(1))
    await queue.close()


@pytest.mark.parametrize("count", [1, 4, 5, 16, 17, 100, 1_000])
def test_batches_are_few_and_of_nearly_one_size(count: int) -> None:
    jobs = [str(n) for n in range(count)]
    parts = list(evenly(jobs, 16))
    assert [job for part in parts for job in part] == jobs
    sizes = {len(part) for part in parts}
    assert max(sizes) <= 16
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == -(-count // 16)


def test_a_place_is_held_by_one_alone_and_free_when_its_holder_lets_go(tmp_path: Path) -> None:
    mine, theirs = FileSlots(tmp_path / "q.db"), FileSlots(tmp_path / "q.db")
    assert (first_free(mine), first_free(theirs)) == (1, 2)
    assert not mine.hold(1)
    assert not theirs.hold(1)
    mine.let_go(1)
    assert theirs.hold(1)
    mine.close()
    theirs.close()
    theirs.close()
    assert first_free(mine) == 1
    mine.close()


def test_a_place_is_free_as_soon_as_its_holder_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ingest.adapters.worker_slots import *\n"
        "slots = FileSlots(Path(sys.argv[1])); print(first_free(slots), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "q.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"1\n"
        mine = FileSlots(tmp_path / "q.db")
        assert not mine.hold(1)
        os.kill(holder.pid, 9)
        holder.wait()
        assert mine.hold(1)
        mine.close()


async def test_what_another_worker_began_is_taken_over_once_its_place_is_free_and_not_before(
    queue: DbosJobQueue, tmp_path: Path
) -> None:
    (job,) = ids(1)
    begun, done, release = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(_: UUID) -> None:
        begun.set()
        await release.wait()
        done.set()

    await queue.enqueue([job])
    async with working(queue, handle):
        await asyncio.wait_for(begun.wait(), 20)
    begun.clear()
    release.set()
    alive = FileSlots(tmp_path / "queue.db")
    assert alive.hold(1)
    async with working(queue, handle):
        await asyncio.sleep(1)
        assert not begun.is_set()
        alive.let_go(1)
        await asyncio.wait_for(done.wait(), 20)
    assert alive.hold(1)
    alive.close()

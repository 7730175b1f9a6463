"""What every queue of jobs promises: durable order to carry out, once, whatever is asked twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from ingest.adapters.dbos_jobs import DbosJobQueue
from ingest.adapters.memory import MemoryJobQueue
from ingest.adapters.worker_slots import PostgresSlots, first_free
from ingest.ports import JobQueue

Handle = Callable[[UUID], Awaitable[None]]


@pytest.fixture(params=["memory", "dbos on sqlite", "dbos on postgresql"])
async def queue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JobQueue]:
    opened: JobQueue
    if request.param == "memory":
        opened = MemoryJobQueue()
    elif request.param == "dbos on sqlite":
        opened = DbosJobQueue.in_file(tmp_path / "queue.db", polling_interval=0.02, concurrency=2)
    else:
        url = request.getfixturevalue("migrated_postgresql")
        opened = DbosJobQueue(url, polling_interval=0.02, concurrency=2)
    yield opened
    await opened.close()


class Recorder:
    """Notes what is carried out; jobs in `blocked` wait for `release`, those in `broken` raise."""

    def __init__(self) -> None:
        self.begun: Counter[UUID] = Counter()
        self.done: Counter[UUID] = Counter()
        self.blocked: set[UUID] = set()
        self.broken: set[UUID] = set()
        self.release = asyncio.Event()
        self._changed = asyncio.Event()

    async def __call__(self, job: UUID) -> None:
        self.begun[job] += 1
        self._changed.set()
        if job in self.broken:
            raise RuntimeError("a fault")
        if job in self.blocked:
            await self.release.wait()
        self.done[job] += 1
        self._changed.set()

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not met():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def working(queue: JobQueue, handle: Handle) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.work(handle))
    try:
        yield
    finally:
        assert not task.done(), task.exception()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


def ids(count: int) -> list[UUID]:
    return [uuid4() for _ in range(count)]


@pytest.fixture
def seen() -> Recorder:
    return Recorder()


async def test_everything_enqueued_is_carried_out_once(queue: JobQueue, seen: Recorder) -> None:
    before, during = ids(40), ids(3)
    await queue.enqueue(before)
    async with working(queue, seen):
        await queue.enqueue(during)
        await seen.until(lambda: len(seen.done) == 43)
        await asyncio.sleep(0.1)
    assert seen.done == Counter([*before, *during])


async def test_enqueuing_a_job_that_waits_changes_nothing(queue: JobQueue, seen: Recorder) -> None:
    jobs = ids(6)
    await queue.enqueue(jobs)
    await queue.enqueue(jobs[2:])
    await queue.enqueue([*jobs, jobs[0]])
    async with working(queue, seen):
        await seen.until(lambda: len(seen.done) == 6)
        await asyncio.sleep(0.1)
    assert seen.done == Counter(jobs)


async def test_enqueuing_a_job_that_runs_changes_nothing(queue: JobQueue, seen: Recorder) -> None:
    (job,) = ids(1)
    seen.blocked = {job}
    await queue.enqueue([job])
    async with working(queue, seen):
        await seen.until(lambda: seen.begun[job] == 1)
        await queue.enqueue([job])
        seen.release.set()
        await seen.until(lambda: seen.done[job] == 1)
        await asyncio.sleep(0.2)
    assert seen.begun[job] == 1


async def test_a_job_that_was_carried_out_can_be_enqueued_again(queue: JobQueue, seen: Recorder) -> None:
    (job,) = ids(1)
    async with working(queue, seen):
        for time in (1, 2):
            await queue.enqueue([job])
            await seen.until(lambda wanted=time: seen.done[job] == wanted)  # type: ignore[misc]
            await asyncio.sleep(0.1)
    assert seen.done[job] == 2


async def test_a_job_can_be_enqueued_again_while_others_of_its_call_still_run(queue: JobQueue, seen: Recorder) -> None:
    first, second = ids(2)
    seen.blocked = {second}
    await queue.enqueue([first, second])
    async with working(queue, seen):
        await seen.until(lambda: seen.done[first] == 1 and seen.begun[second] == 1)
        await queue.enqueue([first])
        seen.release.set()
        await seen.until(lambda: seen.done[first] == 2)
    assert seen.done[second] == 1


async def test_a_cancelled_job_is_never_started_and_the_others_are(queue: JobQueue, seen: Recorder) -> None:
    jobs = ids(5)
    await queue.enqueue(jobs)
    await queue.cancel(jobs[3])
    async with working(queue, seen):
        await seen.until(lambda: len(seen.done) == 4)
        await asyncio.sleep(0.1)
    assert seen.done == Counter(jobs[:3] + jobs[4:])


async def test_a_cancelled_job_that_is_enqueued_again_is_carried_out_once(queue: JobQueue, seen: Recorder) -> None:
    jobs = ids(2)
    await queue.enqueue(jobs)
    await queue.cancel(jobs[0])
    await queue.enqueue([jobs[0]])
    async with working(queue, seen):
        await seen.until(lambda: len(seen.done) == 2)
        await asyncio.sleep(0.1)
    assert seen.done == Counter(jobs)


async def test_cancelling_what_is_not_there_is_harmless(queue: JobQueue, seen: Recorder) -> None:
    (job,) = ids(1)
    await queue.cancel(job)
    await queue.enqueue([job])
    async with working(queue, seen):
        await seen.until(lambda: seen.done[job] == 1)
        await queue.cancel(job)


async def test_a_fault_in_one_job_ends_that_one_alone(queue: JobQueue, seen: Recorder) -> None:
    jobs = ids(8)
    seen.broken = {jobs[0], jobs[4]}
    await queue.enqueue(jobs)
    async with working(queue, seen):
        await seen.until(lambda: len(seen.done) == 6)
        await asyncio.sleep(0.1)
    assert seen.begun == Counter(jobs)


async def test_what_a_stopped_worker_left_is_carried_out_by_the_next(queue: JobQueue, seen: Recorder) -> None:
    jobs = ids(6)
    seen.blocked = {jobs[1]}
    await queue.enqueue(jobs)
    async with working(queue, seen):
        await seen.until(lambda: seen.begun[jobs[1]] == 1)
    assert seen.done[jobs[1]] == 0
    seen.release.set()
    async with working(queue, seen):
        await seen.until(lambda: len(seen.done) == 6)
    assert seen.done == Counter(jobs)
    assert seen.begun[jobs[0]] == 1


async def test_a_job_that_was_interrupted_can_be_cancelled(queue: JobQueue, seen: Recorder) -> None:
    first, second = ids(2)
    seen.blocked = {first}
    await queue.enqueue([first, second])
    async with working(queue, seen):
        await seen.until(lambda: seen.begun[first] == 1)
    await queue.cancel(first)
    async with working(queue, seen):
        await seen.until(lambda: seen.done[second] == 1)
    assert seen.begun[first] == 1


async def test_enqueuing_nothing_and_closing_twice_are_harmless(queue: JobQueue) -> None:
    await queue.enqueue([])
    await queue.close()
    await queue.close()


def test_places_in_postgresql_go_with_their_connection(migrated_postgresql: str) -> None:
    engine = sa.create_engine(migrated_postgresql)
    mine, theirs = PostgresSlots(engine), PostgresSlots(engine)
    assert (first_free(mine), first_free(theirs)) == (1, 2)
    assert not mine.hold(1)
    theirs.let_go(2)
    assert mine.hold(2)
    mine.close()
    mine.close()
    assert theirs.hold(1)
    theirs.close()
    engine.dispose()

"""A worker that is killed again and again, anywhere: every document ends in the library, once, and none is lost."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from ingest.adapters.dbos_jobs import DbosJobQueue
from ingest.adapters.sql_jobs import SqlJobLog
from ingest.intake import Intake
from ingest.model import Job, JobState, SourceDocument
from retrieval.access import LabelScale, Principal
from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.sql_database import Database
from retrieval.model import digest_of, document_id

pytestmark = pytest.mark.slow

SCALE = LabelScale()
ANA = Principal("acme", "ana", frozenset(), SCALE.highest)
PLACES = 4

# The real queue, log, originals and pipeline; a parser that takes its time, and a library that notes what was written.
WORKER = """
import asyncio, os, random, sqlite3, sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4
import structlog
from ingest.adapters.dbos_jobs import DbosJobQueue
from ingest.adapters.sql_jobs import SqlJobLog
from ingest.intake import Intake
from ingest.pipeline import Pipeline
from ingest.retries import RetryPolicy
from ingest.worker import Worker
from retrieval.access import LabelScale
from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.sql_database import Database
from retrieval.model import Chunk, ParsedDocument, chunk_id

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
folder = Path(sys.argv[1])
clock = lambda: datetime.now(UTC)

class SlowParser:
    async def parse(self, data, name):
        if b"kills its worker" in data:
            os._exit(9)
        await asyncio.sleep(random.uniform(0.001, 0.02))
        return ParsedDocument(data.decode(), "text/plain")

class Library:
    def __init__(self):
        self.file = sqlite3.connect(folder / "library.db", isolation_level=None, timeout=30)
    async def write(self, version, parsed, chunks):
        await asyncio.sleep(random.uniform(0, 0.01))
        document = str(version.document_id)
        self.file.execute("BEGIN IMMEDIATE")
        self.file.execute("INSERT INTO writes VALUES (?, ?)", (document, version.digest))
        self.file.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (document, version.digest, len(chunks)))
        self.file.execute("COMMIT")
        await asyncio.sleep(random.uniform(0, 0.01))

def one_chunk(parsed, version):
    return [Chunk(chunk_id(version.document_id, version.digest, 0), version.document_id, version.digest, 0, 0,
                  len(parsed.text), parsed.text)]

async def main():
    database = Database.in_file(folder / "lastro.db")
    jobs, originals = SqlJobLog(database, LabelScale()), FolderOriginals(folder / "originals")
    queue = DbosJobQueue.in_file(folder / "queue.db", polling_interval=0.02, concurrency=3, recovery_interval=0.5)
    intake = Intake(jobs=jobs, queue=queue, originals=originals, scale=LabelScale(), clock=clock, new_id=uuid4)
    pipeline = Pipeline(jobs=jobs, originals=originals, parser=SlowParser(), chunker=one_chunk, library=Library(),
                        clock=clock, retries=RetryPolicy(clock, random.Random(), interruptions=int(sys.argv[2])))
    working = asyncio.create_task(Worker(pipeline=pipeline, intake=intake, queue=queue).run())
    print("working", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    working.cancel()
    await asyncio.wait([working])
    await queue.close()
    await database.close()

asyncio.run(main())
"""


class House:
    """The data folder that outlives the workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library = sqlite3.connect(folder / "library.db", isolation_level=None, timeout=30)
        self.library.execute("PRAGMA journal_mode=WAL")
        self.library.execute("CREATE TABLE writes (document, digest)")
        self.library.execute("CREATE TABLE documents (document PRIMARY KEY, digest, chunks)")
        self.database = Database.in_file(folder / "lastro.db")
        self.jobs = SqlJobLog(self.database, SCALE)
        self.queue = DbosJobQueue.in_file(folder / "queue.db")
        self.intake = Intake(
            jobs=self.jobs,
            queue=self.queue,
            originals=FolderOriginals(folder / "originals"),
            scale=SCALE,
            clock=lambda: datetime.now(UTC),
            new_id=uuid4,
        )

    async def add(self, texts: dict[str, bytes]) -> list[Job]:
        documents = [SourceDocument("s", uri, uri, data) for uri, data in texts.items()]
        return await self.intake.accept(documents, owner=ANA)

    @contextmanager
    def worker(self, interruptions: int = 1_000) -> Iterator["subprocess.Popen[bytes]"]:
        command = [sys.executable, "-X", "faulthandler", "-c", WORKER, str(self.folder), str(interruptions)]
        with (self.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process
        finally:
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGABRT)  # it writes down where each of its threads is
                process.wait()
                pytest.fail(f"the worker does not end: {self.log()}")
            finally:
                process.stdout.close()

    async def until_over(self, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while left := await self.jobs.unfinished():
            assert time.monotonic() < until, f"{len(left)} unfinished: {self.log()}"
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        self.library.close()
        await self.queue.close()
        await self.database.close()

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()[-6000:]

    def writes(self) -> int:
        return int(self.library.execute("SELECT count(*) FROM writes").fetchone()[0])

    async def states(self, jobs: list[Job]) -> list[JobState]:
        return [(await self.jobs.get(job.id, reader=ANA)).state for job in jobs]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    opened = House(tmp_path)
    await opened.database.migrate()
    yield opened
    await opened.close()


def texts(count: int) -> dict[str, bytes]:
    return {f"{n}.txt": b"text %d" % n for n in range(count)}


def ready(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == b"working\n"


async def at_work(house: House, process: "subprocess.Popen[bytes]", writes: int = 1) -> None:
    """Return when this worker has written so much."""
    before = house.writes()
    ready(process)
    async with asyncio.timeout(30):
        while house.writes() < before + writes:  # noqa: ASYNC110 another process does it
            await asyncio.sleep(0.01)


async def kill(house: House, process: "subprocess.Popen[bytes]", rng: random.Random) -> None:
    """Kill it at some moment: three times in ten while it starts, else while it works."""
    if rng.random() < 0.3:
        ready(process)
    else:
        await at_work(house, process)
    await asyncio.sleep(rng.uniform(0, 0.5))
    process.kill()
    process.wait()


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=[pytest.mark.crash, pytest.mark.timeout(400)])])
async def test_a_worker_killed_at_random_loses_nothing_and_writes_nothing_twice(house: House, kills: int) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    documents = texts(25 * kills)
    jobs = await house.add(documents)
    for _ in range(kills):
        with house.worker() as process:
            await kill(house, process, rng)
    left = len(await house.jobs.unfinished())
    with house.worker():
        await house.until_over()
    assert await house.states(jobs) == [JobState.DONE] * len(jobs)
    stored = {row[0]: row[1:] for row in house.library.execute("SELECT * FROM documents")}
    assert stored == {str(document_id("acme", "s", uri)): (digest_of(data), 1) for uri, data in documents.items()}
    again = house.writes() - len(jobs)
    print(f"{len(jobs)} jobs, {kills} kills, {left} left after the last, {again} written again")
    assert again <= kills * PLACES


async def test_a_job_that_kills_its_worker_is_set_aside_and_the_others_go_on(house: House) -> None:
    jobs = await house.add(texts(20) | {"poison.txt": b"kills its worker"})
    for _ in range(8):
        with house.worker(interruptions=3) as process:
            while process.poll() is None and await house.jobs.unfinished():  # noqa: ASYNC110 another process does it
                await asyncio.sleep(0.05)
        if not await house.jobs.unfinished():
            break
    found = [await house.jobs.get(job.id, reader=ANA) for job in jobs]
    assert [job.file for job in found if job.state is not JobState.DONE] == ["poison.txt"]
    poison = found[-1]
    assert poison.error is not None
    assert (poison.error.code, poison.attempts) == ("worker_crashed", 3)


async def test_two_workers_share_the_work_and_one_takes_over_what_the_other_left(house: House) -> None:
    jobs = await house.add(texts(80))
    with house.worker() as first, house.worker() as doomed:
        ready(first)
        await at_work(house, doomed)
        doomed.kill()
        await house.until_over()
    assert await house.states(jobs) == [JobState.DONE] * 80
    assert house.writes() - 80 <= PLACES


async def test_a_worker_that_is_told_to_stop_ends_cleanly_and_puts_its_jobs_back(house: House) -> None:
    jobs = await house.add(texts(80))
    with house.worker() as process:
        await at_work(house, process, 10)
    assert process.returncode == 0
    found = [await house.jobs.get(job.id, reader=ANA) for job in jobs]
    assert {job.state for job in found} == {JobState.DONE, JobState.QUEUED}
    assert all(job.attempts == 0 for job in found if job.state is JobState.QUEUED)
    with house.worker():
        await house.until_over()
    assert await house.states(jobs) == [JobState.DONE] * 80
    assert house.writes() - 80 <= PLACES


async def test_nothing_of_a_document_reaches_the_queue_and_nothing_in_it_is_pickled(house: House) -> None:
    await house.add({"salaries.txt": b"81 million", **texts(20)})
    with sqlite3.connect(house.folder / "queue.db") as queue:
        kinds = queue.execute("SELECT DISTINCT serialization FROM workflow_status").fetchall()
        assert queue.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        with house.worker():
            await house.until_over()
        assert queue.execute("SELECT count(*) FROM lastro_waiting").fetchone() == (0,)
        queue.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    queue.close()
    assert kinds == [("portable_json",)]
    stored = (house.folder / "queue.db").read_bytes()
    assert b"salaries" not in stored
    assert b"81 million" not in stored

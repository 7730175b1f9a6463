"""Jobs that are cut short: cancelled, stopped in order, or caught by the death of their worker."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from uuid import UUID, uuid4

import pytest

from ingest.adapters.memory import MemoryJobLog
from ingest.model import Job, JobState, Step
from ingest.pipeline import Pipeline
from ingest.retries import RetryPolicy
from retrieval.access import Access, LabelScale, Principal
from retrieval.adapters.memory import MemoryOriginals
from retrieval.errors import StoreUnavailable
from retrieval.model import Chunk, DocumentVersion, ParsedDocument, chunk_id

ACCESS = Access("acme", frozenset({"group:people"}), LabelScale().highest)


def clock() -> datetime:
    return datetime.now(UTC)


class SlowParser:
    """Reads until it is told to go on."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def parse(self, data: bytes, name: str) -> ParsedDocument:
        self.seen.append(name)
        self.begun.set()
        await self.go_on.wait()
        return ParsedDocument(data.decode(), "text/plain")

    async def close(self) -> None: ...


class RecordingLibrary:
    def __init__(self) -> None:
        self.written: list[str] = []

    async def write(self, version: DocumentVersion, parsed: ParsedDocument, chunks: Sequence[Chunk]) -> None:
        self.written.append(version.uri)


class SilentJobLog(MemoryJobLog):
    """Does not answer while it is `silent`."""

    silent = False

    async def get(self, job: UUID, *, reader: Principal | None) -> Job:
        if self.silent:
            raise StoreUnavailable
        return await super().get(job, reader=reader)


def one_chunk(parsed: ParsedDocument, version: DocumentVersion) -> Sequence[Chunk]:
    chunk = chunk_id(version.document_id, version.digest, 0)
    return [Chunk(chunk, version.document_id, version.digest, 0, 0, len(parsed.text), parsed.text)]


class House:
    """A pipeline whose parser takes its time."""

    def __init__(self) -> None:
        self.jobs = SilentJobLog()
        self.originals = MemoryOriginals()
        self.parser = SlowParser()
        self.library = RecordingLibrary()
        self.pipeline = Pipeline(
            jobs=self.jobs,
            originals=self.originals,
            parser=self.parser,
            chunker=one_chunk,
            library=self.library,
            clock=clock,
            retries=RetryPolicy(clock, Random(1)),
        )

    async def job(self, **fields: object) -> UUID:
        digest = await self.originals.put(b"text")
        made = Job(uuid4(), "acme", "ana", "s", "a.txt", "a.txt", digest, ACCESS, clock(), clock())
        await self.jobs.create([replace(made, **fields)])  # type: ignore[arg-type]
        return made.id

    async def state(self, job: UUID) -> Job:
        return await self.jobs.get(job, reader=None)

    async def run(self, job: UUID) -> Job:
        await self.pipeline.run(job)
        return await self.state(job)

    async def until_parsing(self, job: UUID) -> "asyncio.Task[None]":
        running = asyncio.create_task(self.pipeline.run(job))
        await self.parser.begun.wait()
        return running


@pytest.fixture
def house() -> House:
    return House()


async def test_a_cancelled_job_stops_at_its_next_step(house: House) -> None:
    job = await house.job()
    running = await house.until_parsing(job)
    await house.jobs.save(replace(await house.state(job), state=JobState.CANCELLED))
    house.parser.go_on.set()
    await running
    assert (await house.state(job)).state is JobState.CANCELLED
    assert house.library.written == []


async def test_an_orderly_stop_puts_the_job_back_and_does_not_count(house: House) -> None:
    job = await house.job()
    running = await house.until_parsing(job)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    back = await house.state(job)
    assert (back.state, back.step, back.attempts) == (JobState.QUEUED, Step.WAITING, 0)


async def test_a_stop_while_the_log_does_not_answer_still_stops(house: House) -> None:
    job = await house.job()
    running = await house.until_parsing(job)
    house.jobs.silent = True
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    house.jobs.silent = False
    assert (await house.state(job)).state is JobState.RUNNING


async def test_a_job_that_took_its_worker_down_five_times_is_not_tried_again(house: House) -> None:
    job = await house.job()
    for deaths in range(5):
        assert (await house.state(job)).attempts == deaths
        # What a worker that dies in the middle leaves behind.
        begun = replace(await house.state(job), state=JobState.RUNNING, attempts=deaths + 1)
        await house.jobs.save(begun)
    failed = await house.run(job)
    assert failed.error is not None
    assert (failed.state, failed.error.code) == (JobState.FAILED, "worker_crashed")
    assert house.parser.seen == []


async def test_a_job_that_took_its_worker_down_four_times_is_tried_once_more(house: House) -> None:
    house.parser.go_on.set()
    done = await house.run(await house.job(state=JobState.RUNNING, attempts=4))
    assert (done.state, done.attempts) == (JobState.DONE, 5)


async def test_a_job_that_was_running_when_its_worker_died_runs_alone(house: House) -> None:
    suspect = await house.job(state=JobState.RUNNING, attempts=1, uri="suspect.txt")
    others = [await house.job(uri=f"{n}.txt") for n in range(3)]
    running = [asyncio.create_task(house.pipeline.run(job)) for job in (suspect, *others)]
    await house.parser.begun.wait()
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(house.parser.seen) == 1
    assert [(await house.state(job)).attempts for job in (suspect, *others)] == [2, 0, 0, 0]
    house.parser.go_on.set()
    await asyncio.gather(*running)
    assert house.library.written[0] == "suspect.txt"
    assert len(house.library.written) == 4

"""The worker's outermost loop: it starts with what was left, and no fault of one job ends the others."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from ingest.adapters.memory import MemoryJobLog, MemoryJobQueue
from ingest.intake import Intake
from ingest.model import Job, JobState, SourceDocument
from ingest.pipeline import Pipeline
from ingest.retries import RetryPolicy
from ingest.worker import Worker
from retrieval.access import LabelScale, Principal
from retrieval.adapters.memory import MemoryOriginals
from retrieval.model import Chunk, DocumentVersion, ParsedDocument

SCALE = LabelScale()
ANA = Principal("acme", "ana", frozenset(), SCALE.highest)


def clock() -> datetime:
    return datetime.now(UTC)


class PlainParser:
    async def parse(self, data: bytes, name: str) -> ParsedDocument:
        if b"poison" in data:
            raise ZeroDivisionError(f"cannot read {data.decode()}")
        return ParsedDocument(data.decode(), "text/plain")

    async def close(self) -> None: ...


class Library:
    def __init__(self) -> None:
        self.written: list[str] = []

    async def write(self, version: DocumentVersion, parsed: ParsedDocument, chunks: Sequence[Chunk]) -> None:
        self.written.append(version.uri)


def one_chunk(parsed: ParsedDocument, version: DocumentVersion) -> Sequence[Chunk]:
    return [Chunk(uuid4(), version.document_id, version.digest, 0, 0, len(parsed.text), parsed.text)]


class House:
    def __init__(self) -> None:
        self.jobs = MemoryJobLog()
        self.queue = MemoryJobQueue()
        self.library = Library()
        originals = MemoryOriginals()
        self.intake = Intake(
            jobs=self.jobs, queue=self.queue, originals=originals, scale=SCALE, clock=clock, new_id=uuid4
        )
        pipeline = Pipeline(
            jobs=self.jobs,
            originals=originals,
            parser=PlainParser(),
            chunker=one_chunk,
            library=self.library,
            clock=clock,
            retries=RetryPolicy(clock, Random(1)),
        )
        self.worker = Worker(pipeline=pipeline, intake=self.intake, queue=self.queue)

    async def add(self, *texts: str) -> list[Job]:
        documents = [SourceDocument("s", f"{n}.txt", f"{n}.txt", text.encode()) for n, text in enumerate(texts)]
        return await self.intake.accept(documents, owner=ANA)

    async def work_until(self, met: Callable[[], bool]) -> None:
        task = asyncio.create_task(self.worker.run())
        for _ in range(1_000):
            await asyncio.sleep(0.001)
            if met():
                break
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    async def states(self, jobs: Sequence[Job]) -> list[JobState]:
        return [(await self.jobs.get(job.id, reader=None)).state for job in jobs]


@pytest.fixture
def house() -> House:
    return House()


async def test_a_fault_in_one_job_fails_that_one_and_the_others_go_on(house: House) -> None:
    jobs = await house.add("one", "poison", "three")
    await house.work_until(lambda: "2.txt" in house.library.written)
    assert await house.states(jobs) == [JobState.DONE, JobState.FAILED, JobState.DONE]
    failed = await house.jobs.get(jobs[1].id, reader=None)
    assert failed.error is not None
    assert failed.error.code == "internal_error"


async def test_the_log_says_where_a_fault_was_and_nothing_of_the_document(house: House) -> None:
    (job,) = await house.add("poison and the price of 81 million")
    with capture_logs() as logged:
        await house.worker.carry_out(job.id)
    (fault,) = [entry for entry in logged if entry["event"] == "job_met_a_fault"]
    assert fault["fault"] == "ZeroDivisionError"
    assert any("test_worker.py" in place for place in fault["where"])
    assert "81 million" not in str(logged)


async def test_it_starts_with_jobs_that_never_reached_the_queue(house: House) -> None:
    jobs = await house.add("one", "two")
    house.queue._waiting.clear()
    await house.work_until(lambda: len(house.library.written) == 2)
    assert await house.states(jobs) == [JobState.DONE, JobState.DONE]


async def test_a_job_that_nobody_knows_is_left_alone(house: House) -> None:
    with capture_logs() as logged:
        await house.worker.carry_out(UUID(int=7))
    assert [(entry["event"], entry["job"]) for entry in logged] == [("job_not_to_do", str(UUID(int=7)))]

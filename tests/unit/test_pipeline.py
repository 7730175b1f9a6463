"""One job's story, told with twins: what is written, what fails and how, what is waited for, what is left alone."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest

from ingest.adapters.memory import MemoryJobLog
from ingest.errors import DamagedFile
from ingest.model import Job, JobError, JobState, Step
from ingest.pipeline import SUPERSEDED, Pipeline
from ingest.retries import RetryPolicy
from retrieval.access import Access, LabelScale, Principal
from retrieval.adapters.memory import MemoryOriginals
from retrieval.errors import DiskFull, LastroError, StoreUnavailable
from retrieval.model import Chunk, DocumentVersion, Page, ParsedDocument, chunk_id, digest_of, document_id

SCALE = LabelScale()
ACCESS = Access("acme", frozenset({"group:people"}), SCALE.label("internal"))
TEXT = b"Holidays are 25 days."


class Time:
    """A clock that only a pause moves on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self.pauses: list[float] = []
        self.during: Callable[[], None] = lambda: None

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += timedelta(seconds=seconds)
        self.during()
        await asyncio.sleep(0)


class TextParser:
    """Sees the bytes as text on one page; raises what `failures` holds first."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.seen: list[str] = []

    async def parse(self, data: bytes, name: str) -> ParsedDocument:
        self.seen.append(name)
        if self.failures:
            raise self.failures.pop(0)
        text = data.decode()
        return ParsedDocument(text, "text/plain", pages=(Page(1, 0, len(text)),), warnings=("read as text",))

    async def close(self) -> None: ...


def one_chunk(parsed: ParsedDocument, version: DocumentVersion) -> Sequence[Chunk]:
    chunk = chunk_id(version.document_id, version.digest, 0)
    return [Chunk(chunk, version.document_id, version.digest, 0, 0, len(parsed.text), parsed.text)]


class RecordingLibrary:
    """Notes what is written; raises what `failures` holds first."""

    def __init__(self) -> None:
        self.written: list[DocumentVersion] = []
        self.failures: list[Exception] = []
        self.during: Callable[[], None] = lambda: None
        self.writing = 0
        self.most_at_once = 0

    async def write(self, version: DocumentVersion, parsed: ParsedDocument, chunks: Sequence[Chunk]) -> None:
        self.writing += 1
        self.most_at_once = max(self.most_at_once, self.writing)
        await asyncio.sleep(0)
        self.writing -= 1
        self.during()
        if self.failures:
            raise self.failures.pop(0)
        assert chunks[0].text == parsed.text
        self.written.append(version)


class BrokenForAWhile(MemoryJobLog):
    """A log that does not answer as often as `broken` says."""

    broken = 0

    async def advance(self, job: Job) -> bool:
        self._break()
        return await super().advance(job)

    async def save(self, job: Job) -> None:
        self._break()
        await super().save(job)

    async def get(self, job: UUID, *, reader: Principal | None) -> Job:
        self._break()
        return await super().get(job, reader=reader)

    def _break(self) -> None:
        if self.broken:
            self.broken -= 1
            raise StoreUnavailable


class House:
    """A pipeline and everything it works with."""

    def __init__(self) -> None:
        self.time = Time()
        self.jobs = BrokenForAWhile()
        self.originals = MemoryOriginals()
        self.parser = TextParser()
        self.library = RecordingLibrary()
        self.chunker: Callable[[ParsedDocument, DocumentVersion], Sequence[Chunk]] = one_chunk
        self.pipeline = Pipeline(
            jobs=self.jobs,
            originals=self.originals,
            parser=self.parser,
            chunker=self.cut,
            library=self.library,
            clock=self.time,
            retries=RetryPolicy(self.time, Random(1), tries=3),
            sleep=self.time.sleep,
        )

    def cut(self, parsed: ParsedDocument, version: DocumentVersion) -> Sequence[Chunk]:
        return self.chunker(parsed, version)

    async def job(self, data: bytes = TEXT, **fields: object) -> UUID:
        made = Job(
            id=uuid4(),
            tenant="acme",
            owner="ana",
            source="ana/uploads",
            uri="hr/holidays.txt",
            file="holidays.txt",
            digest=await self.originals.put(data),
            access=ACCESS,
            created=self.time.now,
            updated=self.time.now,
        )
        await self.jobs.create([replace(made, **fields)])  # type: ignore[arg-type]
        return made.id

    async def state(self, job: UUID) -> Job:
        return await self.jobs.get(job, reader=None)

    async def run(self, job: UUID) -> Job:
        await self.pipeline.run(job)
        return await self.state(job)

    def cancel(self, job: UUID) -> Callable[[], None]:
        """Something that cancels the job, as another process would."""

        def now() -> None:
            self.jobs._jobs[job] = replace(self.jobs._jobs[job], state=JobState.CANCELLED)

        return now


@pytest.fixture
def house() -> House:
    return House()


async def test_a_document_is_written_with_its_identity_and_access(house: House) -> None:
    modified = datetime(2025, 1, 1, tzinfo=UTC)
    done = await house.run(await house.job(modified=modified))
    assert house.library.written == [
        DocumentVersion(
            document_id=document_id("acme", "ana/uploads", "hr/holidays.txt"),
            digest=digest_of(TEXT),
            source="ana/uploads",
            uri="hr/holidays.txt",
            title="holidays.txt",
            media_type="text/plain",
            size=len(TEXT),
            access=ACCESS,
            added_by="ana",
            modified=modified,
        )
    ]
    assert (done.state, done.step, done.attempts) == (JobState.DONE, Step.FINISHED, 1)
    assert done.document_id == document_id("acme", "ana/uploads", "hr/holidays.txt")
    assert (done.pages, done.chunks, done.warnings, done.error) == (1, 1, ("read as text",), None)


async def test_each_step_is_written_down_before_it_is_done(house: House) -> None:
    seen: list[Step] = []
    advance = house.jobs.advance

    async def note(job: Job) -> bool:
        seen.append(job.step)
        assert job.state is JobState.RUNNING
        return await advance(job)

    house.jobs.advance = note  # type: ignore[method-assign]
    await house.run(await house.job())
    assert list(dict.fromkeys(seen)) == [Step.FETCHING, Step.PARSING, Step.CHUNKING, Step.EMBEDDING]


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
async def test_a_job_that_is_over_is_left_alone(house: House, state: JobState) -> None:
    job = await house.job(state=state)
    before = await house.state(job)
    assert await house.run(job) == before
    assert house.parser.seen == []


async def test_a_repeated_job_writes_the_same_version_again(house: House) -> None:
    job = await house.job()
    done = await house.run(job)
    await house.jobs.save(replace(done, state=JobState.RUNNING))
    await house.run(job)
    assert house.library.written[0] == house.library.written[1]


async def test_an_empty_file_fails_with_its_reason_and_remedy(house: House) -> None:
    failed = await house.run(await house.job(b""))
    assert failed.state is JobState.FAILED
    assert failed.error == JobError(
        "empty_file", "The file is empty.", "Check that the file was copied completely, then add it again."
    )
    assert house.parser.seen == []


async def test_an_unreadable_document_fails_at_once_with_the_parser_s_reason(house: House) -> None:
    house.parser.failures = [DamagedFile("Page 3 is cut off.")]
    failed = await house.run(await house.job())
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("damaged_file", "Page 3 is cut off.")
    assert house.time.pauses == []
    assert house.library.written == []


async def test_a_text_without_passages_is_a_failure_never_a_success(house: House) -> None:
    house.chunker = lambda _parsed, _version: []
    failed = await house.run(await house.job())
    assert failed.error is not None
    assert failed.error.code == "no_text_found"


async def test_a_lost_original_fails_the_job(house: House) -> None:
    failed = await house.run(await house.job(digest=digest_of(b"never stored")))
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("file_vanished", "The stored original is missing.")


async def test_a_passing_fault_is_waited_for_and_then_forgotten(house: House) -> None:
    house.library.failures = [StoreUnavailable(), StoreUnavailable()]
    shown: list[Job] = []
    job = await house.job()
    house.time.during = lambda: shown.append(house.jobs._jobs[job])
    done = await house.run(job)
    assert (done.state, done.error, done.attempts) == (JobState.DONE, None, 1)
    assert 1.0 <= sum(house.time.pauses) <= 3.0
    assert {(waiting.state, waiting.step) for waiting in shown} == {(JobState.QUEUED, Step.WAITING)}
    assert {waiting.error.code for waiting in shown if waiting.error} == {"store_unavailable"}


async def test_a_fault_that_does_not_pass_fails_the_job_after_the_last_try(house: House) -> None:
    house.library.failures = [StoreUnavailable(f"Try {n}.") for n in range(5)]
    failed = await house.run(await house.job())
    assert failed.state is JobState.FAILED
    assert failed.error == JobError("store_unavailable", "Try 2.", StoreUnavailable.remedy)
    assert len(house.library.failures) == 2


async def test_a_full_disk_is_waited_for_longer_than_any_other_fault(house: House) -> None:
    house.library.failures = [DiskFull() for _ in range(20)]
    assert (await house.run(await house.job())).state is JobState.DONE


@pytest.mark.parametrize("calls", [1, 2, 3, 5, 9])
async def test_a_log_of_jobs_that_does_not_answer_is_waited_for(house: House, calls: int) -> None:
    job = await house.job()
    house.jobs.broken = calls
    await house.pipeline.run(job)
    assert (await house.state(job)).state is JobState.DONE
    assert len(house.time.pauses) == calls


async def test_a_job_can_be_cancelled_while_it_waits(house: House) -> None:
    job = await house.job()
    house.library.failures = [DiskFull() for _ in range(50)]
    house.time.during = lambda: house.cancel(job)() if len(house.time.pauses) == 4 else None
    assert (await house.run(job)).state is JobState.CANCELLED
    assert len(house.time.pauses) == 4


async def test_a_job_that_is_cancelled_just_before_it_has_to_wait_stays_cancelled(house: House) -> None:
    job = await house.job()
    house.library.failures = [StoreUnavailable()]
    house.library.during = house.cancel(job)
    assert (await house.run(job)).state is JobState.CANCELLED
    assert house.time.pauses == []


async def test_a_cancellation_that_comes_after_the_write_is_too_late(house: House) -> None:
    job = await house.job()
    house.library.during = house.cancel(job)
    assert (await house.run(job)).state is JobState.DONE


async def test_a_stop_while_the_job_waits_leaves_it_waiting(house: House) -> None:
    job = await house.job()
    house.library.failures = [DiskFull() for _ in range(50)]
    stopping = asyncio.create_task(house.pipeline.run(job))
    house.time.during = lambda: stopping.cancel() if len(house.time.pauses) == 3 else None  # type: ignore[func-returns-value]
    await asyncio.wait([stopping])
    waiting = await house.state(job)
    assert (waiting.state, waiting.attempts) == (JobState.QUEUED, 1)


async def test_an_older_version_never_replaces_a_newer_one(house: House) -> None:
    older = await house.job(b"old")
    newer = await house.job(b"new", created=house.time.now + timedelta(seconds=1))
    await house.run(newer)
    superseded = await house.run(older)
    assert [version.digest for version in house.library.written] == [digest_of(b"new")]
    assert (superseded.state, superseded.chunks) == (JobState.DONE, 0)
    assert superseded.warnings == ("read as text", SUPERSEDED)


async def test_an_older_version_is_written_when_the_newer_one_could_not_be_read(house: House) -> None:
    older = await house.job(b"old")
    newer = await house.job(b"", created=house.time.now + timedelta(seconds=1))
    await house.run(newer)
    await house.run(older)
    assert [version.digest for version in house.library.written] == [digest_of(b"old")]


async def test_versions_of_one_document_are_written_one_after_the_other_and_others_at_once(house: House) -> None:
    same = [await house.job(b"v%d" % n, created=house.time.now + timedelta(seconds=n)) for n in range(4)]
    await asyncio.gather(*(house.pipeline.run(job) for job in same))
    assert house.library.most_at_once == 1
    assert house.library.written[-1].digest == digest_of(b"v3")
    others = [await house.job(uri=f"{n}.txt") for n in range(4)]
    await asyncio.gather(*(house.pipeline.run(job) for job in others))
    assert house.library.most_at_once > 1


async def test_a_fault_of_ours_passes_through_to_the_outermost_loop(house: House) -> None:
    house.parser.failures = [ZeroDivisionError("Holidays are 25 days.")]
    job = await house.job()
    with pytest.raises(ZeroDivisionError):
        await house.pipeline.run(job)
    await house.pipeline.fail_internally(job)
    failed = await house.state(job)
    assert failed.error is not None
    assert (failed.state, failed.error.code) == (JobState.FAILED, "internal_error")
    assert "Holidays" not in failed.error.message + failed.error.remedy


async def test_an_error_without_a_kind_of_its_own_fails_the_job(house: House) -> None:
    house.parser.failures = [LastroError("Strange.", remedy="Ask.")]
    assert (await house.run(await house.job())).error == JobError("error", "Strange.", "Ask.")

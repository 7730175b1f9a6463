"""Taking documents in: what is on disk, in which order, whatever breaks in between; and orders about jobs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ingest.adapters.memory import MemoryJobLog, MemoryJobQueue
from ingest.intake import Intake
from ingest.model import Job, JobError, JobState, SourceDocument, Step
from retrieval.access import Access, Label, LabelScale, Principal
from retrieval.adapters.memory import MemoryOriginals
from retrieval.errors import DiskFull, NotFound, StoreUnavailable, UnknownLabel
from retrieval.model import digest_of

SCALE = LabelScale()
ANA = Principal("acme", "ana", frozenset({"people"}), SCALE.highest)
BOB = Principal("acme", "bob", frozenset({"people"}), SCALE.highest)
OPEN = Access("acme", frozenset({"everyone"}), SCALE.lowest)


class Steps:
    """What happened, in order; the step named in `broken` fails."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.broken = ""

    def __call__(self, step: str) -> None:
        if step == self.broken:
            raise DiskFull
        self.taken.append(step)


class NotedOriginals(MemoryOriginals):
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self.steps = steps

    async def put(self, data: bytes) -> str:
        self.steps("original")
        return await super().put(data)


class NotedLog(MemoryJobLog):
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self.steps = steps

    async def create(self, jobs: Sequence[Job]) -> None:
        self.steps("jobs")
        await super().create(jobs)


class NotedQueue(MemoryJobQueue):
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self.steps = steps
        self.enqueued: list[list[UUID]] = []

    async def enqueue(self, jobs: Sequence[UUID]) -> None:
        self.steps("queue")
        self.enqueued.append(list(jobs))
        await super().enqueue(jobs)

    async def cancel(self, job: UUID) -> None:
        self.steps("cancel")
        await super().cancel(job)


class Time:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class House:
    def __init__(self) -> None:
        self.steps = Steps()
        self.jobs = NotedLog(self.steps)
        self.queue = NotedQueue(self.steps)
        self.originals = NotedOriginals(self.steps)
        self.ids = iter([UUID(int=n) for n in range(1, 5_000)])
        self.intake = Intake(
            jobs=self.jobs,
            queue=self.queue,
            originals=self.originals,
            scale=SCALE,
            clock=Time(),
            new_id=lambda: next(self.ids),
        )

    async def accepted(self, **fields: object) -> Job:
        (job,) = await self.intake.accept([document("a.txt")], owner=ANA)
        changed = replace(job, **fields)  # type: ignore[arg-type]
        await self.jobs.save(changed)
        return changed


@pytest.fixture
def house() -> House:
    return House()


def document(uri: str, data: bytes = b"text", access: Access | None = OPEN) -> SourceDocument:
    return SourceDocument(
        "ana/uploads", uri, uri.rpartition("/")[2], data, access, "ana", datetime(2025, 1, 1, tzinfo=UTC)
    )


async def test_each_document_becomes_a_job_in_order(house: House) -> None:
    first, second = await house.intake.accept([document("x/a.txt"), document("b.txt", b"more")], owner=ANA)
    assert first == Job(
        id=UUID(int=1),
        tenant="acme",
        owner="ana",
        source="ana/uploads",
        uri="x/a.txt",
        file="a.txt",
        digest=digest_of(b"text"),
        access=OPEN,
        created=datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC),
        updated=datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC),
        modified=datetime(2025, 1, 1, tzinfo=UTC),
    )
    assert (second.uri, second.id, second.created > first.created) == ("b.txt", UUID(int=2), True)
    assert await house.jobs.get(second.id, reader=ANA) == second
    assert await house.originals.get(second.digest) == b"more"
    assert house.queue.enqueued == [[first.id, second.id]]


async def test_originals_are_stored_before_the_jobs_and_the_jobs_before_the_queue(house: House) -> None:
    await house.intake.accept([document("a.txt"), document("b.txt")], owner=ANA)
    assert house.steps.taken == ["original", "original", "jobs", "queue"]


@pytest.mark.parametrize(("broken", "jobs"), [("original", 0), ("jobs", 0), ("queue", 1)])
async def test_what_breaks_is_told_and_nothing_half_done_is_acknowledged(house: House, broken: str, jobs: int) -> None:
    house.steps.broken = broken
    with pytest.raises(DiskFull):
        await house.intake.accept([document("a.txt")], owner=ANA)
    assert len(await house.jobs.unfinished()) == jobs


async def test_a_job_that_never_reached_the_queue_is_found_again(house: House) -> None:
    house.steps.broken = "queue"
    with pytest.raises(DiskFull):
        await house.intake.accept([document("a.txt")], owner=ANA)
    house.steps.broken = ""
    assert await house.intake.requeue_lost() == 1
    assert house.queue.enqueued == [[UUID(int=1)]]


async def test_the_sweep_takes_what_is_not_over_and_nothing_else(house: House) -> None:
    jobs = [await house.accepted(state=state) for state in JobState]
    house.queue.enqueued.clear()
    assert await house.intake.requeue_lost() == 2
    assert house.queue.enqueued == [[job.id for job in jobs if not job.state.final]]


async def test_a_great_sweep_goes_in_pieces(house: House) -> None:
    await house.intake.accept([document(f"{n}.txt") for n in range(2_500)], owner=ANA)
    house.queue.enqueued.clear()
    assert await house.intake.requeue_lost() == 2_500
    assert [len(piece) for piece in house.queue.enqueued] == [1_000, 1_000, 500]


async def test_with_nothing_left_there_is_nothing_to_sweep(house: House) -> None:
    assert await house.intake.requeue_lost() == 0
    assert house.queue.enqueued == []


async def test_an_empty_file_is_a_job_too(house: House) -> None:
    (job,) = await house.intake.accept([document("empty.txt", b"")], owner=ANA)
    assert job.digest == digest_of(b"")
    assert await house.jobs.unfinished() == [job.id]


async def test_without_access_a_document_is_the_owner_s_alone_at_the_highest_label(house: House) -> None:
    (job,) = await house.intake.accept([document("a.txt", access=None)], owner=ANA)
    assert job.access == Access("acme", frozenset({"user:ana"}), SCALE.highest)


async def test_one_unknown_label_refuses_the_whole_call_before_anything_is_stored(house: House) -> None:
    wrong = Access("acme", frozenset({"everyone"}), Label(1, "secret"))
    with pytest.raises(UnknownLabel):
        await house.intake.accept([document("a.txt"), document("b.txt", access=wrong)], owner=ANA)
    assert house.steps.taken == []


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
async def test_a_job_that_ended_badly_is_carried_out_once_more(house: House, state: JobState) -> None:
    ended = await house.accepted(
        state=state, step=Step.FINISHED, attempts=5, error=JobError("worker_crashed", "It died.", "Retry.")
    )
    house.queue.enqueued.clear()
    job = await house.intake.retry(ended.id, reader=ANA)
    assert (job.state, job.step, job.attempts, job.error) == (JobState.QUEUED, Step.WAITING, 0, None)
    assert job.updated > ended.updated
    assert await house.jobs.get(job.id, reader=ANA) == job
    assert house.queue.enqueued == [[job.id]]


async def test_retrying_what_is_done_changes_nothing(house: House) -> None:
    done = await house.accepted(state=JobState.DONE)
    house.queue.enqueued.clear()
    assert await house.intake.retry(done.id, reader=ANA) == done
    assert house.queue.enqueued == []


async def test_retrying_what_runs_only_makes_sure_that_the_queue_knows_it(house: House) -> None:
    running = await house.accepted(state=JobState.RUNNING, attempts=1)
    house.queue.enqueued.clear()
    assert await house.intake.retry(running.id, reader=ANA) == running
    assert house.queue.enqueued == [[running.id]]


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
async def test_a_job_that_waits_or_runs_can_be_cancelled(house: House, state: JobState) -> None:
    job = await house.accepted(state=state)
    cancelled = await house.intake.cancel(job.id, reader=ANA)
    assert cancelled.state is JobState.CANCELLED
    assert await house.jobs.get(job.id, reader=ANA) == cancelled
    assert house.steps.taken[-1] == "cancel"


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
async def test_cancelling_what_is_over_changes_nothing(house: House, state: JobState) -> None:
    job = await house.accepted(state=state)
    assert await house.intake.cancel(job.id, reader=ANA) == job
    assert "cancel" not in house.steps.taken


async def test_a_foreign_job_and_a_missing_one_are_alike(house: House) -> None:
    job = await house.accepted(state=JobState.FAILED)
    for order in (house.intake.retry, house.intake.cancel):
        for hidden in (job.id, uuid4()):
            with pytest.raises(NotFound) as refused:
                await order(hidden, reader=BOB)
            assert refused.value.message == NotFound().message
    assert await house.jobs.get(job.id, reader=ANA) == job


async def test_a_queue_that_does_not_answer_leaves_a_retried_job_to_the_sweep(house: House) -> None:
    failed = await house.accepted(state=JobState.FAILED)
    house.steps.broken = "queue"
    with pytest.raises((DiskFull, StoreUnavailable)):
        await house.intake.retry(failed.id, reader=ANA)
    assert await house.jobs.unfinished() == [failed.id]

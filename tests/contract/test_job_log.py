"""What every log of jobs promises: nothing is forgotten, a final state stays, and everybody sees their own."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ingest.adapters.memory import MemoryJobLog
from ingest.adapters.sql_jobs import SqlJobLog
from ingest.model import Job, JobError, JobState, Step
from ingest.ports import JobLog
from retrieval.access import Access, Label, LabelScale, Principal
from retrieval.adapters.sql_database import Database
from retrieval.errors import NotFound
from retrieval.model import document_id

SCALE = LabelScale()
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DOCUMENT = document_id("acme", "uploads", "a.txt")


def principal(user: str, tenant: str = "acme") -> Principal:
    return Principal(tenant, user, frozenset({"people"}), SCALE.highest)


ANA = principal("ana")


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def jobs(request: pytest.FixtureRequest) -> AsyncIterator[JobLog]:
    if request.param == "memory":
        yield MemoryJobLog()
        return
    database = Database(request.getfixturevalue(f"migrated_{request.param}"))
    yield SqlJobLog(database, SCALE)
    await database.close()


def job(minutes: int = 0, *, owner: str = "ana", tenant: str = "acme", state: JobState = JobState.QUEUED) -> Job:
    created = NOON + timedelta(minutes=minutes)
    access = Access(tenant, frozenset({"everyone", "user:ana"}), Label(1, "internal"))
    return Job(
        id=uuid4(),
        tenant=tenant,
        owner=owner,
        source="uploads",
        uri="pasta/ação.txt",
        file="ação.txt",
        digest="sha256:" + "0" * 64,
        access=access,
        created=created,
        updated=created,
        state=state,
    )


async def test_a_job_comes_back_as_it_was_written(jobs: JobLog) -> None:
    written = replace(
        job(),
        state=JobState.FAILED,
        step=Step.PARSING,
        attempts=3,
        modified=NOON - timedelta(days=2, microseconds=7),
        document_id=DOCUMENT,
        pages=4,
        chunks=17,
        error=JobError("needs_ocr", "The pages are pictures.", "Run OCR."),
        warnings=("one", "dois"),
    )
    await jobs.create([written])
    assert await jobs.get(written.id, reader=None) == written
    assert await jobs.get(written.id, reader=ANA) == written


async def test_creating_a_job_that_exists_changes_nothing(jobs: JobLog) -> None:
    first, second = job(), job()
    await jobs.create([first])
    await jobs.create([replace(first, state=JobState.DONE), second])
    assert await jobs.get(first.id, reader=None) == first
    assert await jobs.get(second.id, reader=None) == second


async def test_creating_nothing_is_harmless_and_many_fit(jobs: JobLog) -> None:
    await jobs.create([])
    await jobs.create([job(n) for n in range(1_203)])
    assert len(await jobs.unfinished()) == 1_203


async def test_saving_replaces_a_job_whatever_its_state(jobs: JobLog) -> None:
    written = job(state=JobState.CANCELLED)
    await jobs.create([written])
    done = replace(written, state=JobState.DONE, document_id=DOCUMENT, updated=NOON + timedelta(hours=1))
    await jobs.save(done)
    assert await jobs.get(written.id, reader=None) == done
    again = replace(done, state=JobState.QUEUED, error=None, warnings=())
    await jobs.save(again)
    assert await jobs.get(written.id, reader=None) == again


async def test_saving_or_advancing_a_job_that_is_not_there_makes_none(jobs: JobLog) -> None:
    stranger = job()
    await jobs.save(stranger)
    assert not await jobs.advance(stranger)
    with pytest.raises(NotFound):
        await jobs.get(stranger.id, reader=None)


@pytest.mark.parametrize("state", list(JobState))
async def test_a_job_advances_unless_it_is_over(jobs: JobLog, state: JobState) -> None:
    written = job(state=state)
    await jobs.create([written])
    running = replace(written, state=JobState.RUNNING, step=Step.PARSING)
    assert await jobs.advance(running) is not state.final
    assert await jobs.get(written.id, reader=None) == (written if state.final else running)


async def test_of_many_who_end_a_job_at_once_one_succeeds(jobs: JobLog) -> None:
    written = job()
    await jobs.create([written])
    ended = [replace(written, state=state) for state in (JobState.DONE, JobState.CANCELLED, JobState.FAILED) * 3]
    assert sum(await asyncio.gather(*(jobs.advance(end) for end in ended))) == 1


async def test_a_reader_sees_their_own_jobs_and_the_worker_all(jobs: JobLog) -> None:
    mine, other, foreign = job(), job(owner="bob"), job(tenant="rival")
    await jobs.create([mine, other, foreign])
    assert await jobs.get(other.id, reader=None) == other
    for hidden in (other.id, foreign.id, uuid4()):
        with pytest.raises(NotFound) as refused:
            await jobs.get(hidden, reader=ANA)
        assert refused.value.message == NotFound().message
    assert [found.id for found in (await jobs.list_jobs(reader=ANA)).items] == [mine.id]
    assert [found.id for found in (await jobs.list_jobs(reader=principal("ana", "rival"))).items] == [foreign.id]


async def listed(jobs: JobLog, limit: int, state: JobState | None = None) -> list[UUID]:
    found: list[UUID] = []
    cursor: str | None = None
    while True:
        page = await jobs.list_jobs(reader=ANA, state=state, cursor=cursor, limit=limit)
        assert len(page.items) <= max(1, limit)
        found += [item.id for item in page.items]
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 7, 50])
async def test_pages_put_together_are_the_whole_list_newest_first(jobs: JobLog, limit: int) -> None:
    written = [job(minutes // 3, owner="bob" if minutes % 5 == 0 else "ana") for minutes in range(14)]
    await jobs.create(written)
    mine = [item for item in written if item.owner == "ana"]
    expected = sorted(sorted(mine, key=lambda item: item.id), key=lambda item: item.created, reverse=True)
    assert await listed(jobs, limit) == [item.id for item in expected]


async def test_a_list_can_be_cut_down_to_one_state(jobs: JobLog) -> None:
    written = [job(n, state=state) for n, state in enumerate([*JobState, *JobState])]
    await jobs.create(written)
    for state in JobState:
        expected = [item.id for item in reversed(written) if item.state is state]
        assert await listed(jobs, 1, state) == expected


async def test_jobs_that_come_in_meanwhile_do_not_disturb_the_pages(jobs: JobLog) -> None:
    written = [job(n) for n in range(4)]
    await jobs.create(written)
    first = await jobs.list_jobs(reader=ANA, limit=2)
    await jobs.create([job(10)])
    second = await jobs.list_jobs(reader=ANA, limit=2, cursor=first.cursor)
    assert [item.id for item in (*first.items, *second.items)] == [item.id for item in reversed(written)]


@pytest.mark.parametrize(
    "place",
    ["", "not a place", "2026-03-01T12:00:00+00:00 x", f"2026-03-01T12:00:00 {UUID(int=0)}", f"noon {UUID(int=0)}"],
)
async def test_a_cursor_that_is_not_ours_is_refused(jobs: JobLog, place: str) -> None:
    for cursor in (place, urlsafe_b64encode(place.encode()).decode()):
        with pytest.raises(NotFound, match="no such page"):
            await jobs.list_jobs(reader=ANA, cursor=cursor)


async def test_what_is_not_over_is_found_oldest_first_across_tenants(jobs: JobLog) -> None:
    written = [job(9 - n, tenant=f"t{n % 2}", state=state) for n, state in enumerate([*JobState, *JobState])]
    await jobs.create(written)
    expected = [item.id for item in reversed(written) if not item.state.final]
    assert await jobs.unfinished() == expected


async def test_a_later_job_that_stored_the_document_supersedes_an_earlier_one(jobs: JobLog) -> None:
    early = replace(job(0), document_id=DOCUMENT)
    later = replace(job(5), document_id=DOCUMENT)
    await jobs.create([early, replace(later, document_id=None)])
    assert not await jobs.superseded(early)
    for state in (JobState.RUNNING, JobState.FAILED, JobState.CANCELLED):
        await jobs.save(replace(later, state=state))
        assert not await jobs.superseded(early)
    await jobs.save(replace(later, state=JobState.DONE))
    assert await jobs.superseded(early)
    assert not await jobs.superseded(later)
    assert not await jobs.superseded(replace(early, document_id=document_id("acme", "uploads", "b.txt")))


async def test_a_job_whose_label_left_the_scale_counts_as_most_sensitive(migrated_sqlite: str) -> None:
    database = Database(migrated_sqlite)
    written = job()
    await SqlJobLog(database, SCALE).create([written])
    found = await SqlJobLog(database, LabelScale(("open", "closed"))).get(written.id, reader=None)
    await database.close()
    assert found.access.label == Label(1, "closed")

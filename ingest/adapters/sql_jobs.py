"""The log of jobs in the product's own database."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ingest.adapters.job_pages import cursor_of, place_of
from ingest.model import Job, JobError, JobState, Step
from retrieval.access import Access, LabelScale, Principal
from retrieval.adapters.sql_database import Database
from retrieval.adapters.sql_rows import label_of
from retrieval.adapters.sql_tables import jobs
from retrieval.errors import NotFound
from retrieval.model import PageOf

# SQLite takes 32,766 values in one statement, PostgreSQL 65,535; a job has 22.
ROWS: Final = 1_000
OVER: Final = [state.value for state in JobState if state.final]
UNFINISHED: Final = jobs.c.state.not_in(OVER)
PLAIN: Final = (
    *("id", "tenant", "owner", "source", "uri", "file", "digest", "created", "updated"),
    *("attempts", "modified", "document_id", "pages", "chunks"),
)


class SqlJobLog:
    """Port `JobLog`, on SQLite and PostgreSQL."""

    def __init__(self, database: Database, scale: LabelScale) -> None:
        self._database = database
        self._scale = scale

    async def create(self, new: Sequence[Job]) -> None:
        """Write new jobs down, all or none; those that exist stay as they are. Raises StoreUnavailable, DiskFull."""
        insert = (postgresql if self._database.dialect == "postgresql" else sqlite).insert(jobs)
        async with self._database.writing() as connection:
            for start in range(0, len(new), ROWS):
                rows = [row_of(job) for job in new[start : start + ROWS]]
                await connection.execute(insert.on_conflict_do_nothing(), rows)

    async def save(self, job: Job) -> None:
        """Replace the job of that id, whatever its state."""
        await self._replace(job, jobs.c.id == job.id)

    async def advance(self, job: Job) -> bool:
        """Replace the job of that id unless it is over: one statement, so that no cancellation is lost in between."""
        return await self._replace(job, and_(jobs.c.id == job.id, UNFINISHED))

    async def get(self, job: UUID, *, reader: Principal | None) -> Job:
        """One job. Raises NotFound, alike for a missing and a foreign one."""
        statement = select(jobs).where(jobs.c.id == job)
        if reader is not None:
            statement = statement.where(own(reader))
        async with self._database.reading() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        if row is None:
            raise NotFound
        return job_of(row, self._scale)

    async def list_jobs(
        self, *, reader: Principal, state: JobState | None = None, cursor: str | None = None, limit: int = 50
    ) -> PageOf[Job]:
        """The reader's own jobs, newest first. Raises NotFound for a cursor that is not one of ours."""
        limit = max(1, limit)
        statement = select(jobs).where(own(reader))
        if state is not None:
            statement = statement.where(jobs.c.state == state.value)
        if cursor is not None:
            created, last = place_of(cursor)
            after = or_(jobs.c.created < created, and_(jobs.c.created == created, jobs.c.id > last))
            statement = statement.where(after)
        statement = statement.order_by(jobs.c.created.desc(), jobs.c.id).limit(limit + 1)
        async with self._database.reading() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        found = tuple(job_of(row, self._scale) for row in rows[:limit])
        return PageOf(found, cursor_of(found[-1]) if len(rows) > limit else None)

    async def unfinished(self) -> list[UUID]:
        """Every job that is not over, of all tenants, oldest first."""
        statement = select(jobs.c.id).where(UNFINISHED).order_by(jobs.c.created, jobs.c.id)
        async with self._database.reading() as connection:
            return list((await connection.execute(statement)).scalars())

    async def superseded(self, job: Job) -> bool:
        """Whether a job that was created later has stored the same `document_id`."""
        later = select(jobs.c.id).where(
            jobs.c.document_id == job.document_id,
            jobs.c.state == JobState.DONE.value,
            jobs.c.created > job.created,
        )
        async with self._database.reading() as connection:
            return (await connection.execute(later.limit(1))).first() is not None

    async def _replace(self, job: Job, which: ColumnElement[bool]) -> bool:
        async with self._database.writing() as connection:
            return (await connection.execute(update(jobs).where(which).values(row_of(job)))).rowcount == 1


def own(reader: Principal) -> ColumnElement[bool]:
    """The jobs that the reader handed in."""
    return and_(jobs.c.tenant == reader.tenant, jobs.c.owner == reader.user)


def row_of(job: Job) -> dict[str, object]:
    """A job as a row of `jobs`."""
    error = job.error
    return {
        **{name: getattr(job, name) for name in PLAIN},
        "readers": sorted(job.access.readers),
        "label": job.access.label.name,
        "state": job.state.value,
        "step": job.step.value,
        "error_code": error.code if error else None,
        "error_message": error.message if error else None,
        "error_remedy": error.remedy if error else None,
        "warnings": list(job.warnings),
    }


def job_of(row: RowMapping, scale: LabelScale) -> Job:
    """The job of a row."""
    error = JobError(row["error_code"], row["error_message"], row["error_remedy"]) if row["error_code"] else None
    return Job(
        **{name: row[name] for name in PLAIN},
        access=Access(row["tenant"], frozenset(row["readers"]), label_of(row["label"], scale)),
        state=JobState(row["state"]),
        step=Step(row["step"]),
        error=error,
        warnings=tuple(row["warnings"]),
    )

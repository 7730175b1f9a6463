"""Source, log of jobs and queue in memory: the readable specification of what folders, databases and DBOS do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from uuid import UUID

import structlog

from ingest.adapters.job_pages import cursor_of, place_of
from ingest.errors import FileVanished
from ingest.model import Job, JobState, SourceDocument, SourceItem
from retrieval.access import Principal
from retrieval.errors import NotFound
from retrieval.model import PageOf, digest_of

log = structlog.get_logger()


class MemorySource:
    """Port `Source` on a dictionary of documents by uri."""

    def __init__(self, name: str, documents: Iterable[SourceDocument] = ()) -> None:
        self._name = name
        self.documents = {document.uri: document for document in documents}

    @property
    def name(self) -> str:
        """Part of each document's identity."""
        return self._name

    async def discover(self) -> AsyncIterator[SourceItem]:
        """Every document, ordered by uri."""
        for uri, document in sorted(self.documents.items()):
            yield SourceItem(uri, document.name, len(document.data), digest_of(document.data), document.modified)

    async def fetch(self, uri: str) -> SourceDocument:
        """One document. Raises FileVanished."""
        if uri not in self.documents:
            raise FileVanished
        return self.documents[uri]


class MemoryJobLog:
    """Port `JobLog` on one dictionary. No method waits between reading and writing, so each call is one step."""

    def __init__(self) -> None:
        self._jobs: dict[UUID, Job] = {}

    async def create(self, jobs: Sequence[Job]) -> None:
        """Write new jobs down; those that exist stay as they are."""
        for job in jobs:
            self._jobs.setdefault(job.id, job)

    async def save(self, job: Job) -> None:
        """Replace the job of that id, whatever its state."""
        if job.id in self._jobs:
            self._jobs[job.id] = job

    async def advance(self, job: Job) -> bool:
        """Replace the job of that id unless it is over, and say whether it was replaced."""
        known = self._jobs.get(job.id)
        if known is None or known.state.final:
            return False
        self._jobs[job.id] = job
        return True

    async def get(self, job: UUID, *, reader: Principal | None) -> Job:
        """One job. Raises NotFound, alike for a missing and a foreign one."""
        found = self._jobs.get(job)
        if found is None or not (reader is None or own(found, reader)):
            raise NotFound
        return found

    async def list_jobs(
        self, *, reader: Principal, state: JobState | None = None, cursor: str | None = None, limit: int = 50
    ) -> PageOf[Job]:
        """The reader's own jobs, newest first, then by id. Raises NotFound for a cursor that is not one of ours."""
        limit = max(1, limit)
        mine = [job for job in self._jobs.values() if own(job, reader) and state in {None, job.state}]
        ordered = sorted(sorted(mine, key=lambda job: job.id), key=lambda job: job.created, reverse=True)
        if cursor is not None:
            created, last = place_of(cursor)
            ordered = [job for job in ordered if job.created < created or (job.created == created and job.id > last)]
        page = tuple(ordered[:limit])
        return PageOf(page, cursor_of(page[-1]) if len(ordered) > limit else None)

    async def unfinished(self) -> list[UUID]:
        """Every job that is not over, of all tenants, oldest first."""
        open_jobs = [job for job in self._jobs.values() if not job.state.final]
        return [job.id for job in sorted(open_jobs, key=lambda job: (job.created, job.id))]

    async def superseded(self, job: Job) -> bool:
        """Whether a job that was created later has stored the same `document_id`."""
        return any(
            other.document_id == job.document_id and other.state is JobState.DONE and other.created > job.created
            for other in self._jobs.values()
        )


def own(job: Job, reader: Principal) -> bool:
    """Whether the reader handed the job in."""
    return (job.tenant, job.owner) == (reader.tenant, reader.user)


class MemoryJobQueue:
    """Port `JobQueue`: one job after the other, first come, first served. It outlives `work()`, not the process."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, None] = {}
        self._running: UUID | None = None
        self._arrived = asyncio.Event()

    async def enqueue(self, jobs: Sequence[UUID]) -> None:
        """Put the jobs behind those that wait; what waits or runs already stays where it is."""
        self._waiting.update(dict.fromkeys(job for job in jobs if job not in self._waiting and job != self._running))
        self._arrived.set()

    async def work(self, handle: Callable[[UUID], Awaitable[None]]) -> None:
        """Carry out what waits, until cancelled; a job that was interrupted is the next one again."""
        while True:
            self._arrived.clear()
            while self._waiting:
                await self._carry_out(next(iter(self._waiting)), handle)
            await self._arrived.wait()

    async def cancel(self, job: UUID) -> None:
        """Forget a job that waits."""
        self._waiting.pop(job, None)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _carry_out(self, job: UUID, handle: Callable[[UUID], Awaitable[None]]) -> None:
        del self._waiting[job]
        self._running = job
        try:
            (raised,) = await asyncio.gather(handle(job), return_exceptions=True)
            if isinstance(raised, Exception):
                log.error("job_raised", job=str(job), error=type(raised).__name__)
        except asyncio.CancelledError:
            self._waiting = {job: None, **self._waiting}
            raise
        finally:
            self._running = None

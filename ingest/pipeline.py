"""One document, one durable job: fetch, parse, label, chunk, write. Every step may be repeated without harm.

What the steps may raise decides what becomes of the job: a temporary failure is waited for, any other of our errors
fails the job with its reason and remedy, and a fault of ours is the worker's outermost loop's to catch.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import structlog

from ingest.errors import EmptyFile, FileVanished, NoTextFound, WorkerCrashed
from ingest.isolation import Isolation
from ingest.model import Job, JobError, JobState, Step
from ingest.ports import Chunker, JobLog, LibraryWriter, Parser
from ingest.retries import GiveUp, RetryAt, RetryPolicy
from retrieval.errors import LastroError, NotFound, TemporaryFailure
from retrieval.model import DocumentVersion, ParsedDocument, document_id
from retrieval.ports import Originals

log = structlog.get_logger()

T = TypeVar("T")

LOOK_SECONDS: Final = 2.0
SUPERSEDED: Final = "A newer version of this document was added meanwhile; this one was not stored."
INTERNAL: Final = JobError(
    "internal_error", "Lastro met a fault of its own.", "See the worker's log, then retry the job."
)


Pause: TypeAlias = tuple[Job, LastroError, datetime]


class Over(Exception):
    """The job was cancelled or is over otherwise: nothing is left to do."""


class Pipeline:
    """Carries jobs out, each from where its document lies to where it can be found."""

    def __init__(
        self,
        *,
        jobs: JobLog,
        originals: Originals,
        parser: Parser,
        chunker: Chunker,
        library: LibraryWriter,
        clock: Callable[[], datetime],
        retries: RetryPolicy,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._jobs = jobs
        self._originals = originals
        self._parser = parser
        self._chunker = chunker
        self._library = library
        self._clock = clock
        self._retries = retries
        self._sleep = sleep
        self._isolation = Isolation()
        self._writing: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def run(self, job: UUID) -> None:
        """Carry the job out until it is done, failed or cancelled; one that is over or forgotten is left alone.

        Raises nothing but what is a fault of ours. When cancelled itself, it puts the job back as if it had not begun.
        """
        tries = 1
        try:
            while (pause := await self._try(job, tries)) is not None:
                await self._wait(*pause)
                tries += 1
        except (Over, NotFound):
            log.info("job_not_to_do", job=str(job))
        except asyncio.CancelledError:
            await self._put_back(job)
            raise

    async def fail_internally(self, job: UUID) -> None:
        """Fail the job for a fault of ours; its message tells nothing that could be a document's text."""
        found = await self._patiently(lambda: self._jobs.get(job, reader=None))
        await self._finish(replace(found, state=JobState.FAILED, error=INTERNAL))

    async def _try(self, job: UUID, tries: int) -> Pause | None:
        """Carry the job out once; what to wait for before the next time, None when it is over."""
        found = await self._patiently(lambda: self._jobs.get(job, reader=None))
        if found.state.final:
            raise Over
        # Nobody else carries it out: its worker died in the middle.
        interrupted = tries == 1 and found.state is JobState.RUNNING
        async with self._isolation.alone() if interrupted else self._isolation.together():
            if interrupted and self._retries.suspects(found.attempts):
                await self._fail(found, WorkerCrashed())
                return None
            begun = replace(found, attempts=found.attempts + (tries == 1))
            return await self._outcome(await self._step(begun, Step.FETCHING), tries)

    async def _outcome(self, job: Job, tries: int) -> Pause | None:
        try:
            await self._carry_out(job)
        except LastroError as failure:
            match self._retries.decide(tries, failure):
                case GiveUp():
                    await self._fail(job, failure)
                case RetryAt(moment):
                    return job, failure, moment
        return None

    async def _carry_out(self, job: Job) -> None:
        data = await self._fetch(job)
        await self._step(job, Step.PARSING)
        parsed = await self._parser.parse(data, job.file)
        await self._step(job, Step.CHUNKING)
        version = version_of(job, data, parsed)
        chunks = await asyncio.to_thread(self._chunker, parsed, version)
        if not chunks:
            raise NoTextFound
        done = replace(job, document_id=version.document_id, warnings=parsed.warnings)
        async with self._writing.setdefault(version.document_id, asyncio.Lock()):
            await self._step(job, Step.EMBEDDING)
            if await self._patiently(lambda: self._jobs.superseded(done)):
                await self._finish(replace(done, state=JobState.DONE, warnings=(*done.warnings, SUPERSEDED)))
                return
            await self._library.write(version, parsed, chunks)
            stored = replace(done, pages=len(parsed.pages), chunks=len(chunks))
            await self._finish(replace(stored, state=JobState.DONE, error=None))

    async def _fetch(self, job: Job) -> bytes:
        try:
            data = await self._originals.get(job.digest)
        except NotFound as error:
            raise FileVanished("The stored original is missing.") from error
        if not data:
            raise EmptyFile
        return data

    async def _step(self, job: Job, step: Step) -> Job:
        """Write down what the job does now. Raises Over when it was cancelled meanwhile."""
        now = replace(job, state=JobState.RUNNING, step=step, error=None, updated=self._clock())
        if not await self._patiently(lambda: self._jobs.advance(now)):
            raise Over
        return now

    async def _finish(self, job: Job) -> None:
        """Write down how the job ended: even over a cancellation that came too late, since this is what happened."""
        over = replace(job, step=Step.FINISHED, updated=self._clock())
        await self._patiently(lambda: self._jobs.save(over))
        log.info("job_over", job=str(job.id), state=job.state, code=job.error.code if job.error else None)

    async def _fail(self, job: Job, failure: LastroError) -> None:
        await self._finish(replace(job, state=JobState.FAILED, error=reason(failure)))

    async def _wait(self, job: Job, failure: LastroError, moment: datetime) -> None:
        """Show why the job waits, and wait. Raises Over when it is cancelled meanwhile."""
        waiting = replace(job, state=JobState.QUEUED, step=Step.WAITING, error=reason(failure), updated=self._clock())
        if not await self._patiently(lambda: self._jobs.advance(waiting)):
            raise Over
        log.warning("job_waits", job=str(job.id), code=failure.code, until=moment.isoformat())
        while (left := (moment - self._clock()).total_seconds()) > 0:
            await self._sleep(min(left, LOOK_SECONDS))
            if (await self._patiently(lambda: self._jobs.get(job.id, reader=None))).state.final:
                raise Over

    async def _put_back(self, job: UUID) -> None:
        """An orderly stop is not the job's fault: it does not count as an attempt."""
        with suppress(TemporaryFailure):
            found = await self._jobs.get(job, reader=None)
            if found.state is JobState.RUNNING:
                back = replace(found, state=JobState.QUEUED, step=Step.WAITING, attempts=found.attempts - 1)
                await self._jobs.advance(replace(back, updated=self._clock()))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the log of jobs until it answers: without it nothing can be carried out, and nothing may get lost."""
        while True:
            try:
                return await ask()
            except TemporaryFailure as failure:
                log.warning("job_log_waits", code=failure.code)
                await self._sleep(LOOK_SECONDS)


def version_of(job: Job, data: bytes, parsed: ParsedDocument) -> DocumentVersion:
    """The version that the job's bytes are, under the access they came in with."""
    return DocumentVersion(
        document_id=document_id(job.tenant, job.source, job.uri),
        digest=job.digest,
        source=job.source,
        uri=job.uri,
        title=parsed.title or job.file,
        media_type=parsed.media_type,
        size=len(data),
        access=job.access,
        added_by=job.owner,
        modified=job.modified,
    )


def reason(failure: LastroError) -> JobError:
    """A failure as people read it."""
    return JobError(failure.code, failure.message, failure.hint)

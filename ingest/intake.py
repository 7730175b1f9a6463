"""Where documents come in: acknowledged means that the bytes and the job are on disk, whatever dies next.

The order is what makes it true: the original first, then the job that points to it, then the queue. A process that dies
between the last two leaves a job that nobody works on; `requeue_lost()` finds it when the worker starts.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from ingest.labelling import access_for
from ingest.model import Job, JobState, SourceDocument, Step
from ingest.ports import JobLog, JobQueue
from retrieval.access import LabelScale, Principal
from retrieval.ports import Originals

log = structlog.get_logger()

SWEPT: Final = 1_000


class Intake:
    """Takes documents in, and takes orders about the jobs that they became."""

    def __init__(
        self,
        *,
        jobs: JobLog,
        queue: JobQueue,
        originals: Originals,
        scale: LabelScale,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._jobs = jobs
        self._queue = queue
        self._originals = originals
        self._scale = scale
        self._clock = clock
        self._new_id = new_id

    async def accept(self, documents: Sequence[SourceDocument], *, owner: Principal) -> list[Job]:
        """One job for each document, in order; durable when it returns. An empty file becomes a job that says so.

        Raises UnknownLabel or ValueError before anything is stored, StoreUnavailable and DiskFull at any point: the
        caller may then repeat the call.
        """
        accesses = [access_for(document.access, owner, self._scale) for document in documents]
        jobs = []
        for document, access in zip(documents, accesses, strict=True):
            digest = await self._originals.put(document.data)
            now = self._clock()
            jobs.append(
                Job(
                    id=self._new_id(),
                    tenant=owner.tenant,
                    owner=owner.user,
                    source=document.source,
                    uri=document.uri,
                    file=document.name,
                    digest=digest,
                    access=access,
                    created=now,
                    updated=now,
                    modified=document.modified,
                )
            )
        await self._jobs.create(jobs)
        await self._queue.enqueue([job.id for job in jobs])
        log.info("documents_accepted", jobs=len(jobs), owner=owner.user, tenant=owner.tenant)
        return jobs

    async def retry(self, job: UUID, *, reader: Principal) -> Job:
        """Carry out once more a job that failed or was cancelled; others stay as they are. Raises NotFound."""
        found = await self._jobs.get(job, reader=reader)
        if found.state in {JobState.FAILED, JobState.CANCELLED}:
            found = replace(
                found, state=JobState.QUEUED, step=Step.WAITING, attempts=0, error=None, updated=self._clock()
            )
            await self._jobs.save(found)
            log.info("job_retried", job=str(job))
        if not found.state.final:
            await self._queue.enqueue([job])
        return found

    async def cancel(self, job: UUID, *, reader: Principal) -> Job:
        """Stop a job that waits or runs; one that is over stays as it is. Raises NotFound."""
        found = await self._jobs.get(job, reader=reader)
        cancelled = replace(found, state=JobState.CANCELLED, updated=self._clock())
        if not await self._jobs.advance(cancelled):
            return await self._jobs.get(job, reader=reader)
        await self._queue.cancel(job)
        log.info("job_cancelled", job=str(job))
        return cancelled

    async def requeue_lost(self) -> int:
        """Hand every job that is not over to the queue, which ignores those it knows; returns their number.

        For the start of a worker: the process that accepted them may have died before it could enqueue them.
        """
        unfinished = await self._jobs.unfinished()
        for start in range(0, len(unfinished), SWEPT):
            await self._queue.enqueue(unfinished[start : start + SWEPT])
        return len(unfinished)

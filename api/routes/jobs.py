"""Jobs: what became of what was handed in. Everybody sees their own."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from api.auth import Contributor, Reader
from api.parts import Parts, Wired
from api.schemas.jobs import JobShown, JobsShown
from api.sse import error_event, event, stream
from ingest.model import JobState
from retrieval.access import Principal
from retrieval.errors import LastroError

router = APIRouter(tags=["jobs"])

LOOK_SECONDS = 0.5


@router.get("/v1/jobs")
async def list_jobs(
    parts: Wired,
    caller: Reader,
    state: JobState | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobsShown:
    """The caller's jobs, newest first."""
    return JobsShown.of(await parts.jobs.list_jobs(reader=caller.principal, state=state, cursor=cursor, limit=limit))


@router.get("/v1/jobs/{job_id}")
async def show(job_id: UUID, parts: Wired, caller: Reader) -> JobShown:
    """One job."""
    return JobShown.of(await parts.jobs.get(job_id, reader=caller.principal))


@router.post("/v1/jobs/{job_id}/retry", status_code=202)
async def retry(job_id: UUID, parts: Wired, caller: Contributor) -> JobShown:
    """Carry out once more a job that failed or was cancelled."""
    return JobShown.of(await parts.intake.retry(job_id, reader=caller.principal))


@router.post("/v1/jobs/{job_id}/cancel", status_code=202)
async def cancel(job_id: UUID, parts: Wired, caller: Contributor) -> JobShown:
    """Stop a job that waits or runs."""
    return JobShown.of(await parts.intake.cancel(job_id, reader=caller.principal))


@router.get("/v1/jobs/{job_id}/events", response_class=StreamingResponse)
async def watch(job_id: UUID, parts: Wired, caller: Reader) -> StreamingResponse:
    """The event `job` at each change, until the job is over."""
    await parts.jobs.get(job_id, reader=caller.principal)
    return stream(changes(parts, job_id, caller.principal))


async def changes(parts: Parts, job_id: UUID, reader: Principal) -> AsyncGenerator[bytes]:
    """The job each time it looks different."""
    last: JobShown | None = None
    try:
        while last is None or not last.state.final:
            shown = JobShown.of(await parts.jobs.get(job_id, reader=reader))
            if shown != last:
                yield event("job", shown)
                last = shown
            else:
                await asyncio.sleep(LOOK_SECONDS)
    except LastroError as error:
        yield error_event(error)

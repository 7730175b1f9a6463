"""Jobs over the wire."""

from collections.abc import Sequence
from typing import Self
from uuid import UUID

from api.schemas.shapes import Shown, Time
from ingest.model import Job, JobState
from retrieval.model import PageOf


class JobErrorShown(Shown):
    """Why a job failed and what to do about it."""

    code: str
    message: str
    remedy: str


class JobShown(Shown):
    """One document on its way into the library."""

    id: UUID
    file: str
    state: JobState
    step: str
    source: str
    uri: str
    label: str
    readers: list[str]
    document_id: UUID | None
    pages: int
    chunks: int
    attempts: int
    created: Time
    updated: Time
    error: JobErrorShown | None
    warnings: list[str]

    @classmethod
    def of(cls, job: Job) -> Self:
        """From ingestion's value."""
        error = job.error
        shown = JobErrorShown(code=error.code, message=error.message, remedy=error.remedy) if error else None
        same = ("id", "file", "state", "source", "uri", "document_id", "pages", "chunks", "attempts")
        return cls(
            **{name: getattr(job, name) for name in same},
            step=job.step,
            label=job.access.label.name,
            readers=sorted(job.access.readers),
            created=job.created,
            updated=job.updated,
            error=shown,
            warnings=list(job.warnings),
        )


class JobsAccepted(Shown):
    """What an upload became: durable, and carried out one by one."""

    jobs: list[JobShown]

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Self:
        """From ingestion's values."""
        return cls(jobs=[JobShown.of(job) for job in jobs])


class JobsShown(Shown):
    """One page of jobs."""

    items: list[JobShown]
    next: str | None

    @classmethod
    def of(cls, page: PageOf[Job]) -> Self:
        """From the log's page."""
        return cls(items=[JobShown.of(job) for job in page.items], next=page.cursor)

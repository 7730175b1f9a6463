"""What ingestion talks about: what a source holds, what a job is, what a parser may use."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from retrieval.access import Access


class JobState(StrEnum):
    """Where a job stands; `done`, `failed` and `cancelled` are final until it is retried."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


class Step(StrEnum):
    """What a running job is doing."""

    WAITING = "waiting"
    FETCHING = "fetching"
    PARSING = "parsing"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    WRITING = "writing"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class SourceItem:
    """A document as its source lists it. `tag` is only compared, never parsed: another tag means other bytes."""

    uri: str
    name: str
    size: int
    tag: str
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document as its source hands it over. `access` is what the source says, None where it says nothing."""

    source: str
    uri: str
    name: str
    data: bytes
    access: Access | None = None
    added_by: str = ""
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed, for people: a stable code, what happened, what to do about it."""

    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Job:
    """One document on its way into the library. The bytes lie in the originals under `digest`."""

    id: UUID
    tenant: str
    owner: str
    source: str
    uri: str
    file: str
    digest: str
    access: Access
    created: datetime
    updated: datetime
    state: JobState = JobState.QUEUED
    step: Step = Step.WAITING
    attempts: int = 0
    modified: datetime | None = None
    document_id: UUID | None = None
    pages: int = 0
    chunks: int = 0
    error: JobError | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one document may cost."""

    file_bytes: int = 200 * 2**20
    memory_bytes: int = 2 * 2**30
    cpu_seconds: int = 60
    wall_seconds: float = 90.0
    expanded_bytes: int = 200 * 2**20  # of a zip container, all members together
    expansion_ratio: int = 100
    pages: int = 5_000
    min_characters_per_page: int = 20

"""What ingestion needs from outside. Each port has one contract suite in `tests/contract`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol
from uuid import UUID

from ingest.model import Job, JobState, SourceDocument, SourceItem
from retrieval.access import Principal
from retrieval.model import Chunk, DocumentVersion, PageOf, ParsedDocument


class Source(Protocol):
    """A place documents come from."""

    @property
    def name(self) -> str:
        """Part of each document's identity; stable for the life of the source."""

    def discover(self) -> AsyncIterator[SourceItem]:
        """Everything the source holds now, in a stable order. Raises SourceUnavailable."""

    async def fetch(self, uri: str) -> SourceDocument:
        """One document with its access. Raises FileVanished, SourceUnavailable."""


class Parser(Protocol):
    """Reads one document."""

    async def parse(self, data: bytes, name: str) -> ParsedDocument:
        """Text with pages and blocks. Never an empty text: raises an UnreadableDocument that says why."""

    async def close(self) -> None:
        """Let go of processes; closing twice is harmless."""


class Chunker(Protocol):
    """Cuts a parsed document into passages."""

    def __call__(self, parsed: ParsedDocument, version: DocumentVersion) -> Sequence[Chunk]:
        """Passages in order, each an exact slice of the text; together they cover all of it but white space."""


class LibraryWriter(Protocol):
    """The library as the pipeline sees it."""

    async def write(self, version: DocumentVersion, parsed: ParsedDocument, chunks: Sequence[Chunk]) -> None:
        """Make the version visible in one step; repeating it changes nothing."""


class JobLog(Protocol):
    """What became of every document that was handed in: durable when a call returns."""

    async def create(self, jobs: Sequence[Job]) -> None:
        """Write new jobs down, all or none. Creating a job that exists changes nothing."""

    async def save(self, job: Job) -> None:
        """Replace the job of that id, whatever its state."""

    async def advance(self, job: Job) -> bool:
        """Replace the job of that id unless it is over, and say whether it was replaced: one step, no gap between."""

    async def unfinished(self) -> list[UUID]:
        """Every job that is not over, of all tenants, oldest first: for the start of a worker."""

    async def superseded(self, job: Job) -> bool:
        """Whether a job that was created later has stored the same `document_id`."""

    async def get(self, job: UUID, *, reader: Principal | None) -> Job:
        """One job. A reader sees only their own, None (the worker) sees all. Raises NotFound."""

    async def list_jobs(
        self, *, reader: Principal, state: JobState | None = None, cursor: str | None = None, limit: int = 50
    ) -> PageOf[Job]:
        """The reader's own jobs, newest first."""


class JobQueue(Protocol):
    """Durable work: what was enqueued is carried out, whatever dies in between."""

    async def enqueue(self, jobs: Sequence[UUID]) -> None:
        """Durable when it returns; enqueuing a job again while it waits or runs changes nothing."""

    async def work(self, handle: Callable[[UUID], Awaitable[None]]) -> None:
        """Carry out what waits, until cancelled. `handle` may be called again for a job that was interrupted."""

    async def cancel(self, job: UUID) -> None:
        """A job that waits is never started; one that runs is stopped at its next step."""

    async def close(self) -> None:
        """Let go of the queue; closing twice is harmless."""

"""How many jobs a second the durable queue and the pipeline carry out when the work itself costs nothing.

    python tests/bench/jobs.py [--jobs 300] [--json reports/jobs.json]

`queue` is the queue alone; `pipeline` adds the log of jobs, the stored originals and every step but a real parser and
library. Both on SQLite in a temporary folder, one worker.
"""

import argparse
import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import structlog

from ingest.adapters.dbos_jobs import DbosJobQueue
from ingest.adapters.sql_jobs import SqlJobLog
from ingest.intake import Intake
from ingest.model import SourceDocument
from ingest.pipeline import Pipeline
from ingest.retries import RetryPolicy
from ingest.worker import Worker
from retrieval.access import LabelScale, Principal
from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.sql_database import Database
from retrieval.model import Chunk, DocumentVersion, ParsedDocument, chunk_id

SCALE = LabelScale()


def clock() -> datetime:
    return datetime.now(UTC)


class PlainParser:
    async def parse(self, data: bytes, name: str) -> ParsedDocument:
        return ParsedDocument(data.decode(), "text/plain")

    async def close(self) -> None: ...


class NoLibrary:
    """Counts what would be written, and says when it is all."""

    def __init__(self, expected: int) -> None:
        self.left = expected
        self.over = asyncio.Event()

    async def write(self, version: DocumentVersion, parsed: ParsedDocument, chunks: Sequence[Chunk]) -> None:
        self.left -= 1
        if not self.left:
            self.over.set()


def one_chunk(parsed: ParsedDocument, version: DocumentVersion) -> Sequence[Chunk]:
    chunk = chunk_id(version.document_id, version.digest, 0)
    return [Chunk(chunk, version.document_id, version.digest, 0, 0, len(parsed.text), parsed.text)]


async def timed(working: "asyncio.Task[None]", over: asyncio.Event, count: int) -> float:
    """Jobs a second until `over`."""
    begun = time.perf_counter()
    await over.wait()
    seconds = time.perf_counter() - begun
    working.cancel()
    await asyncio.wait([working])
    return round(count / seconds, 1)


async def queue_alone(folder: Path, count: int) -> dict[str, float]:
    queue = DbosJobQueue.in_file(folder / "alone.db", polling_interval=0.05)
    left, over = set(jobs := [uuid4() for _ in range(count)]), asyncio.Event()

    async def handle(job: UUID) -> None:
        left.discard(job)
        if not left:
            over.set()

    begun = time.perf_counter()
    await queue.enqueue(jobs)
    enqueued = time.perf_counter() - begun
    rate = await timed(asyncio.create_task(queue.work(handle)), over, count)
    await queue.close()
    return {"queue_enqueue_ms": round(enqueued * 1000, 1), "queue_jobs_per_s": rate}


async def pipeline(folder: Path, count: int) -> dict[str, float]:
    database = Database.in_file(folder / "lastro.db")
    await database.migrate()
    jobs, originals = SqlJobLog(database, SCALE), FolderOriginals(folder / "originals")
    queue = DbosJobQueue.in_file(folder / "queue.db", polling_interval=0.05)
    intake = Intake(jobs=jobs, queue=queue, originals=originals, scale=SCALE, clock=clock, new_id=uuid4)
    library = NoLibrary(count)
    carrying_out = Pipeline(
        jobs=jobs,
        originals=originals,
        parser=PlainParser(),
        chunker=one_chunk,
        library=library,
        clock=clock,
        retries=RetryPolicy(clock, Random(1)),
    )
    documents = [SourceDocument("bench", f"{n}.txt", f"{n}.txt", b"text %d" % n) for n in range(count)]
    begun = time.perf_counter()
    await intake.accept(documents, owner=Principal("bench", "bench", frozenset(), SCALE.highest))
    accepted = time.perf_counter() - begun
    working = asyncio.create_task(Worker(pipeline=carrying_out, intake=intake, queue=queue).run())
    rate = await timed(working, library.over, count)
    await queue.close()
    await database.close()
    return {"accept_per_s": round(count / accepted, 1), "pipeline_jobs_per_s": rate}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    figures: dict[str, float] = {"n": options.jobs, "load": round(os.getloadavg()[0], 2), "cores": os.cpu_count() or 0}
    for measure in (queue_alone, pipeline):
        with tempfile.TemporaryDirectory() as folder:
            figures |= asyncio.run(measure(Path(folder), options.jobs))
    for name, figure in figures.items():
        print(f"{name:22}{figure:>10}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

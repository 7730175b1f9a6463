"""The queue's database, which DBOS and our own table of waiting jobs share. All of it blocks: call it in a thread."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from uuid import UUID

import structlog
from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer

from ingest.adapters.dbos_tables import Waiting, queue_engine
from retrieval.adapters.sql_errors import store_errors

log = structlog.get_logger()

APPLICATION: Final = "lastro"
# Stands on every stored batch, and only a worker of the same version carries it out: raise it when batches change.
VERSION: Final = "1"
BATCH: Final = "batch"
FEW, MANY = "lastro-few", "lastro-many"
FEW_JOBS: Final = 4
BATCH_JOBS: Final = 16
ACTIVE: Final = ["ENQUEUED", "DELAYED", "PENDING"]
OVER: Final = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
TIDIED: Final = 500


class Notices(logging.Handler):
    """What DBOS warns of goes where our own log goes, and nowhere else."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one notice on; it names workflows and queues, never a document."""
        kind = record.exc_info[0] if record.exc_info else None
        error = kind.__name__ if kind else None
        log.warning("queue_notice", severity=record.levelname.lower(), notice=record.getMessage(), error=error)


def divert_logging() -> None:
    """Keep DBOS's log off the console: warnings go to ours."""
    logger = logging.getLogger("dbos")
    if not any(isinstance(handler, Notices) for handler in logger.handlers):
        logger.handlers = [Notices()]
    logger.propagate = False
    logger.setLevel(logging.WARNING)


def evenly(jobs: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """The jobs in as few parts of at most `most` as will do, of nearly the same size, in order."""
    parts = math.ceil(len(jobs) / most)
    for n in range(parts):
        yield jobs[len(jobs) * n // parts : len(jobs) * (n + 1) // parts]


class QueueDatabase:
    """The queue's tables, DBOS's and ours. Blocks: call it in a thread."""

    def __init__(self, url: str, new_id: Callable[[], UUID]) -> None:
        self._new_id = new_id
        divert_logging()
        # First, because it sets a new file up for several processes before DBOS writes to it.
        self.engine = queue_engine(url)
        with self.engine.connect():
            DBOS.migrate(self.engine.url.render_as_string(hide_password=False))
        self.waiting = Waiting.on(self.engine)
        with self.engine.begin() as connection:
            self.waiting.make(connection)
        self.client = DBOSClient(
            system_database_engine=self.engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,
        )

    def enqueue(self, jobs: Sequence[str]) -> None:
        """Put the jobs that do not wait yet into batches, all in one transaction."""
        queue = FEW if len(jobs) <= FEW_JOBS else MANY
        with self.engine.begin() as connection:
            for part in evenly(jobs, BATCH_JOBS):
                batch = str(self._new_id())
                claimed = self.waiting.claim(connection, part, batch)
                if len(claimed) < len(part):
                    held = [job for job in part if job not in claimed]
                    self.waiting.revive(connection, held)
                    self.waiting.forget(connection, sorted(self._dead(self.waiting.batches_of(connection, held))))
                    claimed += self.waiting.claim(connection, held, batch)
                if claimed:
                    options = {
                        "workflow_name": BATCH,
                        "queue_name": queue,
                        "workflow_id": batch,
                        "app_version": VERSION,
                    }
                    self.client.enqueue_in_transaction(connection, options, claimed)  # type: ignore[arg-type]

    def _dead(self, batches: set[str]) -> set[str]:
        found = self.client.list_workflows(workflow_ids=sorted(batches), status=ACTIVE, load_input=False)
        return batches - {workflow.workflow_id for workflow in found}

    def cancel(self, job: str) -> None:
        """Mark the job, wherever its batch is."""
        with self.engine.begin() as connection:
            self.waiting.cancel(connection, job)

    def to_run(self, job: str, batch: str) -> bool:
        """Whether the batch has still to carry out the job."""
        with store_errors(), self.engine.connect() as connection:
            return self.waiting.to_run(connection, job, batch)

    def done(self, job: str, batch: str) -> None:
        """Forget the job: it was carried out or cancelled."""
        with store_errors(), self.engine.begin() as connection:
            self.waiting.done(connection, job, batch)

    def left_by_others(self, executor: str) -> dict[str, list[tuple[str, str]]]:
        """The batches that other workers have begun, as (id, queue), by worker."""
        left: dict[str, list[tuple[str, str]]] = {}
        for found in self.client.list_workflows(status="PENDING", app_version=VERSION, load_input=False):
            if found.executor_id and found.executor_id != executor:
                left.setdefault(found.executor_id, []).append((found.workflow_id, found.queue_name or MANY))
        return left

    def resume(self, batches: Sequence[tuple[str, str]]) -> None:
        """Put batches back into their queues; those that are over stay over."""
        for batch, queue in batches:
            self.client.resume_workflow(batch, queue_name=queue)

    def tidy(self) -> None:
        """Drop batches that are over; what became of their jobs stands in the log of jobs."""
        over = self.client.list_workflows(status=OVER, limit=TIDIED, load_input=False, load_output=False)
        if over:
            self.client.delete_workflows([workflow.workflow_id for workflow in over])

    def close(self) -> None:
        """Let go of connections."""
        self.client.destroy()
        self.engine.dispose()

"""The worker's outermost loop: whatever goes wrong with one job, the next one is carried out."""

import traceback
from uuid import UUID

import structlog

from ingest.intake import Intake
from ingest.pipeline import Pipeline
from ingest.ports import JobQueue

log = structlog.get_logger()


class Worker:
    """Carries out what waits in the queue, for as long as the process lives."""

    def __init__(self, *, pipeline: Pipeline, intake: Intake, queue: JobQueue) -> None:
        self._pipeline = pipeline
        self._intake = intake
        self._queue = queue

    async def run(self) -> None:
        """Work until cancelled; first find the jobs that never reached the queue."""
        found = await self._intake.requeue_lost()
        log.info("worker_ready", unfinished=found)
        await self._queue.work(self.carry_out)

    async def carry_out(self, job: UUID) -> None:
        """One job, to its end. Never raises but when cancelled: a fault of ours fails that job alone."""
        try:
            await self._pipeline.run(job)
        except Exception as fault:  # noqa: BLE001 the outermost loop: one job's fault must not end the others
            # Where it was, and not what it said: a message may hold a document's text.
            where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(fault.__traceback__)]
            log.error("job_met_a_fault", job=str(job), fault=type(fault).__name__, where=where[-5:])
            await self._pipeline.fail_internally(job)

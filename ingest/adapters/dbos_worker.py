"""DBOS launched in this process: its threads carry batches out, while the jobs themselves run in our event loop."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from typing import Final, TypeVar
from uuid import UUID

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from ingest.adapters.dbos_database import APPLICATION, BATCH, FEW, MANY, VERSION, QueueDatabase
from ingest.adapters.worker_slots import first_free, slots_of
from retrieval.adapters.sql_errors import store_errors
from retrieval.errors import TemporaryFailure

log = structlog.get_logger()

T = TypeVar("T")

Handle = Callable[[UUID], Awaitable[None]]

PATIENCE_SECONDS: Final = 1.0
ENDING_SECONDS: Final = 5.0


class Stopped(BaseException):
    """The worker stops. Not an Exception: DBOS would write that down as the job's result and never come back to it."""


class DbosWorker:
    """One launched DBOS, of which a process can have but one at a time."""

    def __init__(self, database: QueueDatabase, handle: Handle, loop: asyncio.AbstractEventLoop) -> None:
        self._database = database
        self._handle = handle
        self._loop = loop
        self._slots = slots_of(database.engine)
        self._executor = f"worker-{first_free(self._slots)}"
        self._stopping = threading.Event()
        self._ended = threading.Condition()
        self._batches = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def launch(self, polling_interval: float, concurrency: int) -> None:
        """Start DBOS, which first takes up what a worker of the same place left. Blocks."""
        for queue, places in ((FEW, 1), (MANY, concurrency)):
            self._database.client.register_queue(
                queue, worker_concurrency=places, polling_interval_sec=polling_interval
            )
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_engine": self._database.engine,
            "application_version": VERSION,
            "executor_id": self._executor,
            "serializer": DBOSPortableJSONSerializer(),
            "run_migrations": False,
            "enable_otlp": False,
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": 0.5,
        }
        DBOS(config=config)

        # Unlimited: how often a job may take its worker down is the pipeline's to decide.
        @DBOS.workflow(name=BATCH, max_recovery_attempts=None)
        def batch(jobs: list[str]) -> None:
            self._batch(jobs)

        DBOS.listen_queues([FEW, MANY])
        DBOS.launch()
        log.info("worker_started", place=self._executor)

    def keep(self) -> None:
        """What a worker does from time to time: take over what dead ones left, and tidy up. Blocks."""
        try:
            with store_errors():
                self._take_over()
                self._database.tidy()
        except TemporaryFailure as failure:
            log.warning("queue_waits", code=failure.code)

    def _take_over(self) -> None:
        for executor, batches in self._database.left_by_others(self._executor).items():
            place = int(executor.rpartition("-")[2])
            if not self._slots.hold(place):
                continue
            try:
                self._database.resume(batches)
                log.info("batches_taken_over", dead=executor, batches=len(batches))
            finally:
                self._slots.let_go(place)

    async def stop(self, launching: asyncio.Future[None]) -> None:
        """End the jobs that run, then DBOS, once it was launched: what is not finished stays in the queue."""
        self._stopping.set()
        await asyncio.wait({launching})
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        with self._ended:
            self._ended.wait_for(lambda: self._batches == 0, timeout=ENDING_SECONDS)
        DBOS.destroy(destroy_registry=True)
        self._slots.close()
        log.info("worker_stopped", place=self._executor)

    def _batch(self, jobs: list[str]) -> None:
        with self._ended:
            self._batches += 1
        try:
            for job in jobs:
                DBOS.run_step({"name": "job"}, self._carry_out, job, str(DBOS.workflow_id))
        finally:
            with self._ended:
                self._batches -= 1
                self._ended.notify_all()

    def _carry_out(self, job: str, batch: str) -> None:
        if self._patiently(lambda: self._database.to_run(job, batch)):
            self._run(job)
        self._patiently(lambda: self._database.done(job, batch))

    def _run(self, job: str) -> None:
        future = asyncio.run_coroutine_threadsafe(self._in_the_loop(UUID(job)), self._loop)
        try:
            error = future.exception()
        except CancelledError:
            raise Stopped from None
        if error is not None:
            log.error("job_raised", job=job, error=type(error).__name__)

    async def _in_the_loop(self, job: UUID) -> None:
        task = asyncio.current_task()
        if self._stopping.is_set() or task is None:
            raise asyncio.CancelledError
        self._tasks.add(task)
        try:
            await self._handle(job)
        finally:
            self._tasks.discard(task)

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask again and again while the database cannot answer: giving up would end the whole batch."""
        while not self._stopping.is_set():
            try:
                return ask()
            except TemporaryFailure as failure:
                log.warning("queue_waits", code=failure.code)
                self._stopping.wait(PATIENCE_SECONDS)
        raise Stopped

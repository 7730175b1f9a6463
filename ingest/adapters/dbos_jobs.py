"""Durable work on DBOS, which appears in the three files `dbos_*.py` alone.

A batch of jobs is one workflow and each of its jobs a step. Calls of a few jobs go to a queue of their own with a place
of its own in every worker, so that somebody's single file never waits behind another's import of thousands.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import URL

from ingest.adapters.dbos_database import QueueDatabase
from ingest.adapters.dbos_worker import DbosWorker, Handle
from retrieval.adapters.sql_errors import store_errors
from retrieval.errors import PermanentFailure

T = TypeVar("T")

# DBOS is one object for the whole process.
only_worker = threading.Lock()


class DbosJobQueue:
    """Port `JobQueue`. The database is opened, and made, at the first use."""

    def __init__(
        self,
        url: str,
        *,
        polling_interval: float = 0.2,
        concurrency: int = 3,
        recovery_interval: float = 5.0,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        """`concurrency` is how many jobs of large calls one worker runs at once; small calls have one place more.

        `polling_interval` and `recovery_interval` are seconds: how often to look for work, and for workers that died.
        """
        self._url = url
        self._polling_interval = polling_interval
        self._concurrency = concurrency
        self._recovery_interval = recovery_interval
        self._new_id = new_id
        self._opening = threading.Lock()
        self._database: QueueDatabase | None = None

    @classmethod
    def in_file(
        cls, path: Path, *, polling_interval: float = 0.2, concurrency: int = 3, recovery_interval: float = 5.0
    ) -> Self:
        """The queue in that SQLite file, made when it is not there; its folder must be."""
        url = URL.create("sqlite", database=str(path)).render_as_string()
        return cls(url, polling_interval=polling_interval, concurrency=concurrency, recovery_interval=recovery_interval)

    async def enqueue(self, jobs: Sequence[UUID]) -> None:
        """Durable when it returns. Raises StoreUnavailable, DiskFull."""
        if jobs:
            names = [str(job) for job in dict.fromkeys(jobs)]
            await self._in_thread(lambda database: database.enqueue(names))

    async def cancel(self, job: UUID) -> None:
        """A job that waits is never started; one that runs learns it from its log. Raises StoreUnavailable."""
        await self._in_thread(lambda database: database.cancel(str(job)))

    async def work(self, handle: Handle) -> None:
        """Carry out what waits, until cancelled, and take over what dead workers left.

        What `handle` raises is logged and ends that job alone. Raises PermanentFailure when this process works already.
        """
        if not only_worker.acquire(blocking=False):
            raise PermanentFailure("This process has a worker already.", remedy="Start another process.")
        try:
            loop = asyncio.get_running_loop()
            worker = await self._in_thread(lambda database: DbosWorker(database, handle, loop))
            launching = asyncio.create_task(asyncio.to_thread(worker.launch, self._polling_interval, self._concurrency))
            try:
                await asyncio.shield(launching)
                while True:
                    await asyncio.sleep(self._recovery_interval)
                    await asyncio.to_thread(worker.keep)
            finally:
                await asyncio.shield(asyncio.create_task(worker.stop(launching)))
        finally:
            only_worker.release()

    async def close(self) -> None:
        """Let go of connections."""
        await asyncio.to_thread(self._close)

    async def _in_thread(self, ask: Callable[[QueueDatabase], T]) -> T:
        def call() -> T:
            with store_errors():
                return ask(self._opened())

        return await asyncio.to_thread(call)

    def _opened(self) -> QueueDatabase:
        with self._opening:
            if self._database is None:
                self._database = QueueDatabase(self._url, self._new_id)
            return self._database

    def _close(self) -> None:
        with self._opening:
            if self._database is not None:
                self._database.close()
                self._database = None

"""Keeps the index process running: starts it, starts it again when it dies, and stops it cleanly."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import structlog

from retrieval.adapters.edge_frames import FAILURES
from retrieval.errors import LastroError, PermanentFailure, StoreUnavailable

MODULE = "retrieval.adapters.edge_process"
# What the system allows for the address of a Unix socket, less the closing zero.
LONGEST_ADDRESS = 107
PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
# A process that lived this long died of something new, and is started again at once.
SETTLED_SECONDS = 10.0

log = structlog.get_logger()


class EdgeProcess:
    """The index process of `folder`, answering on `socket_path`; an async context manager.

    The socket's path may have 107 bytes at most: choose a short one, such as in the run-time folder. `ready_within` and
    `stop_within` are seconds; a process that needs longer to stop is killed, which costs nothing that was acknowledged.
    """

    def __init__(
        self,
        folder: Path,
        socket_path: Path,
        *,
        queue_length: int = 64,
        pauses: Sequence[float] = PAUSES,
        ready_within: float = 60.0,
        stop_within: float = 15.0,
    ) -> None:
        if len(os.fsencode(socket_path)) > LONGEST_ADDRESS:
            raise PermanentFailure(
                f"The socket path {socket_path} has more than {LONGEST_ADDRESS} bytes.",
                remedy="Use a shorter path for the socket, for example in /tmp or /run.",
            )
        options = ["--folder", str(folder), "--socket", str(socket_path), "--queue", str(queue_length)]
        # -P: the current folder must not be able to stand in for our packages.
        self._command = [sys.executable, "-P", "-m", MODULE, *options]
        self._pauses = pauses
        self._ready_within = ready_within
        self._stop_within = stop_within
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process that runs now; None before the start, after the stop, and while a dead one is replaced."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self) -> None:
        """Return when the process answers. Raises DataFolderInUse, IndexDamaged, StoreUnavailable."""
        self._process = await self._spawn()
        self._watch = asyncio.create_task(self._keep_running(self._process))

    async def stop(self) -> None:
        """Let the process flush and end; stopping twice is harmless."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        if self._process is not None:
            await self._end(self._process)
        self._watch = self._process = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _keep_running(self, process: asyncio.subprocess.Process) -> None:
        loop = asyncio.get_running_loop()
        attempt, started = 0, loop.time()
        while True:
            code = await process.wait()
            if loop.time() - started > SETTLED_SECONDS:
                attempt = 0
            log.warning("index_process.died", exit_code=code, attempt=attempt)
            await asyncio.sleep(self._pauses[min(attempt, len(self._pauses) - 1)])
            attempt, started = attempt + 1, loop.time()
            try:
                process = self._process = await self._spawn()
            except LastroError as error:
                log.error("index_process.not_started", code=error.code, attempt=attempt)
            else:
                log.info("index_process.started", pid=process.pid, attempt=attempt)

    async def _spawn(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=pipe,
            stdout=pipe,
            # A signal to the whole group must not end the index while answers are still being finished.
            start_new_session=True,
        )
        try:
            await self._until_ready(process)
        except (LastroError, asyncio.CancelledError):
            await self._end(process)
            raise
        return process

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        said = b""
        if process.stdout is not None:
            with suppress(TimeoutError):
                said = await asyncio.wait_for(process.stdout.readline(), self._ready_within)
        try:
            state = json.loads(said)
        except ValueError as error:
            raise StoreUnavailable("The index process ended, or said nothing, before it was ready.") from error
        if state["state"] != "ready":
            raise FAILURES.get(state["code"], PermanentFailure)(state["message"])

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Close its standard input, which asks it to flush and end; kill it when it does not."""
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), self._stop_within)
        except TimeoutError:
            log.warning("index_process.killed", pid=process.pid)
            process.kill()
            await process.wait()

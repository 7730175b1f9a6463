"""Keeps a child process that answers frames: starts it when there is work, and again when it died or got stuck."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress

import structlog

from retrieval.adapters.edge_frames import Wire, frame_of, read_frame

_TRIES = 2

log = structlog.get_logger()


class FramedChild:
    """A child that runs one of our modules and speaks msgpack frames on its standard input and output."""

    def __init__(
        self, module: str, options: Sequence[str], *, patience_seconds: float, python: str = sys.executable
    ) -> None:
        """A child that takes longer than `patience_seconds` for one answer is killed."""
        self._module = module
        # -P: the current folder must not be able to stand in for our packages.
        self._command = [python, "-P", "-m", module, *options]
        self._patience = patience_seconds
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The child that was used last, None before the first and after `close`."""
        return None if self._process is None else self._process.pid

    async def ask(self, message: Wire) -> Wire | None:
        """The answer; None when two children in a row died or got stuck over it. Callers take turns."""
        async with self._turn:
            for _ in range(_TRIES):
                if (answer := await self._try(message)) is not None:
                    return answer
        return None

    async def close(self) -> None:
        """End the child; closing twice is harmless."""
        async with self._turn:
            await self._end()

    async def _try(self, message: Wire) -> Wire | None:
        process = await self._running()
        try:
            return await asyncio.wait_for(_exchange(process, message), self._patience)
        except (OSError, EOFError, TimeoutError) as error:
            log.warning("child_lost", module=self._module, pid=process.pid, cause=type(error).__name__)
            await self._end()
            return None
        except asyncio.CancelledError:
            await self._end()  # its answer would be taken for the next caller's
            raise

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _exchange(process: Process, message: Wire) -> Wire:
    if process.stdin is None or process.stdout is None:
        raise EOFError
    process.stdin.write(frame_of(message))
    await process.stdin.drain()
    return await read_frame(process.stdout)

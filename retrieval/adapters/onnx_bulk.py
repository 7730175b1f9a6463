"""Keeps the process that embeds passages: starts it when there is work, starts it again when it dies."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import structlog

from retrieval.adapters.edge_frames import Wire, frame_of, read_frame
from retrieval.adapters.onnx_encoder import DIMENSIONS
from retrieval.errors import EmbedderUnavailable, ModelFileDamaged
from retrieval.model import Matrix

# Small enough that other callers get their turn and that a cancelled one soon stops working.
_SLICE = 32
_TRIES = 2

log = structlog.get_logger()


class BulkEncoder:
    """Embeds many texts in a child process of low priority; callers take turns, slice by slice."""

    def __init__(
        self,
        folder: Path,
        *,
        python: str = sys.executable,
        threads: int = 2,
        nice: int = 10,
        idle_seconds: float = 120.0,
        patience_seconds: float = 300.0,
    ) -> None:
        """`patience_seconds` is for one slice of 32 texts: a child that takes longer is killed."""
        options = ["--threads", str(threads), "--nice", str(nice), "--idle", str(idle_seconds)]
        # -P: the current folder must not be able to stand in for our packages.
        self._command = [python, "-P", "-m", "retrieval.adapters.onnx_process", "--folder", str(folder), *options]
        self._patience = patience_seconds
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The child that was used last, None before the first and after `close`."""
        return None if self._process is None else self._process.pid

    async def encode(self, texts: Sequence[str]) -> Matrix:
        """(n, dimensions), L2-normalised float32. Raises EmbedderUnavailable, ModelFileDamaged."""
        slices = [await self._encode(texts[at : at + _SLICE]) for at in range(0, len(texts), _SLICE)]
        return np.concatenate([np.empty((0, DIMENSIONS), np.float32), *slices])

    async def close(self) -> None:
        """End the child; closing twice is harmless."""
        async with self._turn:
            await self._end()

    async def _encode(self, texts: Sequence[str]) -> Matrix:
        for _ in range(_TRIES):
            async with self._turn:
                answer = await self._try(texts)
            if answer is not None:
                return _vectors(answer)
        raise EmbedderUnavailable("The process that embeds passages ended twice over the same texts.")

    async def _try(self, texts: Sequence[str]) -> Wire | None:
        """The child's answer; None when it died or got stuck, which ends it."""
        process = await self._running()
        try:
            return await asyncio.wait_for(_ask(process, texts), self._patience)
        except (OSError, EOFError, TimeoutError) as error:
            log.warning("bulk_embedder_lost", pid=process.pid, cause=type(error).__name__)
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


async def _ask(process: Process, texts: Sequence[str]) -> Wire:
    if process.stdin is None or process.stdout is None:
        raise EOFError
    process.stdin.write(frame_of(list(texts)))
    await process.stdin.drain()
    return await read_frame(process.stdout)


def _vectors(answer: Wire) -> Matrix:
    match answer:
        case ["ok", bytes(values)]:
            return np.frombuffer(values, "<f4").reshape(-1, DIMENSIONS).astype(np.float32)
        case ["failed", ModelFileDamaged.code, str(message)]:
            raise ModelFileDamaged(message)
        case ["failed", _, str(message)]:
            raise EmbedderUnavailable(message)
    raise EmbedderUnavailable("The process that embeds passages answered with something else than vectors.")

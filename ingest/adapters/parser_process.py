"""Parses in processes that may die: a document can cost its own job, never the server.

Limits are held twice: by the kernel in the child (memory, processor time, an alarm), and by the server, which kills a
child that does not answer. Bytes go through a pipe; a document's name is data and never the name of a file.
"""

import asyncio
import json
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType

import structlog

from ingest.adapters import parser_frames
from ingest.adapters.parser_child import OUT_OF_MEMORY
from ingest.errors import FileTooLarge, ParserCrashed, ParserOutOfMemory, ParserTimedOut, UnreadableDocument
from ingest.model import ParseLimits
from retrieval.model import ParsedDocument

log = structlog.get_logger()

# Made from nothing: the server's keys are not in it. Telemetry is off before any library can look.
ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "DO_NOT_TRACK": "1",
        "SCARF_NO_ANALYTICS": "1",
        "UNSTRUCTURED_DISABLE_NOTICE": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",  # each arena reserves 64 MB of address space, which is what RLIMIT_AS counts
    }
)
START_SECONDS = 30.0  # a new process and the heaviest parser's imports, on a busy machine
DOCUMENTS_PER_CHILD = 200  # parsers leak; a new child costs 0.1 s


class ProcessParser:
    """Port `Parser` over `workers` warm children; more documents than that wait their turn."""

    def __init__(
        self,
        limits: ParseLimits,
        *,
        python: str = sys.executable,
        workers: int = 1,
        documents_per_child: int = DOCUMENTS_PER_CHILD,
        environment: Mapping[str, str] = ENVIRONMENT,
    ) -> None:
        self._limits = limits
        self._children = [_Child(limits, python, documents_per_child, environment) for _ in range(workers)]
        self._free: asyncio.LifoQueue[_Child] = asyncio.LifoQueue()
        for child in self._children:
            self._free.put_nowait(child)

    async def parse(self, data: bytes, name: str) -> ParsedDocument:
        """The document. Raises an UnreadableDocument that says why not. Cancelling kills the child."""
        if len(data) > self._limits.file_bytes:
            raise FileTooLarge(f"The file has {len(data):,} bytes; the limit is {self._limits.file_bytes:,}.")
        child = await self._free.get()
        try:
            return await child.parse(data, name)
        finally:
            self._free.put_nowait(child)

    async def close(self) -> None:
        """End the children; closing twice is harmless, and parsing afterwards starts new ones."""
        for child in self._children:
            await child.stop()


class _Child:
    """One process, started when it is needed and again after it died."""

    def __init__(self, limits: ParseLimits, python: str, documents: int, environment: Mapping[str, str]) -> None:
        self._limits = limits
        self._python = python
        self._documents = documents
        self._environment = dict(environment)
        self._process: Process | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._served = 0

    async def parse(self, data: bytes, name: str) -> ParsedDocument:
        """One document; whatever goes wrong, no half-used process is left behind."""
        answered = False
        try:
            async with asyncio.timeout(self._limits.wall_seconds + START_SECONDS):
                process = await self._running()
                body = await _exchange(process, parser_frames.request(data, name), self._longest_reply)
                answered = True
        except TimeoutError as error:
            raise ParserTimedOut from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._cause_of_death() from error
        finally:
            if not answered or self._served >= self._documents:
                await self.stop()
        self._served += 1
        return parser_frames.read_reply(body)

    async def stop(self) -> None:
        """Kill the process, if there is one, and wait until it is gone."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            # communicate() also closes the pipes; without it they warn when the loop ends.
            await asyncio.shield(process.communicate())
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @property
    def _longest_reply(self) -> int:
        # Text may grow from one byte to four; blocks and pages take less than the text again.
        return 8 * max(self._limits.file_bytes, self._limits.expanded_bytes) + parser_frames.OVERHEAD

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            await self.stop()
            self._folder = tempfile.TemporaryDirectory(prefix="lastro-parser-")
            self._process = await asyncio.create_subprocess_exec(
                *(self._python, "-P", "-m", "ingest.adapters.parser_child", json.dumps(asdict(self._limits))),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                cwd=self._folder.name,
                env=self._environment,
            )
            self._served = 0
            log.info("parser.started", pid=self._process.pid)
        return self._process

    async def _cause_of_death(self) -> UnreadableDocument:
        if self._process is None:
            return ParserCrashed()
        status = await self._process.wait()
        log.warning("parser.died", pid=self._process.pid, status=status)
        if status in {-signal.SIGXCPU, -signal.SIGALRM}:
            return ParserTimedOut()
        if status in {-signal.SIGKILL, OUT_OF_MEMORY}:  # the kernel's own remedy for a full memory
            return ParserOutOfMemory()
        return ParserCrashed(f"The parser died while reading the document (status {status}).")


async def _exchange(process: Process, frame: bytes, longest: int) -> bytes:
    if process.stdin is None or process.stdout is None:
        raise ConnectionResetError("the parser has no pipes")
    process.stdin.write(frame)
    await process.stdin.drain()
    length = parser_frames.LENGTH.unpack(await process.stdout.readexactly(parser_frames.LENGTH.size))[0]
    if length > longest:
        raise ConnectionResetError("the parser's answer is too long")
    return await process.stdout.readexactly(length)

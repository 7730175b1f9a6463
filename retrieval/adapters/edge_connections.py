"""Connections to the index process: one request at a time on each, so that giving up on one disturbs no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from retrieval.adapters.edge_frames import Wire, frame_of, read_frame

Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

IDLE_KEPT = 4


class Connections:
    """Opens connections as they are needed and keeps a few. The process itself turns away what is too much."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path
        self._idle: list[Connection] = []

    async def exchange(self, request: Wire) -> Wire:
        """Send a request and return the answer. Raises OSError or EOFError when the process is not there."""
        async with self._one() as (reader, writer):
            writer.write(frame_of(request))
            await writer.drain()
            return await read_frame(reader)

    async def close(self) -> None:
        """Let go of idle connections; closing twice is harmless."""
        while self._idle:
            _, writer = self._idle.pop()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    @asynccontextmanager
    async def _one(self) -> AsyncIterator[Connection]:
        connection = self._idle.pop() if self._idle else await asyncio.open_unix_connection(self._path)
        answered = False
        try:
            yield connection
            answered = True
        finally:
            # One that failed or was given up may still receive an answer, which would be taken for the next one's.
            if answered and len(self._idle) < IDLE_KEPT:
                self._idle.append(connection)
            else:
                connection[1].close()

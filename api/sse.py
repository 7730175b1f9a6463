"""Server-sent events: JSON after a name, a comment now and then so that proxies keep the line open."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from pydantic import BaseModel
from starlette.responses import JSONResponse, StreamingResponse

from api.errors import problem_of
from retrieval.errors import LastroError

QUIET_SECONDS = 15.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event(name: str, data: BaseModel) -> bytes:
    """One event; JSON has no line breaks of its own."""
    return framed(name, data.model_dump_json().encode())


def error_event(error: LastroError) -> bytes:
    """The event that ends a stream that failed: the problem document."""
    answer: JSONResponse = problem_of(error)
    return framed("error", bytes(answer.body))


def framed(name: str, data: bytes) -> bytes:
    """As it goes over the wire."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


async def with_pulse(events: AsyncGenerator[bytes], seconds: float = QUIET_SECONDS) -> AsyncIterator[bytes]:
    """The same events, and a comment whenever nothing came for a while. Closing it closes `events`."""
    async with aclosing(events):
        upcoming = asyncio.ensure_future(anext(events))
        try:
            while True:
                done, _ = await asyncio.wait({upcoming}, timeout=seconds)
                if not done:
                    yield b": still here\n\n"
                    continue
                try:
                    item = upcoming.result()
                except StopAsyncIteration:
                    return
                upcoming = asyncio.ensure_future(anext(events))
                yield item
        finally:
            upcoming.cancel()
            await asyncio.wait({upcoming})


def stream(events: AsyncGenerator[bytes]) -> StreamingResponse:
    """The response."""
    return StreamingResponse(with_pulse(events), media_type="text/event-stream", headers=HEADERS)

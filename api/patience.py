"""Work that stops when nobody waits for it any more."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

T = TypeVar("T")
CLIENT_CLOSED_REQUEST = 499


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; the work is cancelled when the client hangs up, so that no model runs for nobody."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(hung_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise HTTPException(CLIENT_CLOSED_REQUEST, "The client hung up.")
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.wait({task, gone})


async def hung_up(request: Request) -> None:
    """Return when the client has gone; the request's body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def within(seconds: float, events: AsyncGenerator[T]) -> AsyncIterator[T]:
    """The same events, all within that time. Raises TimeoutError; closes `events` in any case."""
    deadline = asyncio.get_running_loop().time() + seconds
    async with aclosing(events):
        while True:
            async with asyncio.timeout_at(deadline):
                try:
                    item = await anext(events)
                except StopAsyncIteration:
                    return
            yield item

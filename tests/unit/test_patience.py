import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from api.patience import unless_gone, within


def request(*, hangs_up_after: float) -> Request:
    async def receive() -> Message:
        await asyncio.sleep(hangs_up_after)
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive)


async def test_work_that_is_waited_for_gives_its_result() -> None:
    async def work() -> int:
        await asyncio.sleep(0.01)
        return 7

    assert await unless_gone(request(hangs_up_after=60), work()) == 7


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> int:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        await unless_gone(request(hangs_up_after=60), work())


async def test_work_stops_when_the_client_hangs_up() -> None:
    stopped = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    with pytest.raises(HTTPException, match="hung up"):
        await unless_gone(request(hangs_up_after=0.02), work())
    assert stopped.is_set()


async def test_work_stops_when_the_request_is_cancelled() -> None:
    stopped = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    waiting = asyncio.create_task(unless_gone(request(hangs_up_after=60), work()))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert stopped.is_set()


async def numbers(closed: asyncio.Event, pause: float) -> AsyncGenerator[int]:
    try:
        for n in range(3):
            await asyncio.sleep(pause)
            yield n
    finally:
        closed.set()


async def test_events_in_time_all_come() -> None:
    closed = asyncio.Event()
    assert [n async for n in within(5, numbers(closed, 0))] == [0, 1, 2]
    assert closed.is_set()


async def test_events_that_take_too_long_end_and_their_source_is_closed() -> None:
    closed = asyncio.Event()
    seen: list[int] = []

    async def listen() -> None:
        async for n in within(0.05, numbers(closed, 0.03)):
            seen.append(n)

    with pytest.raises(TimeoutError):
        await listen()
    assert seen == [0]
    assert closed.is_set()

import asyncio
import os
import signal
import sys

import pytest

from api.lifetime import first_of, told_to_stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_tells_to_stop(number: signal.Signals) -> None:
    with told_to_stop(supervised=False) as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        async with asyncio.timeout(2):
            await stop.wait()


async def test_a_supervisor_that_died_tells_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    with os.fdopen(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with told_to_stop(supervised=True) as stop:
            await asyncio.sleep(0.02)
            assert not stop.is_set()
            os.close(write)
            async with asyncio.timeout(2):
                await stop.wait()


async def test_work_that_ends_by_itself_ends_the_wait() -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    await first_of(asyncio.Event(), asyncio.create_task(work()))


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        await first_of(asyncio.Event(), asyncio.create_task(work()))


async def test_the_order_to_stop_ends_the_work() -> None:
    stop, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    task = asyncio.create_task(work())
    asyncio.get_running_loop().call_later(0.02, stop.set)
    await first_of(stop, task)
    assert ended.is_set()

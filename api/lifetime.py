"""When a process of the tree has to go: told by a signal, or because the one that started it is dead.

A child's standard input is a pipe that its parent holds and never writes to: when it closes, the parent has gone,
however it died.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told_to_stop(*, supervised: bool) -> Iterator[asyncio.Event]:
    """An event that is set on SIGTERM or SIGINT and, under a supervisor, when that one has died."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    watched = sys.stdin.fileno() if supervised else None
    if watched is not None:
        loop.add_reader(watched, on_input, loop, watched, stop)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
        if watched is not None:
            loop.remove_reader(watched)


def on_input(loop: asyncio.AbstractEventLoop, handle: int, stop: asyncio.Event) -> None:
    """Standard input can be read although nobody writes to it: it is closed."""
    loop.remove_reader(handle)
    stop.set()


async def first_of(stop: asyncio.Event, work: asyncio.Task[None]) -> None:
    """Wait for the work or for the order to stop, then end the work; what it raised by itself is raised here."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({stopping, work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if work.done():
            work.result()
        else:
            work.cancel()
            await asyncio.wait({work})

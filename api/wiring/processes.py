"""The processes that `lastro serve` starts, and that larger set-ups start by themselves."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import uvicorn

from api.app import create_app
from api.folder import DataFolder
from api.lifetime import first_of, told_to_stop
from api.parts import Parts
from api.processes import address_of, listen
from api.settings import Settings
from api.wiring.application import api_parts, worker
from api.wiring.tree import index_socket
from retrieval.errors import PermanentFailure

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 15
NICE = 5  # who asks comes before what is filled in


class NeedsSupervisor(PermanentFailure):
    """The embedded index belongs to one process tree."""

    code = "needs_supervisor"
    remedy = "Run `lastro serve`, or configure `qdrant.url` to run api and workers by themselves."


class Server(uvicorn.Server):
    """Uvicorn that leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured: `told_to_stop` has the signals."""
        yield


async def serve_api(settings: Settings, *, supervised: bool, listener: int | None) -> None:
    """Answer requests until told to stop; what runs then is finished within `server.drain_seconds`."""
    given = socket.socket(fileno=listener) if listener is not None else None
    with (
        given or listen(settings.server.host, settings.server.port) as sock,
        told_to_stop(supervised=supervised) as stop,
        place(settings, supervised=supervised, url=address_of(sock)) as index,
    ):
        async with api_parts(settings, index) as parts:
            await answer(parts, sock, stop)


async def answer(parts: Parts, sock: socket.socket, stop: asyncio.Event) -> None:
    """Serve HTTP on the socket until `stop`, then drain."""
    server = Server(
        uvicorn.Config(
            create_app(parts),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=int(parts.settings.server.drain_seconds),
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    log.info("draining")
    server.should_exit = True
    stopping.cancel()
    await serving


async def serve_worker(settings: Settings, *, supervised: bool) -> None:
    """Carry out jobs until told to stop; the step that runs then is repeated by whoever comes next."""
    os.nice(NICE)
    with told_to_stop(supervised=supervised) as stop, place(settings, supervised=supervised, url="") as index:
        async with worker(settings, index) as made:
            log.info("working")
            await first_of(stop, asyncio.create_task(made.run()))


@contextmanager
def place(settings: Settings, *, supervised: bool, url: str) -> Iterator[Path | None]:
    """The index's socket, None for a Qdrant server. A supervisor has locked the folder for us; else we share it.

    Raises NeedsSupervisor when the embedded index is to be used without one.
    """
    folder = DataFolder(settings.data_dir)
    if settings.qdrant.url:
        if supervised:
            yield None
        else:
            with folder.shared(url):
                yield None
    elif supervised:
        yield index_socket(folder)
    else:
        raise NeedsSupervisor

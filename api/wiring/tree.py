"""`lastro serve`: lock the folder, listen, start the tree, say when it is ready, stop it in order."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog

from api.folder import DataFolder
from api.lifetime import told_to_stop
from api.processes import Child, ChildSpec, Tree, address_of, command, listen, until_ready
from api.settings import Settings, process_environment
from retrieval.adapters.edge_supervisor import EdgeProcess

log = structlog.get_logger()

WORKER_GRACE_SECONDS = 20.0


async def serve_tree(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises NotInitialised, DataFolderInUse, AddressInUse, ChildCannotStart."""
    begun = time.monotonic()
    folder = DataFolder(settings.data_dir)
    with folder.locked() as lock, listen(settings.server.host, settings.server.port) as listener:
        url = address_of(listener)
        folder.announce(lock, url)
        with told_to_stop(supervised=False) as stop:
            async with announced(url, begun), index(settings, folder):
                # Our copy of the socket goes first: who comes late is refused at once instead of waiting in vain.
                await Tree(children(settings, listener, lock), stopping=listener.close).run(stop)
    log.info("stopped")


@asynccontextmanager
async def index(settings: Settings, folder: DataFolder) -> AsyncIterator[Path | None]:
    """The index process, gone when this ends; none where a Qdrant server is configured."""
    async with AsyncExitStack() as stack:
        if settings.qdrant.url:
            yield None
            return
        socket_path = index_socket(folder)
        await stack.enter_async_context(EdgeProcess(folder.path / "index", socket_path))
        yield socket_path


def index_socket(folder: DataFolder) -> Path:
    """Where the index process of this data folder is reached."""
    return folder.sockets() / "index.sock"


def children(settings: Settings, listener: socket.socket, lock: int) -> list[Child]:
    """Worker and api. They inherit the lock: the folder is taken until the last of them has gone."""
    environment = process_environment()
    handle = listener.fileno()
    worker = ChildSpec("worker", command("worker", "--supervised"), WORKER_GRACE_SECONDS, (lock,))
    words = ("api", "--supervised", "--listener", str(handle))
    grace = settings.server.drain_seconds + 5.0
    return [Child(worker, environment), Child(ChildSpec("api", command(*words), grace, (handle, lock)), environment)]


@asynccontextmanager
async def announced(url: str, begun: float) -> AsyncIterator[None]:
    """Says once, on standard output, that the server is ready."""

    async def wait() -> None:
        await until_ready(url)
        log.info("ready", url=url, seconds=round(time.monotonic() - begun, 2))
        sys.stdout.write(f"Lastro is ready at {url}\n")
        sys.stdout.flush()

    waiting = asyncio.create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})

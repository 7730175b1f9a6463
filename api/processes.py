"""The tree of processes of `lastro serve`: started together, started again when they die, stopped in order.

    supervisor   holds the data folder's lock and the listening socket, and nothing that could crash
    ├── index    the embedded vector store, unless a Qdrant server is configured
    ├── worker   parses, embeds and writes what was handed in
    └── api      answers; finishes what runs when it is told to stop

The socket stays open while the api starts again, so that callers wait instead of being refused.
"""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx
import structlog

from retrieval.errors import PermanentFailure

log = structlog.get_logger()

CANNOT_START = 78  # EX_CONFIG: starting again would not help
BACKOFF_SECONDS = (0.1, 0.5, 2.0, 5.0, 10.0)
STEADY_SECONDS = 30.0


class AddressInUse(PermanentFailure):
    """The address is in use."""

    code = "address_in_use"
    remedy = "Stop what listens there, or choose another `server.port`."


class ChildCannotStart(PermanentFailure):
    """A process of the tree cannot start."""

    code = "process_cannot_start"
    remedy = "The log above says why."


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to start a process of the tree; `grace` is the time it gets to stop, in seconds."""

    name: str
    command: Sequence[str]
    grace: float
    handles: tuple[int, ...] = ()


class Child:
    """One process that runs until it is told to stop, however often it dies."""

    def __init__(self, spec: ChildSpec, environment: Mapping[str, str]) -> None:
        self.spec = spec
        self.environment = environment
        self.process: asyncio.subprocess.Process | None = None
        self.told = asyncio.Event()

    async def run(self) -> None:
        """Start, wait, start again with growing pauses. Raises ChildCannotStart when that would not help."""
        deaths = 0
        while not self.told.is_set():
            begun = time.monotonic()
            code = await self._once()
            if self.told.is_set():
                return
            if code == CANNOT_START:
                raise ChildCannotStart(f"The process {self.spec.name} cannot start.")
            deaths = 0 if time.monotonic() - begun > STEADY_SECONDS else deaths + 1
            pause = BACKOFF_SECONDS[min(deaths, len(BACKOFF_SECONDS) - 1)]
            log.warning("process_died", child=self.spec.name, code=code, again_in=pause)
            await asyncio.sleep(pause)

    async def _once(self) -> int:
        self.process = await asyncio.create_subprocess_exec(
            *self.spec.command,
            stdin=subprocess.PIPE,
            env=dict(self.environment),
            pass_fds=self.spec.handles,
            start_new_session=True,  # a Ctrl-C in the terminal reaches the supervisor alone, which stops in order
        )
        log.info("process_started", child=self.spec.name, pid=self.process.pid)
        return await self.process.wait()

    async def stop(self) -> None:
        """Tell it to stop and wait; kill it when its time is over."""
        self.told.set()
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.spec.grace):
                await process.wait()
        except TimeoutError:
            log.warning("process_killed", child=self.spec.name, after=self.spec.grace)
            process.kill()
            await process.wait()


class Tree:
    """The children of one server, in the order of their start; they stop in the reverse order, after `stopping`."""

    def __init__(self, children: Sequence[Child], *, stopping: Callable[[], None] = lambda: None) -> None:
        self.children = children
        self.stopping = stopping

    async def run(self, stop: asyncio.Event) -> None:
        """Keep all of them running until `stop`. Raises ChildCannotStart."""
        runs = [asyncio.create_task(child.run()) for child in self.children]
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopping, *runs}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            self.stopping()
            for child in reversed(self.children):
                await child.stop()
            for run in runs:
                run.cancel()
            outcomes = await asyncio.gather(*runs, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, ChildCannotStart):
                raise outcome


def command(*words: str) -> tuple[str, ...]:
    """Our own command line in this interpreter; -P keeps the working folder off the import path."""
    return (sys.executable, "-P", "-m", "api.cli", *words)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises AddressInUse."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressInUse(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    listener.listen(256)
    listener.set_inheritable(True)
    return listener


def address_of(listener: socket.socket) -> str:
    """Where this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def until_ready(url: str, pause: float = 0.05) -> None:
    """Return when the server says that it is ready. A request waits in the socket until somebody accepts it."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60.0) as client:
        while True:
            try:
                if (await client.get("/readyz")).is_success:
                    return
            except httpx.HTTPError:
                log.debug("not_ready_yet")
            await asyncio.sleep(pause)

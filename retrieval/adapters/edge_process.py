"""The process that owns an embedded index: `python -m retrieval.adapters.edge_process --folder F --socket S`.

It is a process of its own because every call of the engine holds Python's interpreter lock: a rebuild of three seconds
would stop every answer. For the same reason there is one thread and one queue; requests are carried out in order.
It says on standard output, in one line of JSON, that it is ready or why it is not. It ends at SIGTERM and when its
standard input closes, which is how it learns that its parent died; both times it flushes.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import structlog

from retrieval.adapters.edge_frames import Wire, failure_answer, frame_of, read_frame
from retrieval.adapters.edge_shard import EdgeShard
from retrieval.adapters.edge_values import pack_hits, unpack_access, unpack_identity, unpack_point, unpack_query
from retrieval.errors import LastroError, PermanentFailure, StoreUnavailable

QUEUE_LENGTH = 64

log = structlog.get_logger()


def _scan(shard: EdgeShard, after: bytes | None, limit: int) -> Wire:
    rows, offset = shard.scan(None if after is None else UUID(bytes=after), limit)
    return [[document.bytes, version] for document, version in rows], None if offset is None else offset.bytes


OPERATIONS: dict[str, Callable[..., Wire]] = {
    "open": lambda shard, identity: shard.open(unpack_identity(identity)),
    "search": lambda shard, query: pack_hits(shard.search(unpack_query(query))),
    "upsert": lambda shard, points: shard.upsert([unpack_point(point) for point in points]),
    "remove": lambda shard, document, keep: shard.remove(UUID(bytes=document), keep),
    "relabel": lambda shard, document, access: shard.relabel(UUID(bytes=document), unpack_access(access)),
    "flush": lambda shard: shard.flush(),
    "scan": _scan,
    "count": lambda shard: shard.count(),
}


class EdgeServer:
    """Answers requests for one index on a Unix socket, one after the other."""

    def __init__(self, shard: EdgeShard, *, queue_length: int = QUEUE_LENGTH) -> None:
        self._shard = shard
        self._queue: asyncio.Queue[tuple[Wire, asyncio.Future[Wire]]] = asyncio.Queue(queue_length)
        self._conversations: set[asyncio.Task[None]] = set()

    async def serve(self, socket_path: Path, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Answer until `stop` is set; `ready` is called once callers can connect."""
        server = await asyncio.start_unix_server(self._accept, sock=_listen(socket_path))
        try:
            async with asyncio.TaskGroup() as group:
                work = group.create_task(self._work())
                ready()
                await stop.wait()
                work.cancel()
        finally:
            server.close()
            for conversation in self._conversations:
                conversation.cancel()
            await asyncio.gather(*self._conversations, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await read_frame(reader)
                writer.write(frame_of(await self._answer(request)))
                await writer.drain()
        except (EOFError, ConnectionError):
            pass
        except ValueError as error:
            log.warning("index.garbage_received", error=type(error).__name__)
        finally:
            writer.close()

    async def _answer(self, request: Wire) -> Wire:
        answer: asyncio.Future[Wire] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((request, answer))
        except asyncio.QueueFull:
            return failure_answer(StoreUnavailable("The index has more work than it can take on."))
        return await answer

    async def _work(self) -> None:
        while True:
            request, answer = await self._queue.get()
            if not answer.done():
                answer.set_result(carry_out(self._shard, request))
            # The engine blocks this thread: let the loop read what arrived and turn away what is too much.
            await asyncio.sleep(0)


def carry_out(shard: EdgeShard, request: Wire) -> Wire:
    """Carry out one request and answer it, failures included."""
    try:
        operation, *arguments = request
        return ["ok", OPERATIONS[operation](shard, *arguments)]
    except LastroError as error:
        return failure_answer(error)
    except (TypeError, ValueError, LookupError) as error:
        return failure_answer(PermanentFailure(f"The index process does not understand the request: {error!r}"))


async def serve(shard: EdgeShard, socket_path: Path, queue_length: int, standard_input: int) -> None:
    """Serve until SIGTERM or until standard input closes."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # A terminal's Ctrl-C reaches the whole group: the parent decides when this process goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch = threading.Thread(target=_wait_for_end, args=(standard_input, loop, stop), daemon=True)
    watch.start()
    await EdgeServer(shard, queue_length=queue_length).serve(socket_path, stop, lambda: _say(state="ready"))


def main(arguments: list[str] | None = None) -> int:
    """Run the process; 0 after a clean stop, 1 when it could not start."""
    parser = argparse.ArgumentParser(prog="edge_process", description="Serve an embedded index on a Unix socket.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--queue", type=int, default=QUEUE_LENGTH)
    chosen = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        shard = EdgeShard(chosen.folder)
    except LastroError as error:
        _say(state="failed", code=error.code, message=error.message)
        return 1
    try:
        asyncio.run(serve(shard, chosen.socket, chosen.queue, sys.stdin.fileno()))
    finally:
        shard.close()
    return 0


def _listen(path: Path) -> socket.socket:
    # Whoever owns the folder owns the socket: what lies there is left over from a process that was killed.
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    return listening


def _wait_for_end(descriptor: int, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(descriptor, 4096):
        pass
    # When the process was told to end by a signal, the loop may be gone before its parent lets go.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(stop.set)


def _say(**fields: str) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    sys.exit(main())

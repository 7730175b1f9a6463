"""What passes between the index process and its callers: length-prefixed msgpack frames over a Unix socket.

A request is `[operation, arguments...]`, an answer `["ok", result]` or `["failed", code, message]`.
"""

import asyncio
from typing import Any, TypeAlias

import msgpack

from retrieval.errors import (
    DataFolderInUse,
    DiskFull,
    IndexDamaged,
    InvalidVector,
    LastroError,
    PermanentFailure,
    StoreUnavailable,
    WrongEmbedder,
)

# What msgpack carries; `edge_values` knows the shape of each.
Wire: TypeAlias = Any

LARGEST_FRAME = 64 * 1024 * 1024
KINDS = (DataFolderInUse, DiskFull, IndexDamaged, InvalidVector, PermanentFailure, StoreUnavailable, WrongEmbedder)
FAILURES: dict[str, type[LastroError]] = {kind.code: kind for kind in KINDS}


async def read_frame(reader: asyncio.StreamReader) -> Wire:
    """The next message. Raises EOFError at the end of the stream, ValueError for what is no frame."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > LARGEST_FRAME:
        raise ValueError(f"a frame of {length} bytes is more than {LARGEST_FRAME}")
    return msgpack.unpackb(await reader.readexactly(length))


def frame_of(message: Wire) -> bytes:
    """A message with its length in front."""
    body: bytes = msgpack.packb(message)
    return len(body).to_bytes(4, "big") + body


def failure_answer(error: LastroError) -> Wire:
    """An error as an answer."""
    return ["failed", error.code, error.message]


def result_of(answer: Wire) -> Wire:
    """The result of an answer; raises the error that it carries."""
    match answer:
        case ["ok", result]:
            return result
        case ["failed", str(code), str(message)]:
            raise FAILURES.get(code, PermanentFailure)(message)
    raise StoreUnavailable("The index process answered with something else than an answer.")

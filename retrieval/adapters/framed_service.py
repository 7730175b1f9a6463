"""The other side of `framed_child`: answers frames until nobody asks any more."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import BinaryIO, TypeAlias

from retrieval.adapters.edge_frames import Wire, frame_of, read_frame

Answer: TypeAlias = Callable[[Wire], Wire]


async def answer_frames(answer: Answer, reader: asyncio.StreamReader, out: BinaryIO, idle_seconds: float) -> None:
    """Answer each frame on this thread; return when the input closes or nothing came for `idle_seconds`.

    That its input closes is how a child learns that its parent died.
    """
    while True:
        try:
            message = await asyncio.wait_for(read_frame(reader), idle_seconds)
        except (EOFError, TimeoutError):
            return
        out.write(frame_of(answer(message)))
        out.flush()


async def answer_standard_input(answer: Answer, idle_seconds: float) -> None:
    """Answer on standard input and output; whatever a library prints goes to standard error."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await answer_frames(answer, reader, out, idle_seconds)

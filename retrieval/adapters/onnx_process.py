"""The process that embeds passages: `python -m retrieval.adapters.onnx_process`, options as `--help` says.

It is a process of its own so that bulk work can have a lower priority than questions. It reads frames with a list of
texts from standard input and answers each on standard output. It ends when its input closes, which is how it learns
that its parent died, and when nothing was asked for a while, so that an idle server gets the memory back.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np

from retrieval.adapters.edge_frames import Wire, failure_answer, frame_of, read_frame
from retrieval.adapters.onnx_encoder import OnnxEncoder, load_tokenizer
from retrieval.errors import LastroError


class BulkServer:
    """Answers requests one after the other, each with `threads` texts at a time."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="passages")
        self._encoder: OnnxEncoder | None = None

    def answer(self, texts: Sequence[str]) -> Wire:
        """`["ok", float32 bytes of all vectors]`, or an error."""
        try:
            encoder = self._encoder = self._encoder or OnnxEncoder(self._folder, load_tokenizer(self._folder))
            vectors = list(self._pool.map(encoder.encode, texts))
        except LastroError as error:
            return failure_answer(error)
        return ["ok", np.concatenate(vectors).astype("<f4").tobytes()]

    async def serve(self, reader: asyncio.StreamReader, out: BinaryIO, idle_seconds: float) -> None:
        """Answer until the input closes or nothing came for a while."""
        while True:
            try:
                texts = await asyncio.wait_for(read_frame(reader), idle_seconds)
            except (EOFError, TimeoutError):
                return
            out.write(frame_of(await asyncio.to_thread(self.answer, texts)))
            out.flush()


def _own_output() -> BinaryIO:
    """Standard output for frames alone: whatever a library prints goes to standard error."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


async def _main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Embeds passages for a Lastro server.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--nice", type=int, required=True)
    parser.add_argument("--idle", type=float, required=True)
    options = parser.parse_args(arguments)
    os.nice(options.nice)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await BulkServer(options.folder, options.threads).serve(reader, _own_output(), options.idle)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))

"""The process that embeds passages: `python -m retrieval.adapters.onnx_process`, options as `--help` says.

It is a process of its own so that bulk work can have a lower priority than questions. It ends when its parent does,
and when nothing was asked for a while, so that an idle server gets the memory back.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from retrieval.adapters.edge_frames import Wire, failure_answer
from retrieval.adapters.framed_service import answer_standard_input
from retrieval.adapters.onnx_encoder import OnnxEncoder, load_tokenizer
from retrieval.errors import LastroError


class PassageService:
    """Embeds the texts of a request, `threads` at a time."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="passages")
        self._encoder: OnnxEncoder | None = None

    def answer(self, texts: Wire) -> Wire:
        """`["ok", float32 bytes of all vectors]`, or an error."""
        try:
            encoder = self._encoder = self._encoder or OnnxEncoder(self._folder, load_tokenizer(self._folder))
            vectors = list(self._pool.map(encoder.encode, texts))
        except LastroError as error:
            return failure_answer(error)
        return ["ok", np.concatenate(vectors).astype("<f4").tobytes()]


def main(arguments: Sequence[str]) -> None:
    """Serve until the parent is gone or has nothing to ask."""
    parser = argparse.ArgumentParser(description="Embeds passages for a Lastro server.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--nice", type=int, required=True)
    parser.add_argument("--idle", type=float, required=True)
    options = parser.parse_args(arguments)
    os.nice(options.nice)
    asyncio.run(answer_standard_input(PassageService(options.folder, options.threads).answer, options.idle))


if __name__ == "__main__":
    main(sys.argv[1:])

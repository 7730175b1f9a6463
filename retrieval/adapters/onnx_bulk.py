"""Embeds many texts in a child process of low priority."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrieval.adapters.edge_frames import Wire
from retrieval.adapters.framed_child import FramedChild
from retrieval.adapters.onnx_encoder import DIMENSIONS
from retrieval.errors import EmbedderUnavailable, ModelFileDamaged
from retrieval.model import Matrix

_MODULE = "retrieval.adapters.onnx_process"
# Small enough that other callers get their turn and that a cancelled one soon stops working.
_SLICE = 32


class BulkEncoder:
    """Callers take turns, slice by slice. The child starts with the first text and ends when it is idle."""

    def __init__(
        self,
        folder: Path,
        *,
        python: str = sys.executable,
        threads: int = 2,
        nice: int = 10,
        idle_seconds: float = 120.0,
        patience_seconds: float = 300.0,
    ) -> None:
        """`patience_seconds` is for one slice of 32 texts: a child that takes longer is killed."""
        options = ["--folder", str(folder), "--threads", str(threads), "--nice", str(nice), "--idle", str(idle_seconds)]
        self._child = FramedChild(_MODULE, options, patience_seconds=patience_seconds, python=python)

    @property
    def pid(self) -> int | None:
        """The child that was used last, None before the first and after `close`."""
        return self._child.pid

    async def encode(self, texts: Sequence[str]) -> Matrix:
        """(n, dimensions), L2-normalised float32. Raises EmbedderUnavailable, ModelFileDamaged."""
        slices = [texts[at : at + _SLICE] for at in range(0, len(texts), _SLICE)]
        vectors = [_vectors(await self._child.ask(list(part))) for part in slices]
        return np.concatenate([np.empty((0, DIMENSIONS), np.float32), *vectors])

    async def close(self) -> None:
        """End the child; closing twice is harmless."""
        await self._child.close()


def _vectors(answer: Wire | None) -> Matrix:
    match answer:
        case ["ok", bytes(values)]:
            return np.frombuffer(values, "<f4").reshape(-1, DIMENSIONS).astype(np.float32)
        case ["failed", ModelFileDamaged.code, str(message)]:
            raise ModelFileDamaged(message)
        case ["failed", _, str(message)]:
            raise EmbedderUnavailable(message)
        case None:
            raise EmbedderUnavailable("The process that embeds passages ended twice over the same texts.")
    raise EmbedderUnavailable("The process that embeds passages answered with something else than vectors.")

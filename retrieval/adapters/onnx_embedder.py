"""The embedder that Lastro builds for itself: multilingual E5 small, English and Portuguese, in int8.

Questions are embedded in this process, at once; passages in a child process of lower priority, so that filling the
library never starves those who ask. One text at a time: see `e5_graph`.
"""

import asyncio
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np

from retrieval.adapters.e5_tokenizer import E5Tokenizer
from retrieval.adapters.model_manifest import manifest_digests
from retrieval.adapters.onnx_bulk import BulkEncoder
from retrieval.adapters.onnx_encoder import DIMENSIONS, MAX_TOKENS, MODEL, OnnxEncoder, load_tokenizer
from retrieval.adapters.surrogates import without_surrogates
from retrieval.model import EmbedderIdentity, Matrix

NAME = "multilingual-e5-small-enpt-int8"
# The model was trained with them: without, a vector is .99 of the right one.
QUERY = "query: "
PASSAGE = "passage: "


class OnnxEmbedder:
    """Port `Embedder`. Nothing is loaded and no process is started before the first text."""

    def __init__(
        self,
        folder: Path,
        *,
        python: str = sys.executable,
        threads: int = 2,
        nice: int = 10,
        idle_seconds: float = 120.0,
    ) -> None:
        """`folder` is what `ModelFiles.ensure("embedder")` returned; the child ends after `idle_seconds` without work.

        Raises ModelFileDamaged when the folder's manifest cannot be read.
        """
        self._folder = folder
        digest = manifest_digests(folder).get(MODEL, "")
        self.identity = EmbedderIdentity(NAME, DIMENSIONS, MAX_TOKENS, f"sha256:{digest}")
        self._bulk = BulkEncoder(folder, python=python, threads=threads, nice=nice, idle_seconds=idle_seconds)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="questions")
        self._loading = asyncio.Lock()
        self._encoder: OnnxEncoder | None = None

    @cached_property
    def tokenizer(self) -> E5Tokenizer:
        """The embedder's own tokens, for cutting texts; loaded on first use, in 50 ms."""
        return load_tokenizer(self._folder)

    @property
    def bulk_pid(self) -> int | None:
        """The child that embeds passages, None before the first one: for measuring."""
        return self._bulk.pid

    async def embed_queries(self, texts: Sequence[str]) -> Matrix:
        """Vectors of questions, made in this process. Raises EmbedderUnavailable, ModelFileDamaged."""
        encoder = await self._loaded()
        run = asyncio.get_running_loop().run_in_executor
        vectors = await asyncio.gather(*(run(self._pool, encoder.encode, QUERY + text) for text in texts))
        return np.array(vectors, np.float32).reshape(-1, DIMENSIONS)

    async def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """Vectors of passages, made in the child process. Raises EmbedderUnavailable, ModelFileDamaged."""
        return await self._bulk.encode([PASSAGE + without_surrogates(text) for text in texts])

    async def close(self) -> None:
        """End the child and the threads; closing twice is harmless."""
        await self._bulk.close()
        self._pool.shutdown(wait=False)

    async def _loaded(self) -> OnnxEncoder:
        async with self._loading:
            if self._encoder is None:
                self._encoder = await asyncio.to_thread(lambda: OnnxEncoder(self._folder, self.tokenizer))
            return self._encoder

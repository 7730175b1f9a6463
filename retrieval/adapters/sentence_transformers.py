"""Vectors from any model that sentence-transformers can load: an optional extra, because it brings torch."""

import asyncio
from collections.abc import Sequence
from typing import Self

import numpy as np

from retrieval.adapters.embedding_prefixes import Prefixes, prefixes_for
from retrieval.adapters.surrogates import without_surrogates
from retrieval.adapters.vectors_from_outside import normalised
from retrieval.errors import EmbedderUnavailable, PermanentFailure
from retrieval.model import EmbedderIdentity, Matrix

try:
    from sentence_transformers import SentenceTransformer
except ImportError as missing:
    raise PermanentFailure(
        "The embedder `sentence-transformers` is configured, but its package is not installed.",
        remedy="Install Lastro with the extra `sentence-transformers`, or set `embedder.kind` to `onnx`.",
    ) from missing

_BATCH = 16
_UNKNOWN_LENGTH = 512


class SentenceTransformersEmbedder:
    """Port `Embedder`. `open` must come first: it loads the model."""

    def __init__(
        self, model: str, *, prefixes: Prefixes | None = None, allow_download: bool = False, device: str = "cpu"
    ) -> None:
        """`model` is a folder or a name; a name is only looked up in the local cache unless `allow_download`.

        Without `prefixes` the model's own prompts `query` and `passage` or `document` count, then its name.
        """
        self._model = model
        self._given = prefixes
        self._allow_download = allow_download
        self._device = device
        self._prefixes = prefixes or Prefixes()
        self._loaded: SentenceTransformer | None = None
        self._turn = asyncio.Lock()

    async def open(self) -> Self:
        """Load the model. Raises PermanentFailure when it is not there or is no such model."""
        self._loaded = await asyncio.to_thread(self._load)
        self._prefixes = self._given or _prefixes_of(self._loaded) or prefixes_for(self._model)
        return self

    @property
    def identity(self) -> EmbedderIdentity:
        """Name, dimensions and longest text; the weights' digest is not known. Raises EmbedderUnavailable."""
        model = self._opened()
        length = model.get_max_seq_length() or _UNKNOWN_LENGTH
        return EmbedderIdentity(self._model, model.get_embedding_dimension() or 0, length)

    async def embed_queries(self, texts: Sequence[str]) -> Matrix:
        """(n, dimensions), L2-normalised. Raises EmbedderUnavailable, InvalidVector."""
        return await self._embed(texts, self._prefixes.query)

    async def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """(n, dimensions), L2-normalised. Raises EmbedderUnavailable, InvalidVector."""
        return await self._embed(texts, self._prefixes.passage)

    async def close(self) -> None:
        """Let the model go; closing twice is harmless."""
        self._loaded = None

    def _load(self) -> SentenceTransformer:
        try:
            return SentenceTransformer(
                self._model,
                device=self._device,
                local_files_only=not self._allow_download,
                model_kwargs={"use_safetensors": True},  # never a pickle
            )
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise PermanentFailure(
                f"the embedding model {self._model!r} cannot be loaded: {error}",
                remedy="Set `embedder.model` to a folder with the model, or fetch it into the local cache first.",
            ) from error

    def _opened(self) -> SentenceTransformer:
        if self._loaded is None:
            raise EmbedderUnavailable(f"the embedding model {self._model!r} is not loaded")
        return self._loaded

    async def _embed(self, texts: Sequence[str], prefix: str) -> Matrix:
        clean = list(map(without_surrogates, texts))
        batches = []
        for at in range(0, len(clean), _BATCH):
            async with self._turn:  # batch by batch, so that a question need not wait for a whole document
                batches.append(await asyncio.to_thread(self._encode, clean[at : at + _BATCH], prefix))
        return np.concatenate([np.empty((0, self.identity.dimensions), np.float32), *batches])

    def _encode(self, texts: list[str], prefix: str) -> Matrix:
        model = self._opened()
        try:
            vectors = model.encode(texts, prompt=prefix, batch_size=_BATCH, show_progress_bar=False)
        except RuntimeError as error:
            raise EmbedderUnavailable(f"the embedding model could not run: {error}") from error
        return normalised(vectors, len(texts), model.get_embedding_dimension())


def _prefixes_of(model: SentenceTransformer) -> Prefixes | None:
    """The prompts that the model brings, None when it has none."""
    prompts = {name: prompt for name, prompt in model.prompts.items() if prompt}
    if not prompts:
        return None
    return Prefixes(prompts.get("query", ""), prompts.get("passage", prompts.get("document", "")))

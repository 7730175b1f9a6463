"""Vectors from a server that speaks OpenAI's `/v1/embeddings`, such as vLLM."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Self

import httpx
import numpy as np

from retrieval.adapters.embedding_prefixes import Prefixes, prefixes_for
from retrieval.adapters.embedding_requests import post_patiently
from retrieval.adapters.surrogates import without_surrogates
from retrieval.adapters.vectors_from_outside import normalised
from retrieval.errors import EmbedderUnavailable
from retrieval.model import EmbedderIdentity, Matrix

_BATCH = 32
_PROBE = "dimensions"


class OpenAIEmbeddings:
    """Port `Embedder`. `open` must come first: it asks the server for one vector and so learns the dimensions."""

    def __init__(
        self,
        url: str,
        model: str,
        api_key: str = "",
        *,
        prefixes: Prefixes | None = None,
        max_tokens: int = 512,
        timeout_seconds: float = 60.0,
        ca_file: Path | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`url` with or without `/v1`; it must take `max_tokens`; without `prefixes` the model's name decides."""
        root = url.rstrip("/").removesuffix("/embeddings").removesuffix("/v1")
        self._url = f"{root}/v1/embeddings"
        self._model = model
        self._prefixes = prefixes or prefixes_for(model)
        self._max_tokens = max_tokens
        self._sleep = sleep
        self._dimensions: int | None = None
        # trust_env=False: a proxy set for something else must not see the library's texts.
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=timeout_seconds,
            verify=ssl.create_default_context(cafile=ca_file),
            trust_env=False,
        )

    async def open(self) -> Self:
        """Learn the dimensions. Raises EmbedderUnavailable, PermanentFailure."""
        await self.embed_queries([_PROBE])
        return self

    @property
    def identity(self) -> EmbedderIdentity:
        """Name and dimensions; the weights' digest is not known. Raises EmbedderUnavailable before `open`."""
        if self._dimensions is None:
            raise EmbedderUnavailable(f"{self._url} has not been asked yet for the model's dimensions")
        return EmbedderIdentity(self._model, self._dimensions, self._max_tokens)

    async def embed_queries(self, texts: Sequence[str]) -> Matrix:
        """(n, dimensions), L2-normalised. Raises EmbedderUnavailable, PermanentFailure, InvalidVector."""
        return await self._embed([self._prefixes.query + text for text in texts])

    async def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """(n, dimensions), L2-normalised. Raises EmbedderUnavailable, PermanentFailure, InvalidVector."""
        return await self._embed([self._prefixes.passage + text for text in texts])

    async def close(self) -> None:
        """Close the connections; closing twice is harmless."""
        await self._client.aclose()

    async def _embed(self, texts: Sequence[str]) -> Matrix:
        batches = [await self._batch(texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
        return np.concatenate([np.empty((0, self._dimensions or 0), np.float32), *batches])

    async def _batch(self, texts: Sequence[str]) -> Matrix:
        body: dict[str, str | list[str]] = {
            "model": self._model,
            "input": list(map(without_surrogates, texts)),
            "encoding_format": "float",
        }
        answer = await post_patiently(self._client, self._url, body, sleep=self._sleep)
        try:
            rows = sorted(answer.json()["data"], key=lambda row: int(row["index"]))
            vectors = [row["embedding"] for row in rows]
        except (ValueError, KeyError, TypeError) as error:
            raise EmbedderUnavailable(f"{self._url} answered with something else than embeddings") from error
        matrix = normalised(vectors, len(texts), self._dimensions)
        self._dimensions = matrix.shape[1]
        return matrix

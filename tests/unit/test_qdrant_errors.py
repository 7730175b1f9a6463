"""The client's own complaints, those that no server answers with."""

import pytest
from qdrant_client import AsyncQdrantClient

from retrieval.adapters.qdrant_errors import server_errors
from retrieval.errors import NotFound, StoreRefused, StoreUnavailable


async def test_what_the_local_client_refuses_is_refused() -> None:
    client = AsyncQdrantClient(":memory:")
    with pytest.raises(StoreRefused, match="not found"), server_errors():
        await client.count("nothing")
    await client.close()


async def test_a_closed_local_client_is_unavailable() -> None:
    client = AsyncQdrantClient(":memory:")
    await client.close()
    with pytest.raises(StoreUnavailable, match="closed"), server_errors():
        await client.count("nothing")


def test_our_own_failures_and_mistakes_pass_as_they_are() -> None:
    with pytest.raises(NotFound), server_errors():
        raise NotFound
    with pytest.raises(KeyError), server_errors():
        raise KeyError("a mistake in the program")

"""Where the library keeps things: database, files, vectors."""

import ssl
from pathlib import Path

from api.settings import Settings
from retrieval.adapters.qdrant_edge import EdgeVectorStore
from retrieval.ports import VectorStore


def vectors(settings: Settings, socket_path: Path | None) -> VectorStore:
    """The vector store: the index process behind the socket, or a Qdrant server."""
    if socket_path is not None:
        return EdgeVectorStore(socket_path)
    from qdrant_client import AsyncQdrantClient

    from retrieval.adapters.qdrant_server import QdrantServerStore

    given = settings.qdrant
    verify = ssl.create_default_context(cafile=given.ca_file) if given.ca_file else True
    client = AsyncQdrantClient(
        url=given.url, api_key=given.key() or None, timeout=int(given.timeout_seconds), verify=verify
    )
    return QdrantServerStore(client)

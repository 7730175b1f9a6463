"""Where things are kept: tables, queue, vectors."""

import ssl
from pathlib import Path

from api.settings import Settings
from ingest.ports import JobQueue
from retrieval.adapters.qdrant_edge import EdgeVectorStore
from retrieval.adapters.sql_database import Database
from retrieval.ports import VectorStore


def database(settings: Settings) -> Database:
    """The tables; nothing is opened yet."""
    return Database(settings.database)


def job_queue(settings: Settings) -> JobQueue:
    """The queue: in the same PostgreSQL as the tables, or in a SQLite file of its own."""
    from ingest.adapters.dbos_jobs import DbosJobQueue

    if settings.database_url:
        tables = Database(settings.database)
        if tables.dialect != "sqlite":
            return DbosJobQueue(tables.url.render_as_string(hide_password=False))
    return DbosJobQueue.in_file(settings.data_dir.absolute() / "jobs.db")


def vectors(settings: Settings, socket_path: Path | None) -> VectorStore:
    """The vector store: the index process behind the socket, or a Qdrant server."""
    if socket_path is not None:
        return EdgeVectorStore(socket_path)
    from qdrant_client import AsyncQdrantClient

    from retrieval.adapters.qdrant_server import QdrantServerStore

    given = settings.qdrant
    verify = ssl.create_default_context(cafile=given.ca_file) if given.ca_file else True
    client = AsyncQdrantClient(url=given.url, api_key=given.key() or None, timeout=given.timeout_seconds, verify=verify)
    return QdrantServerStore(client)

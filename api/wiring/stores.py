"""Where things are kept: tables, queue, vectors."""

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
    from retrieval.adapters.qdrant_server import QdrantServerStore

    given = settings.qdrant
    return QdrantServerStore.connect(
        given.url, api_key=given.key() or None, ca_file=given.ca_file, timeout=given.timeout_seconds
    )

"""Where the queue keeps its state: the database of DBOS, and beside it one table of the jobs that wait or run.

DBOS knows batches; a caller knows jobs. The table says in which batch a job is, so that enqueuing it twice changes
nothing, and whether it was cancelled meanwhile. A row goes as soon as its job was carried out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from retrieval.adapters.sql_errors import DATABASE
from retrieval.errors import StoreRefused

SCHEMA: Final = "dbos"  # of DBOS's own tables in PostgreSQL; SQLite has none
DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
LOCK_SECONDS: Final = 30


def queue_engine(url: str) -> sa.Engine:
    """Connections to the queue's database, set up so that several processes may use one SQLite file.

    Raises StoreRefused for anything but SQLite and PostgreSQL.
    """
    address = sa.make_url(url)
    backend = address.get_backend_name()
    if backend not in DRIVERS:
        raise StoreRefused(f"The queue is kept in SQLite or PostgreSQL, not {backend}.", remedy=DATABASE)
    engine = sa.create_engine(
        address.set(drivername=DRIVERS[backend]), pool_size=10, max_overflow=20, pool_timeout=LOCK_SECONDS
    )
    if backend == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # A transaction that begins as a reader fails when another process was quicker to write.
    connection.isolation_level = "IMMEDIATE"
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={LOCK_SECONDS * 1000}",
        "journal_mode=WAL",  # four times as many jobs a second as SQLite's default
        "synchronous=FULL",  # what was acknowledged survives a loss of power
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The rows of jobs that wait or run. Every method is one statement on the caller's connection."""

    table: sa.Table

    @classmethod
    def on(cls, engine: sa.Engine) -> "Waiting":
        """The table as that database names it."""
        schema = SCHEMA if engine.dialect.name == "postgresql" else None
        table = sa.Table(
            "lastro_waiting",
            sa.MetaData(schema=schema),
            sa.Column("job", sa.String, primary_key=True),
            sa.Column("batch", sa.String, nullable=False, index=True),
            sa.Column("cancelled", sa.Boolean, nullable=False),
        )
        return cls(table)

    def make(self, connection: sa.Connection) -> None:
        """Make the table if need be."""
        self.table.metadata.create_all(connection)

    def claim(self, connection: sa.Connection, jobs: Sequence[str], batch: str) -> list[str]:
        """Put those of the jobs that do not wait yet into the batch, and say which; no two callers get the same."""
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(self.table)
        rows = [{"job": job, "batch": batch, "cancelled": False} for job in jobs]
        done = insert.values(rows).on_conflict_do_nothing().returning(self.table.c.job)
        claimed = set(connection.execute(done).scalars())
        return [job for job in jobs if job in claimed]

    def revive(self, connection: sa.Connection, jobs: Sequence[str]) -> None:
        """Let run again what was cancelled while it waited."""
        mine = self.table.c.job.in_(jobs) & self.table.c.cancelled
        connection.execute(self.table.update().where(mine).values(cancelled=False))

    def batches_of(self, connection: sa.Connection, jobs: Sequence[str]) -> set[str]:
        """The batches in which the jobs are."""
        return set(connection.execute(sa.select(self.table.c.batch).where(self.table.c.job.in_(jobs))).scalars())

    def forget(self, connection: sa.Connection, batches: Sequence[str]) -> None:
        """Drop the jobs of batches that will never run."""
        connection.execute(self.table.delete().where(self.table.c.batch.in_(batches)))

    def cancel(self, connection: sa.Connection, job: str) -> None:
        """Mark a job that waits or runs; others have no row."""
        connection.execute(self.table.update().where(self.table.c.job == job).values(cancelled=True))

    def to_run(self, connection: sa.Connection, job: str, batch: str) -> bool:
        """Whether the batch has still to carry out the job."""
        mine = (self.table.c.job == job) & (self.table.c.batch == batch)
        return connection.execute(sa.select(self.table.c.cancelled).where(mine)).scalar() is False

    def done(self, connection: sa.Connection, job: str, batch: str) -> None:
        """The batch has carried the job out, or need not."""
        connection.execute(self.table.delete().where((self.table.c.job == job) & (self.table.c.batch == batch)))

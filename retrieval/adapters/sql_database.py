"""The one way to the database: connections, transactions and migrations, alike for SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Table, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from retrieval.adapters.sql_errors import DATABASE, store_errors
from retrieval.adapters.sql_migrations import migrate
from retrieval.errors import StoreRefused

DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
# An execution option that tells `begin_sqlite` what to do; PostgreSQL's driver begins by itself.
BEGIN: Final = "lastro_begin"
WRITING: Final = {BEGIN: "BEGIN IMMEDIATE"}


class Database:
    """Connections to one database. Nothing is opened before the first use.

    `reading()` gives single statements, each a snapshot of its own. `writing()` is one transaction: committed at the
    end of the block, rolled back when it raises. Both raise StoreUnavailable, DiskFull, StoreRefused.
    """

    def __init__(self, url: str, *, pool_size: int = 5, patience_seconds: float = 10.0) -> None:
        """`patience_seconds` is how long to wait for a connection, a lock or another writer.

        Raises StoreRefused for anything but a SQLite file or PostgreSQL.
        """
        with store_errors():
            self.url = address(url)
        self._patience = patience_seconds
        self._engine = self._make_engine(pool_size)
        # SQLite's connections are in autocommit mode anyway, until `begin_sqlite` says otherwise.
        sqlite = self.dialect == "sqlite"
        self._readers = self._engine.execution_options(**{} if sqlite else {"isolation_level": "AUTOCOMMIT"})
        self._snapshots = self._engine.execution_options(
            **{BEGIN: "BEGIN"} if sqlite else {"isolation_level": "REPEATABLE READ"}
        )

    @classmethod
    def in_file(cls, path: Path, *, pool_size: int = 5, patience_seconds: float = 10.0) -> "Database":
        """The SQLite database in that file, made when it is not there; its folder must be."""
        url = URL.create(DRIVERS["sqlite"], database=str(path)).render_as_string()
        return cls(url, pool_size=pool_size, patience_seconds=patience_seconds)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.url.get_backend_name()

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`, in this database's dialect."""
        return sqlite.insert(table) if self.dialect == "sqlite" else postgresql.insert(table)

    async def migrate(self) -> None:
        """Bring the tables up to date. Safe when several processes do it at once; raises PermanentFailure."""
        with store_errors():
            await asyncio.to_thread(migrate, self.url, patience_seconds=max(self._patience, 60.0))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for single reading statements, without the round trips of a transaction."""
        with store_errors():
            async with self._readers.connect() as connection:
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection for several reading statements that see one and the same state."""
        with store_errors():
            async with self._snapshots.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that may write."""
        with store_errors():
            async with self._engine.execution_options(**WRITING).begin() as connection:
                yield connection

    async def close(self) -> None:
        """Let go of all connections; closing twice is harmless."""
        await self._engine.dispose()

    def _make_engine(self, pool_size: int) -> AsyncEngine:
        patience = self._patience
        if self.dialect == "sqlite":
            engine = create_async_engine(
                self.url, pool_size=pool_size, pool_timeout=patience, connect_args={"timeout": patience}
            )
            event.listen(engine.sync_engine, "connect", prepare_sqlite)
            event.listen(engine.sync_engine, "begin", begin_sqlite)
            return engine
        options = f"-c lock_timeout={int(patience * 1000)} -c idle_in_transaction_session_timeout=60000"
        return create_async_engine(
            self.url,
            pool_size=pool_size,
            pool_timeout=patience,
            pool_pre_ping=True,
            connect_args={"connect_timeout": max(2, int(patience)), "options": options},
        )


def address(url: str) -> URL:
    """The address with the driver that Lastro uses. Raises StoreRefused."""
    parsed = make_url(url)
    driver = DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise StoreRefused(f"Lastro keeps its tables in SQLite or PostgreSQL, not {parsed.drivername}.")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise StoreRefused("A SQLite database needs a file.", remedy=DATABASE)
    return parsed.set(drivername=driver)


def prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Set up each new connection to a SQLite file."""
    # The driver would begin transactions by itself, as late ones that cannot always be turned into writing ones.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",  # readers and a writer do not wait for each other
        "synchronous=FULL",  # in WAL mode NORMAL loses acknowledged commits with the power; one fsync a commit
        "foreign_keys=ON",
        "secure_delete=ON",  # what is deleted is overwritten with zeros
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin_sqlite(connection: Connection) -> None:
    """Begin a writer at once as one: a reader that turns into a writer fails when another was quicker."""
    begin = connection.get_execution_options().get(BEGIN)
    if begin is not None:
        connection.exec_driver_sql(begin)

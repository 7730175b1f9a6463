"""Runs the migrations that ship in this package, from code: an installed wheel has no `alembic.ini`."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, create_engine, event, text
from sqlalchemy.pool import NullPool

from retrieval.errors import PermanentFailure

FOLDER: Final = Path(__file__).with_name("migrations")
# Any fixed number: whoever holds this PostgreSQL lock is the one who migrates.
LOCK: Final = 0x4C617374726F
SYNC_DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


def migrate(url: URL, *, patience_seconds: float) -> None:
    """Bring the database up to the newest revision, in one transaction; others who try meanwhile wait.

    Blocks: call it in a thread. Raises PermanentFailure when the database is newer than this program.
    """
    backend = url.get_backend_name()
    options: dict[str, object] = {"timeout": patience_seconds} if backend == "sqlite" else {"connect_timeout": 10}
    engine = create_engine(url.set(drivername=SYNC_DRIVERS[backend]), poolclass=NullPool, connect_args=options)
    if backend == "sqlite":
        event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            if backend == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            upgrade(connection)
    finally:
        engine.dispose()


def upgrade(connection: Connection) -> None:
    """Run what is missing on a connection that is in a transaction."""
    config = Config()
    # A percent sign in the path would be read as a placeholder.
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise PermanentFailure(
            "The database was made by a newer version of Lastro.", remedy="Install that version, or restore a backup."
        ) from error

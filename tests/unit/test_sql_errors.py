"""What SQLite and PostgreSQL say went wrong, in our own words."""

import errno
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from retrieval.adapters.sql_database import Database
from retrieval.adapters.sql_errors import store_errors
from retrieval.errors import DiskFull, LastroError, PermanentFailure, StoreRefused, StoreUnavailable


class Postgres(Exception):
    """What the driver raises, as far as it matters here."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("Key (name)=(secret value) …")
        self.sqlstate = sqlstate


def sqlite(code: int, message: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


def raised_for(error: BaseException) -> LastroError:
    with pytest.raises(LastroError) as failure, store_errors():
        raise error
    return failure.value


def from_driver(error: Exception) -> LastroError:
    return raised_for(DBAPIError("SELECT 1", {}, error))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY, StoreUnavailable),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreUnavailable),
        (sqlite3.SQLITE_LOCKED, StoreUnavailable),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreUnavailable),
        (sqlite3.SQLITE_CANTOPEN, StoreUnavailable),
        (sqlite3.SQLITE_FULL, DiskFull),
        (sqlite3.SQLITE_ERROR, StoreRefused),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreRefused),
        (sqlite3.SQLITE_CORRUPT_INDEX, PermanentFailure),
        (sqlite3.SQLITE_NOTADB, PermanentFailure),
    ],
)
def test_sqlite_s_codes(code: int, kind: type[LastroError]) -> None:
    assert type(from_driver(sqlite(code, "database is in trouble"))) is kind


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("08006", StoreUnavailable),
        ("40001", StoreUnavailable),
        ("40P01", StoreUnavailable),
        ("53300", StoreUnavailable),
        ("55P03", StoreUnavailable),
        ("57P01", StoreUnavailable),
        ("53100", DiskFull),
        ("42P01", StoreRefused),
        ("28P01", StoreRefused),
        (None, StoreUnavailable),
    ],
)
def test_postgresql_s_states_and_never_its_message(state: str | None, kind: type[LastroError]) -> None:
    failure = from_driver(Postgres(state))
    assert type(failure) is kind
    assert "secret" not in failure.message + failure.hint


def test_a_pool_without_a_free_connection_is_busy() -> None:
    assert isinstance(raised_for(PoolTimeout("QueuePool limit")), StoreUnavailable)


def test_the_operating_system_s_errors() -> None:
    assert isinstance(raised_for(OSError(errno.ENOSPC, "No space")), DiskFull)
    assert isinstance(raised_for(ConnectionRefusedError(errno.ECONNREFUSED, "refused")), StoreUnavailable)


def test_an_address_that_cannot_be_read() -> None:
    assert isinstance(raised_for(ArgumentError("Could not parse")), StoreRefused)


def test_what_is_there_already_is_for_the_caller_to_judge() -> None:
    with pytest.raises(IntegrityError), store_errors():
        raise IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE constraint failed"))


@pytest.mark.parametrize(
    "url", ["mysql://localhost/x", "sqlite://", "sqlite:///:memory:", "oracle://x", "nonsense", "", "://"]
)
def test_only_sqlite_files_and_postgresql_are_taken(url: str) -> None:
    with pytest.raises(StoreRefused):
        Database(url)


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:////data/lastro.db", "sqlite+aiosqlite"),
        ("postgresql://user@host/lastro", "postgresql+psycopg"),
        ("postgresql+psycopg://user@host/lastro", "postgresql+psycopg"),
    ],
)
def test_the_driver_is_ours_to_choose(url: str, driver: str) -> None:
    assert Database(url).url.drivername == driver


async def pragma(database: Database, name: str) -> object:
    async with database.reading() as connection:
        return (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()


async def test_sqlite_is_set_up_for_durable_private_work(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path / "50%.db", patience_seconds=7)
    await database.migrate()
    settings = {name: await pragma(database, name) for name in ("journal_mode", "synchronous", "busy_timeout")}
    assert settings == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 7000}
    assert await pragma(database, "foreign_keys") == 1
    assert await pragma(database, "secure_delete") == 1
    await database.close()


async def test_a_writer_that_waits_too_long_gives_up_with_a_temporary_failure(tmp_path: Path) -> None:
    first = Database.in_file(tmp_path / "a.db", patience_seconds=0.1)
    second = Database.in_file(tmp_path / "a.db", patience_seconds=0.1)
    await first.migrate()

    async def write_meanwhile() -> None:
        async with second.writing():
            pass

    async with first.writing():
        with pytest.raises(StoreUnavailable, match="locked"):
            await write_meanwhile()
    await write_meanwhile()
    await first.close()
    await second.close()


async def test_a_file_that_is_no_database_is_a_lasting_failure_that_names_the_backup(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"not a database" * 500)
    database = Database.in_file(tmp_path / "a.db")
    with pytest.raises(PermanentFailure, match="cannot be read") as failure:
        await database.migrate()
    assert "backup" in failure.value.hint
    await database.close()


async def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path / "a.db")
    await database.migrate()

    async def write_much() -> None:
        async with database.writing() as connection:
            await connection.execute(text("PRAGMA max_page_count = 1"))  # SQLite keeps to the pages it has
            await connection.execute(text("CREATE TABLE big (content TEXT)"))
            await connection.execute(text("INSERT INTO big VALUES (:much)"), {"much": "x" * 1_000_000})

    with pytest.raises(DiskFull):
        await write_much()
    await database.close()


async def test_deleted_text_is_gone_from_the_file(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path / "a.db")
    await database.migrate()
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE note (content TEXT)"))
        await connection.execute(text("INSERT INTO note VALUES ('canary-4711')"))
    async with database.writing() as connection:
        await connection.execute(text("DELETE FROM note"))
    async with database.reading() as connection:
        await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    await database.close()
    assert b"canary-4711" not in (tmp_path / "a.db").read_bytes()


def test_the_migrations_are_found_from_wherever_the_package_lies(tmp_path: Path, repository: Path) -> None:
    """The wheel ships them beside the code; `%` in a path is no placeholder."""
    folder = tmp_path / "100%s site"
    shutil.copytree(repository / "retrieval", folder / "retrieval", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import asyncio, pathlib, sys; from retrieval.adapters.sql_database import Database;"
        "database = Database.in_file(pathlib.Path(sys.argv[1])); asyncio.run(database.migrate());"
        "import retrieval; print(retrieval.__file__)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.db")]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert result.stdout.startswith(str(folder))
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
    connection.close()

"""What the database promises, on SQLite and on PostgreSQL alike."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from retrieval.adapters.sql_database import Database
from retrieval.adapters.sql_tables import idempotency, index_identity, tables, users
from retrieval.errors import PermanentFailure, StoreRefused, StoreUnavailable

NOW = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)
IDENTITY = {"id": 1, "embedder": "e5", "dimensions": 4, "max_tokens": 512, "digest": "", "sparse": "bm25"}


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    opened = Database(empty_url, patience_seconds=5)
    yield opened
    await opened.close()


def row(key: str, created: datetime = NOW) -> dict[str, object]:
    return {"user": "ana", "key": key, "fingerprint": "f", "status": 201, "body": b"\x00{}\xff", "created": created}


async def keys(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list((await connection.execute(select(idempotency.c.key).order_by("key"))).scalars())


async def test_migrating_makes_every_table_of_the_metadata_and_nothing_else(empty: Database) -> None:
    await empty.migrate()

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), tables))

    async with empty.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_again_changes_nothing(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(idempotency), row("a"))
    await database.migrate()
    assert await keys(database) == ["a"]


async def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(4)]
    await asyncio.gather(*(database.migrate() for database in databases))
    for database in databases:
        assert await keys(database) == []
        await database.close()


async def test_a_database_of_a_newer_version_is_refused_with_a_remedy(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(PermanentFailure, match="newer version") as failure:
        await database.migrate()
    assert "backup" in failure.value.hint


async def test_a_writing_block_is_committed_at_its_end(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(idempotency), [row("a"), row("b")])
    assert await keys(database) == ["a", "b"]


async def test_a_writing_block_that_raises_leaves_nothing_behind(database: Database) -> None:
    async def stopped() -> None:
        async with database.writing() as connection:
            await connection.execute(insert(idempotency), row("a"))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await stopped()
    assert await keys(database) == []


async def test_readers_see_the_old_rows_until_the_writer_commits(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(idempotency), row("a"))
        assert await keys(database) == []
    assert await keys(database) == ["a"]


async def test_writers_take_turns_and_lose_no_update(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(index_identity), IDENTITY)

    async def raise_by_one() -> None:
        async with database.writing() as connection:
            locked = select(index_identity.c.dimensions).with_for_update()
            number = (await connection.execute(locked)).scalar_one()
            await connection.execute(update(index_identity).values(dimensions=number + 1))

    await asyncio.gather(*(raise_by_one() for _ in range(12)))
    async with database.reading() as connection:
        assert (await connection.execute(select(index_identity.c.dimensions))).scalar_one() == 16


async def test_a_row_that_is_there_already_is_left_to_the_caller(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.writing() as connection:
            await connection.execute(insert(idempotency), [row("a"), row("a")])
    assert await keys(database) == []


@pytest.mark.parametrize("hours", [0, -3, 9])
async def test_a_time_comes_back_in_utc_to_the_microsecond(database: Database, hours: int) -> None:
    local = NOW.astimezone(timezone(timedelta(hours=hours)))
    async with database.writing() as connection:
        await connection.execute(insert(idempotency), row("a", created=local))
    async with database.reading() as connection:
        stored = (await connection.execute(select(idempotency.c.created))).scalar_one()
    assert stored == NOW
    assert stored.utcoffset() == timedelta(0)


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        async with database.writing() as connection:
            await connection.execute(insert(idempotency), row("a", created=NOW.replace(tzinfo=None)))


async def test_times_sort_and_compare_as_times(database: Database) -> None:
    moments = [NOW + timedelta(microseconds=n) for n in (0, 1, 1_000_000, 900_000)]
    async with database.writing() as connection:
        await connection.execute(insert(idempotency), [row(str(n), moment) for n, moment in enumerate(moments)])
    async with database.reading() as connection:
        ordered = select(idempotency.c.created).order_by(idempotency.c.created)
        assert list((await connection.execute(ordered)).scalars()) == sorted(moments)
        later = select(func.count()).where(idempotency.c.created > moments[1])
        assert (await connection.execute(later)).scalar_one() == 2


async def test_names_sort_by_code_point_whatever_the_locale(database: Database) -> None:
    names = ["b", "A", "a", "Á", "_", "ç"]
    person = {"tenant": "acme", "groups": ["x"], "clearance": "public", "role": "reader", "created": NOW}
    async with database.writing() as connection:
        await connection.execute(insert(users), [{"name": name, **person} for name in names])
    async with database.reading() as connection:
        rows = (await connection.execute(select(users.c.name, users.c.suspended).order_by(users.c.name))).all()
    assert [name for name, _ in rows] == sorted(names)
    assert not any(suspended for _, suspended in rows)


async def test_a_refused_statement_is_our_own_error_and_shows_no_values(database: Database) -> None:
    with pytest.raises((StoreRefused, StoreUnavailable)) as failure:
        async with database.reading() as connection:
            await connection.execute(text("SELECT nothing FROM nowhere WHERE 1 = :secret"), {"secret": "hunter2"})
    assert "hunter2" not in str(failure.value)


async def test_a_database_that_does_not_answer_is_a_temporary_failure(tmp_path: Path) -> None:
    silent = [
        Database(f"postgresql+psycopg://postgres@/x?host={tmp_path}", patience_seconds=1),
        Database(f"sqlite:///{tmp_path}/missing/lastro.db", patience_seconds=1),
    ]
    for database in silent:
        with pytest.raises(StoreUnavailable):
            async with database.reading() as connection:
                await connection.execute(text("SELECT 1"))
        with pytest.raises(StoreUnavailable):
            await database.migrate()
        await database.close()
    # A connection that could not be opened ends its thread by itself; it must not outlive this test's event loop.
    for thread in threading.enumerate():
        if "connection_worker" in thread.name:
            await asyncio.to_thread(thread.join, 5)


async def test_closing_twice_is_harmless(database: Database) -> None:
    await database.close()
    await database.close()

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from api.accounts import Accounts, random_key
from api.auth import Role, User, digest_of_key
from api.idempotency import Reply
from api.replies import SqlReplies
from retrieval.adapters.sql_database import Database
from retrieval.errors import NotFound

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = User("main", "anna", frozenset({"hr", "sales"}), "internal", Role.CONTRIBUTOR)


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database.in_file(tmp_path / "lastro.db")
    await made.migrate()
    yield made
    await made.close()


@pytest.fixture
def accounts(database: Database, clock: Clock) -> Accounts:
    return Accounts(database, clock=clock)


@pytest.fixture
def replies(database: Database, clock: Clock) -> SqlReplies:
    return SqlReplies(database, clock=clock, longest_request=60.0)


async def test_a_new_key_finds_its_user(accounts: Accounts) -> None:
    key_id, key = await accounts.create_key(ANNA)
    assert await accounts.by_key(digest_of_key(key)) == (key_id, ANNA)
    assert await accounts.user("anna") == ANNA


async def test_an_unknown_digest_finds_nobody(accounts: Accounts) -> None:
    await accounts.create_key(ANNA)
    assert await accounts.by_key(digest_of_key("lastro_other")) is None
    assert await accounts.user("ben") is None


async def test_a_key_is_not_in_the_database_only_its_hash(accounts: Accounts, tmp_path: Path) -> None:
    _, key = await accounts.create_key(ANNA)
    await accounts.database.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert key.encode() not in stored
    assert digest_of_key(key).encode() in stored


async def test_a_key_made_again_gives_the_user_the_new_rights_for_all_keys(accounts: Accounts) -> None:
    _, old = await accounts.create_key(ANNA)
    fewer = User("main", "anna", frozenset(), "public", Role.READER)
    _, new = await accounts.create_key(fewer)
    for key in (old, new):
        found = await accounts.by_key(digest_of_key(key))
        assert found is not None
        assert found[1] == fewer


async def test_a_revoked_key_is_refused_and_the_user_s_others_are_not(accounts: Accounts) -> None:
    first_id, first = await accounts.create_key(ANNA)
    _, second = await accounts.create_key(ANNA)
    await accounts.revoke(first_id)
    await accounts.revoke(first_id)
    assert await accounts.by_key(digest_of_key(first)) is None
    assert await accounts.by_key(digest_of_key(second)) is not None


async def test_revoking_what_is_not_there_is_not_found(accounts: Accounts) -> None:
    with pytest.raises(NotFound):
        await accounts.revoke(uuid4())


async def test_a_suspended_user_stays_suspended_until_resumed_even_with_a_new_key(accounts: Accounts) -> None:
    _, key = await accounts.create_key(ANNA)
    assert not (await accounts.set_active("anna", active=False)).active
    _, newer = await accounts.create_key(ANNA)
    for one in (key, newer):
        found = await accounts.by_key(digest_of_key(one))
        assert found is not None
        assert not found[1].active
    assert (await accounts.set_active("anna", active=True)).active


async def test_suspending_nobody_is_not_found(accounts: Accounts) -> None:
    with pytest.raises(NotFound):
        await accounts.set_active("nobody", active=False)


async def test_lists_are_paged_without_gaps_and_repeats(accounts: Accounts) -> None:
    made = {(await accounts.create_key(User("main", name, frozenset(), "public", Role.READER)))[0] for name in "edcba"}
    for fetch, expected in ((accounts.keys, made), (accounts.users, set("abcde"))):
        seen: list[object] = []
        cursor: str | None = None
        while True:
            page = await fetch(cursor=cursor, limit=2)
            assert len(page.items) <= 2
            seen += [getattr(item, "id", getattr(item, "name", None)) for item in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        assert len(seen) == 5
        assert set(seen) == expected


async def test_a_list_shows_a_hint_and_never_a_key(accounts: Accounts) -> None:
    key_id, key = await accounts.create_key(ANNA)
    await accounts.revoke(key_id)
    record = (await accounts.keys()).items[0]
    assert (record.user, record.hint, record.created, record.revoked) == ("anna", key[-4:], NOW, NOW)


async def test_a_cursor_that_is_none_is_not_found(accounts: Accounts) -> None:
    with pytest.raises(NotFound, match="cursor"):
        await accounts.keys(cursor="x")


async def test_the_same_user_made_many_times_at_once_is_one_user(accounts: Accounts) -> None:
    made = await asyncio.gather(*(accounts.create_key(ANNA) for _ in range(8)))
    assert len({key for _, key in made}) == 8
    assert len((await accounts.users()).items) == 1


def test_keys_have_256_random_bits_and_say_what_they_are() -> None:
    keys = {random_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("lastro_") and len(key) == len("lastro_") + 43 for key in keys)


async def test_a_reply_is_remembered_for_its_user_and_key(replies: SqlReplies) -> None:
    assert await replies.begin("anna", "k", "f") is None
    assert await replies.begin("anna", "k", "f") == Reply("f", 0, b"")
    await replies.finish("anna", "k", Reply("f", 201, b"{}"))
    assert await replies.begin("anna", "k", "other") == Reply("f", 201, b"{}")
    assert await replies.begin("ben", "k", "f") is None


async def test_a_forgotten_key_is_free_again(replies: SqlReplies) -> None:
    await replies.begin("anna", "k", "f")
    await replies.forget("anna", "k")
    assert await replies.begin("anna", "k", "g") is None


async def test_a_reply_is_forgotten_after_a_day(replies: SqlReplies, clock: Clock) -> None:
    await replies.begin("anna", "k", "f")
    await replies.finish("anna", "k", Reply("f", 200, b"{}"))
    clock.now += timedelta(hours=23)
    assert await replies.begin("anna", "k", "f") is not None
    clock.now += timedelta(hours=2)
    assert await replies.begin("anna", "k", "f") is None


async def test_a_claim_whose_process_died_is_free_in_time(replies: SqlReplies, clock: Clock) -> None:
    await replies.begin("anna", "k", "f")
    clock.now += timedelta(seconds=59)
    assert await replies.begin("anna", "k", "f") == Reply("f", 0, b"")
    clock.now += timedelta(seconds=2)
    assert await replies.begin("anna", "k", "f") is None


async def test_at_a_new_start_only_what_was_finished_is_remembered(replies: SqlReplies) -> None:
    await replies.begin("anna", "died", "f")
    await replies.begin("anna", "lived", "f")
    await replies.finish("anna", "lived", Reply("f", 200, b"{}"))
    await replies.forget_unfinished()
    assert await replies.begin("anna", "died", "f") is None
    assert await replies.begin("anna", "lived", "f") == Reply("f", 200, b"{}")


async def test_of_many_at_once_one_gets_the_key(replies: SqlReplies) -> None:
    claims = await asyncio.gather(*(replies.begin("anna", "k", "f") for _ in range(8)))
    assert claims.count(None) == 1

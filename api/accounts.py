"""Users and their keys, in the database. Of a key only its SHA-256 is kept."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from uuid import UUID, uuid4

from sqlalchemy import Select, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import KEY_PREFIX, Role, User, digest_of_key
from retrieval.adapters.sql_database import Database
from retrieval.adapters.sql_tables import api_keys, users
from retrieval.errors import NotFound
from retrieval.model import PageOf

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key without its secret; `hint` is its last characters, so that people can tell keys apart."""

    id: UUID
    user: str
    hint: str
    created: datetime
    revoked: datetime | None


def random_key() -> str:
    """A new key: 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


class Accounts:
    """Who may come in."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID] = uuid4,
        new_key: Callable[[], str] = random_key,
    ) -> None:
        self.database = database
        self.clock = clock
        self.new_id = new_id
        self.new_key = new_key

    async def by_key(self, digest: str) -> tuple[UUID, User] | None:
        """The unrevoked key of that digest and its user, whatever the user's state."""
        query = (
            select(api_keys.c.id.label("key_id"), api_keys.c.hash, users)
            .join(users, users.c.name == api_keys.c.user)
            .where(api_keys.c.hash == digest, api_keys.c.revoked.is_(None))
        )
        async with self.database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None or not compare_digest(row.hash, digest):
            return None
        return row.key_id, user_of(row)

    async def user(self, name: str) -> User | None:
        """One user."""
        async with self.database.reading() as connection:
            row = (await connection.execute(select(users).where(users.c.name == name))).one_or_none()
        return user_of(row) if row else None

    async def create_key(self, user: User) -> tuple[UUID, str]:
        """Make the user or give them exactly these rights, and make a key: its id and, this once, itself."""
        key, key_id = self.new_key(), self.new_id()
        try:
            return await self._create(user, key, key_id)
        except IntegrityError:
            # Somebody made the same user at the same moment: now there is one to update.
            return await self._create(user, key, key_id)

    async def _create(self, user: User, key: str, key_id: UUID) -> tuple[UUID, str]:
        async with self.database.writing() as connection:
            await put_user(connection, user, self.clock())
            values = {"id": key_id, "hash": digest_of_key(key), "user": user.name, "tenant": user.tenant}
            await connection.execute(insert(api_keys).values(**values, hint=key[-4:], created=self.clock()))
        return key_id, key

    async def revoke(self, key_id: UUID) -> None:
        """Refuse the key from the next request on. Raises NotFound; revoking twice is harmless."""
        async with self.database.writing() as connection:
            row = (await connection.execute(select(api_keys.c.revoked).where(api_keys.c.id == key_id))).one_or_none()
            if row is None:
                raise NotFound
            if row.revoked is None:
                change = update(api_keys).where(api_keys.c.id == key_id).values(revoked=self.clock())
                await connection.execute(change)

    async def set_active(self, name: str, *, active: bool) -> User:
        """Suspend a user or let them in again. Raises NotFound."""
        async with self.database.writing() as connection:
            change = update(users).where(users.c.name == name).values(suspended=not active)
            if (await connection.execute(change)).rowcount == 0:
                raise NotFound
        found = await self.user(name)
        if found is None:
            raise NotFound
        return found

    async def keys(self, *, cursor: str | None = None, limit: int = 50) -> PageOf[KeyRecord]:
        """All keys, in a stable order."""
        query = select(api_keys).order_by(api_keys.c.id).limit(limit + 1)
        rows = await self._rows(query if cursor is None else query.where(api_keys.c.id > uuid_of(cursor)))
        records = [KeyRecord(row.id, row.user, row.hint, row.created, row.revoked) for row in rows]
        return PageOf(records[:limit], str(records[limit - 1].id) if len(records) > limit else None)

    async def users(self, *, cursor: str | None = None, limit: int = 50) -> PageOf[User]:
        """All users, by name."""
        query = select(users).order_by(users.c.name).limit(limit + 1)
        rows = await self._rows(query if cursor is None else query.where(users.c.name > cursor))
        found = [user_of(row) for row in rows]
        return PageOf(found[:limit], found[limit - 1].name if len(found) > limit else None)

    async def _rows(self, query: Select[tuple[object, ...]]) -> list[Row[tuple[object, ...]]]:
        async with self.database.reading() as connection:
            return list((await connection.execute(query)).all())


def user_of(row: Row[tuple[object, ...]]) -> User:
    """A user from their row."""
    role = Role.named(row.role)
    return User(row.tenant, row.name, frozenset(row.groups), row.clearance, role, active=not row.suspended)


def uuid_of(cursor: str) -> UUID:
    """A cursor of ours. Raises NotFound for one that is not."""
    try:
        return UUID(cursor)
    except ValueError as error:
        raise NotFound("This cursor is not one of ours.") from error


async def put_user(connection: AsyncConnection, user: User, now: datetime) -> None:
    """Insert or update; a suspended user stays suspended."""
    rights = {"groups": sorted(user.groups), "clearance": user.clearance, "role": user.role.label}
    change = update(users).where(users.c.name == user.name).values(**rights)
    if (await connection.execute(change)).rowcount == 0:
        row = {"name": user.name, "tenant": user.tenant, "suspended": False, "created": now}
        await connection.execute(insert(users).values(**rights, **row))

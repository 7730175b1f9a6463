"""What became of requests with an `Idempotency-Key`, in the database, for a day."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from api.idempotency import Reply
from retrieval.adapters.sql_database import Database
from retrieval.adapters.sql_tables import idempotency as table

KEPT = timedelta(days=1)


class SqlReplies:
    """Implements `Replies`. A claim whose process died is free again once no request could still run."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime], longest_request: float) -> None:
        self.database = database
        self.clock = clock
        self.longest = timedelta(seconds=longest_request)

    async def begin(self, user: str, key: str, fingerprint: str) -> Reply | None:
        """Claim the key; None if it is free, else what became of its first request."""
        now = self.clock()
        mine = and_(table.c.user == user, table.c.key == key)
        abandoned = and_(mine, table.c.status == 0, table.c.created < now - self.longest)
        claim = {"user": user, "key": key, "fingerprint": fingerprint, "status": 0, "body": b"", "created": now}
        try:
            async with self.database.writing() as connection:
                await connection.execute(delete(table).where(or_(table.c.created < now - KEPT, abandoned)))
                row = (await connection.execute(select(table).where(mine))).one_or_none()
                if row is None:
                    await connection.execute(insert(table).values(**claim))
                    return None
        except IntegrityError:
            # Another process claimed it between our look and our claim.
            return Reply(fingerprint, 0, b"")
        return Reply(row.fingerprint, row.status, bytes(row.body))

    async def forget_unfinished(self) -> None:
        """Free every key whose request was never finished: for the start of the only process that answers."""
        async with self.database.writing() as connection:
            await connection.execute(delete(table).where(table.c.status == 0))

    async def finish(self, user: str, key: str, reply: Reply) -> None:
        """Remember the outcome."""
        change = update(table).where(table.c.user == user, table.c.key == key)
        async with self.database.writing() as connection:
            await connection.execute(change.values(status=reply.status, body=reply.body))

    async def forget(self, user: str, key: str) -> None:
        """Free the key: the request failed and may be repeated."""
        async with self.database.writing() as connection:
            await connection.execute(delete(table).where(table.c.user == user, table.c.key == key))

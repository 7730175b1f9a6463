"""Which worker is alive: each holds the lock of one numbered place, which the operating system takes back at its death.

DBOS notes the executor that runs a batch. A worker that finds the place of another one free knows that it died, and
may take its batches over; without the lock it could take them from one that is only slow.
"""

import fcntl
import os
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa

PLACES: Final = 256
LOCK: Final = 0x4C615773  # any fixed number: the first half of the PostgreSQL locks' names


class WorkerSlots(Protocol):
    """Locks by number, each held by at most one process at a time."""

    def hold(self, n: int) -> bool:
        """Try to take lock `n`; False when somebody has it, this process included."""

    def let_go(self, n: int) -> None:
        """Give lock `n` back."""

    def close(self) -> None:
        """Give everything back; closing twice is harmless."""


class FileSlots:
    """Locked files beside the SQLite database."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._handles: dict[int, int] = {}

    def hold(self, n: int) -> bool:
        """Try to lock the file of that number."""
        handle = os.open(f"{self._database}.worker-{n}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handles[n] = handle
        return True

    def let_go(self, n: int) -> None:
        """Close the file, which unlocks it. It stays: removing it would let two workers lock two files of one name."""
        os.close(self._handles.pop(n))

    def close(self) -> None:
        """Unlock all."""
        for n in list(self._handles):
            self.let_go(n)


class PostgresSlots:
    """Advisory locks of one connection that stays open; they go when it breaks."""

    def __init__(self, engine: sa.Engine) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._held: set[int] = set()

    def hold(self, n: int) -> bool:
        """Try to take the advisory lock of that number."""
        # PostgreSQL grants a session the same lock again and again.
        if n in self._held:
            return False
        query = sa.text("SELECT pg_try_advisory_lock(:lock, :n)")
        if not self._connection.execute(query, {"lock": LOCK, "n": n}).scalar():
            return False
        self._held.add(n)
        return True

    def let_go(self, n: int) -> None:
        """Release the advisory lock."""
        self._connection.execute(sa.text("SELECT pg_advisory_unlock(:lock, :n)"), {"lock": LOCK, "n": n})
        self._held.remove(n)

    def close(self) -> None:
        """Close the connection, which releases all; one that went back to the pool would keep them."""
        self._held.clear()
        if not self._connection.closed:
            self._connection.invalidate()
            self._connection.close()


def slots_of(engine: sa.Engine) -> WorkerSlots:
    """The slots of those who share this database."""
    if engine.dialect.name == "postgresql":
        return PostgresSlots(engine)
    return FileSlots(Path(str(engine.url.database)))


def first_free(slots: WorkerSlots) -> int:
    """Take the lowest free place."""
    return next(n for n in range(1, PLACES) if slots.hold(n))

"""What the databases say went wrong, in the library's own words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from retrieval.errors import DiskFull, LastroError, PermanentFailure, StoreRefused, StoreUnavailable

DATABASE = "Check `database_url`, and the database's own log."
RESTORE = "Restore a backup; the database file is damaged or is not one of Lastro's."

# SQLite's error codes, without the extended part in the upper bits (https://sqlite.org/rescode.html).
SQLITE_ERROR, SQLITE_READONLY, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_NOTADB = 1, 8, 11, 13, 26
# Classes of PostgreSQL's error codes that pass by themselves: connection, rollback, resources, operator, system.
POSTGRES_PASSING = {"08", "40", "53", "55", "57", "58"}
POSTGRES_DISK_FULL = "53100"


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn a database's errors into StoreUnavailable, DiskFull, StoreRefused or PermanentFailure.

    An IntegrityError passes: only who wrote the row knows what it means that there is one already.
    """
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise translated(error.orig) from error
    except PoolTimeout as error:
        raise StoreUnavailable("The database has too much to do: no connection became free.") from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreRefused("`database_url` is not the address of a SQLite or PostgreSQL database.") from error
    except OSError as error:
        raise DiskFull() if error.errno == errno.ENOSPC else StoreUnavailable(f"Database: {error}.") from error


def translated(cause: BaseException | None) -> LastroError:
    """The failure that a driver's error stands for."""
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):
        return from_postgres(state)
    number = getattr(cause, "sqlite_errorcode", None)
    if isinstance(number, int):
        return from_sqlite(number & 0xFF, str(cause))
    # Neither has a code before there is a connection.
    return StoreUnavailable("The database does not answer.", remedy=DATABASE)


def from_sqlite(number: int, message: str) -> LastroError:
    """By SQLite's primary error code; its messages name tables and columns, never values."""
    if number == SQLITE_FULL:
        return DiskFull()
    if number in {SQLITE_CORRUPT, SQLITE_NOTADB}:
        return PermanentFailure("The database file cannot be read.", remedy=RESTORE)
    if number in {SQLITE_ERROR, SQLITE_READONLY}:
        return StoreRefused(f"The database refuses what is asked of it: {message}.", remedy=DATABASE)
    return StoreUnavailable(f"The database does not answer: {message}.", remedy=DATABASE)


def from_postgres(state: str) -> LastroError:
    """By PostgreSQL's SQLSTATE; its messages may hold values, so none is passed on."""
    if state == POSTGRES_DISK_FULL:
        return DiskFull("The disk of the database is full.", remedy="Free space on the database's disk.")
    if state[:2] in POSTGRES_PASSING:
        return StoreUnavailable(f"The database does not answer (SQLSTATE {state}).", remedy=DATABASE)
    return StoreRefused(f"The database refuses what is asked of it (SQLSTATE {state}).", remedy=DATABASE)

"""Translates what `qdrant-client` raises, so that nobody above knows which store is behind the port."""

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from retrieval.errors import DiskFull, LastroError, StoreRefused, StoreUnavailable

# Time-out, conflict with a change under way, too many requests: the server itself says that later may be better.
WORTH_ANOTHER_TRY = {408, 409, 425, 429}


@contextmanager
def server_errors() -> Iterator[None]:
    """Translate into StoreUnavailable, StoreRefused and DiskFull. Works around awaits, too."""
    try:
        yield
    except UnexpectedResponse as error:
        raise _of_status(error.status_code or 500, error.content) from error
    except (ResponseHandlingException, QdrantException, JSONDecodeError) as error:
        raise StoreUnavailable(f"Qdrant does not answer as it should: {_kind_of(error)}.") from error
    except (RuntimeError, AssertionError) as error:
        # A client that was closed, and an answer that lacks its result.
        raise StoreUnavailable(f"The connection to Qdrant is of no use: {error}") from error
    except ValueError as error:
        raise StoreRefused(f"Qdrant cannot do what was asked: {error}") from error


def _of_status(status: int, content: bytes) -> LastroError:
    if b"No space left" in content or b"disk usage" in content.lower():
        return DiskFull("Qdrant's disk is full.")
    if status >= 500 or status in WORTH_ANOTHER_TRY:
        return StoreUnavailable(f"Qdrant answered with status {status}.")
    if status in {401, 403}:
        return StoreRefused(f"Qdrant refuses our key (status {status}).")
    return StoreRefused(f"Qdrant refuses the request (status {status}).")


def _kind_of(error: Exception) -> str:
    source = error.source if isinstance(error, ResponseHandlingException) else error
    return type(source).__name__

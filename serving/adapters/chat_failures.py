"""Turns what goes wrong between us and a chat server into our errors, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from serving.errors import ModelOverloaded, ModelRejected, ModelTimedOut, ModelUnavailable, WrongModel

LONGEST_DETAIL = 200


@contextmanager
def translated() -> Iterator[None]:
    """Let httpx's errors through as ours, the most special first."""
    try:
        yield
    except (httpx.ConnectTimeout, httpx.ConnectError) as error:
        raise ModelUnavailable("The language model's server cannot be reached.") from error
    except httpx.TimeoutException as error:
        raise ModelTimedOut from error
    except httpx.TransportError as error:
        raise ModelUnavailable("The connection to the language model's server broke off.") from error
    except (httpx.InvalidURL, httpx.StreamError, httpx.DecodingError) as error:
        raise ModelUnavailable("The language model's server cannot be understood.") from error


def failure(status: int, detail: str, model: str) -> ModelUnavailable | ModelRejected | WrongModel:
    """The error for a status that is not 200; `detail` is what the server said."""
    said = f" It said: {' '.join(detail.split())[:LONGEST_DETAIL]}" if detail.strip() else ""
    if status in {401, 403}:
        return ModelRejected("The language model's server does not accept our key.")
    if status == 404:
        return WrongModel(f"The language model's server does not serve {model!r}.")
    if status == 429:
        return ModelOverloaded()
    if status in {408, 504}:
        return ModelTimedOut()
    if status >= 500:
        return ModelUnavailable(f"The language model's server failed with status {status}.")
    return ModelRejected(f"The language model's server refused the request with status {status}.{said}")

"""What every test gets: no sockets but loopback, the model cache, and the folder of shared data where it exists."""

import ipaddress
import os
import sys
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent


# How long an example takes says how busy the machine is, not whether the law holds; the time-out of a test stays.
settings.register_profile("lastro", deadline=None)
settings.load_profile("lastro")


class ForbiddenConnectionError(BaseException):
    """A test reached for the network. Not an Exception, so that no error handling can swallow it."""


def _is_local(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def _forbid_the_network(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a Unix socket's address is a path
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not _is_local(host):
        raise ForbiddenConnectionError(f"a test may only reach this machine, not {host!r}")


# At the interpreter's own level: no library can go round it, and it cannot be taken off again.
sys.addaudithook(_forbid_the_network)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> None:
    """What an earlier test of this process configured for its logs must not silence this one's."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data that stands beside the checkout on the project's own machines; users do not have it."""
    folder = Path(os.environ.get("LASTRO_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}")
    return folder


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """Where model files lie once they were fetched; `lastro models pull` fills it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "lastro" / "models"

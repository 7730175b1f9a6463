"""The guard in `tests/conftest.py` is alive."""

import contextlib
import http.server
import socket
import threading
import urllib.request

import pytest

FORBIDDEN = "ForbiddenConnectionError"


def test_a_connection_to_another_machine_fails_the_test() -> None:
    with socket.socket() as connection, pytest.raises(BaseException, match="may only reach this machine") as failure:
        connection.connect(("192.0.2.1", 80))
    assert failure.typename == FORBIDDEN


def test_looking_up_a_foreign_name_fails_the_test() -> None:
    with pytest.raises(BaseException, match="may only reach this machine") as failure:
        socket.getaddrinfo("example.org", 443)
    assert failure.typename == FORBIDDEN


def connect_and_shrug() -> None:
    with socket.socket() as connection, contextlib.suppress(Exception):
        connection.connect(("198.51.100.1", 80))


def test_error_handling_cannot_swallow_it() -> None:
    with pytest.raises(BaseException, match="may only reach this machine"):
        connect_and_shrug()


def test_loopback_works() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/") as reply:
        assert reply.status == 200
    thread.join()
    server.server_close()

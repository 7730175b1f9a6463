import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.processes import (
    CANNOT_START,
    AddressInUse,
    Child,
    ChildCannotStart,
    ChildSpec,
    Tree,
    address_of,
    command,
    listen,
    until_ready,
)

# Writes its process id into the file, then waits for its standard input to close or for SIGTERM.
WAITS = "import os, sys; print(os.getpid(), file=open(sys.argv[1], 'a'), flush=True); sys.stdin.read()"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"


def child(name: str, code: str, file: Path, grace: float = 5.0) -> Child:
    return Child(ChildSpec(name, (sys.executable, "-c", code, str(file)), grace), dict(os.environ))


def pids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


async def until(file: Path, count: int) -> list[int]:
    async with asyncio.timeout(10):
        while len(pids(file)) < count:  # noqa: ASYNC110 another process writes it
            await asyncio.sleep(0.01)
    return pids(file)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_tree_starts_all_and_stops_all_in_reverse_order(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("worker", "api")]
    stop = asyncio.Event()
    tree = Tree([child(file.name, WAITS, file) for file in files])
    running = asyncio.create_task(tree.run(stop))
    started = [(await until(file, 1))[0] for file in files]
    stop.set()
    await running
    assert not any(alive(pid) for pid in started)


async def test_a_child_that_was_killed_is_started_again(tmp_path: Path) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(Tree([child("api", WAITS, tmp_path / "api")]).run(stop))
    first = (await until(tmp_path / "api", 1))[0]
    os.kill(first, signal.SIGKILL)
    second = (await until(tmp_path / "api", 2))[1]
    assert alive(second)
    stop.set()
    await running
    assert not alive(second)


async def test_a_child_that_does_not_stop_in_its_time_is_killed(tmp_path: Path) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(Tree([child("api", DEAF, tmp_path / "api", grace=0.2)]).run(stop))
    pid = (await until(tmp_path / "api", 1))[0]
    await asyncio.sleep(0.1)
    stop.set()
    await running
    assert not alive(pid)


async def test_a_child_that_cannot_start_ends_the_tree_and_the_others(tmp_path: Path) -> None:
    tree = Tree(
        [child("worker", WAITS, tmp_path / "worker"), child("api", f"raise SystemExit({CANNOT_START})", tmp_path)]
    )
    with pytest.raises(ChildCannotStart, match="api"):
        await tree.run(asyncio.Event())
    assert not any(alive(pid) for pid in pids(tmp_path / "worker"))


async def test_a_child_sees_that_its_supervisor_died(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, sys\n"
        "from api.processes import Child, ChildSpec, Tree\n"
        f"spec = ChildSpec('x', (sys.executable, '-c', {WAITS!r}, sys.argv[1]), 5.0)\n"
        "asyncio.run(Tree([Child(spec, dict(os.environ))]).run(asyncio.Event()))\n"
    )
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(tmp_path / "pid"))
    pid = (await until(tmp_path / "pid", 1))[0]
    supervisor.kill()
    await supervisor.wait()
    async with asyncio.timeout(5):
        while alive(pid):  # noqa: ASYNC110 another process ends
            await asyncio.sleep(0.01)


async def test_stopping_what_never_started_is_harmless(tmp_path: Path) -> None:
    await child("api", WAITS, tmp_path / "api").stop()


def test_children_run_in_this_interpreter_without_the_working_folder_on_their_path() -> None:
    assert command("api", "--supervised") == (sys.executable, "-P", "-m", "api.cli", "api", "--supervised")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", 0) as made:
        yield made


def test_an_address_in_use_is_said(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(AddressInUse, match=str(port)):
        listen("127.0.0.1", port)


def test_the_listener_may_be_handed_to_a_child(listener: socket.socket) -> None:
    assert listener.get_inheritable()
    assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:"), ("::", "http://[::1]:")]
)
def test_the_address_is_one_that_this_machine_can_call(host: str, shown: str) -> None:
    with listen(host, 0) as made:
        assert address_of(made).startswith(shown)


async def test_ready_is_when_the_server_says_so(listener: socket.socket) -> None:
    answers = iter([b"503 Service Unavailable", b"503 Service Unavailable", b"200 OK"])
    asked = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        body = json.dumps({}).encode()
        writer.write(
            b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (next(answers), len(body), body)
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, sock=listener.dup())
    async with server, asyncio.timeout(5):
        await until_ready(address_of(listener), pause=0.001)
    assert asked == [b"GET /readyz HTTP/1.1"] * 3


async def test_a_server_that_is_not_there_yet_is_waited_for() -> None:
    with listen("127.0.0.1", 0) as free:
        address = address_of(free)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await until_ready(address, pause=0.01)

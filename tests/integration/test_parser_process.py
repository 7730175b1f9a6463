"""A document can hang, grow, crash or lie; the server goes on, and no process or file stays behind."""

import asyncio
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from ingest.adapters import parser_process
from ingest.adapters.parser_process import ENVIRONMENT, ProcessParser
from ingest.errors import (
    DamagedFile,
    ExpandsTooMuch,
    ParserCrashed,
    ParserOutOfMemory,
    ParserTimedOut,
    UnreadableDocument,
)
from ingest.model import ParseLimits

LIMITS = ParseLimits(cpu_seconds=20, wall_seconds=20.0)
Make = Callable[..., ProcessParser]


@pytest_asyncio.fixture
async def make() -> AsyncIterator[Make]:
    made: list[ProcessParser] = []

    def parser(limits: ParseLimits = LIMITS, **options: object) -> ProcessParser:
        made.append(ProcessParser(limits, **options))  # type: ignore[arg-type]
        return made[-1]

    yield parser
    for one in made:
        await one.close()


@pytest.fixture
def hostile(tmp_path: Path) -> Callable[[str], str]:
    """A program that stands in for the child and misbehaves: first come the real child's imports, then the code."""

    def program(code: str) -> str:
        script = tmp_path / "python"
        script.write_text(f"#!{sys.executable}\nimport os, signal, struct, sys, time\n{code}\n")
        script.chmod(0o755)
        return str(script)

    return program


EARLIER: set[int] = set()


@pytest.fixture(autouse=True)
def _other_tests_children_do_not_count() -> None:
    EARLIER.clear()
    EARLIER.update(one.pid for one in psutil.Process().children(recursive=True))


def running() -> list[psutil.Process]:
    """The processes that this test started and that still run."""
    mine = (one for one in psutil.Process().children(recursive=True) if one.pid not in EARLIER)
    return [one for one in mine if one.status() != psutil.STATUS_ZOMBIE]


def children() -> list[psutil.Process]:
    found = []
    for one in running():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie counts as gone
            if "parser_child" in " ".join(one.cmdline()):
                found.append(one)
    return found


def packed(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("word/document.xml", content)
    return out.getvalue()


async def test_one_warm_child_reads_many_documents(make: Make) -> None:
    parser = make()
    await parser.parse(b"words", "a.txt")
    (first,) = children()
    for n in range(5):
        await parser.parse(f"words {n}".encode(), "a.txt")
    assert children() == [first]


async def test_workers_read_at_the_same_time_and_no_more_than_there_are(make: Make) -> None:
    parser = make(workers=2)
    await asyncio.gather(*(parser.parse(b"words " * 100_000, "a.txt") for _ in range(6)))
    assert len(children()) == 2


async def test_a_child_is_replaced_after_its_share_of_documents(make: Make) -> None:
    parser = make(documents_per_child=2)
    seen = set()
    for _ in range(5):
        await parser.parse(b"words", "a.txt")
        seen.update(child.pid for child in children())
    assert len(seen) >= 2


async def test_closing_ends_the_child_and_parsing_afterwards_starts_another(make: Make) -> None:
    parser = make()
    await parser.parse(b"words", "a.txt")
    (child,) = children()
    await parser.close()
    assert not child.is_running()
    assert (await parser.parse(b"words", "a.txt")).text == "words"


async def test_a_killed_child_costs_one_document_at_most(make: Make) -> None:
    parser = make()
    await parser.parse(b"words", "a.txt")
    children()[0].kill()
    try:
        await parser.parse(b"words", "a.txt")
    except ParserOutOfMemory:
        assert (await parser.parse(b"words", "a.txt")).text == "words"


async def test_cancelling_kills_the_child_at_once(make: Make, hostile: Callable[[str], str]) -> None:
    parser = make(python=hostile("time.sleep(60)"))
    task = asyncio.create_task(parser.parse(b"words", "a.txt"))
    await asyncio.sleep(0.3)
    pids = [one.pid for one in running()]
    assert pids
    task.cancel()
    started = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 5
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids)


async def test_a_child_that_never_answers_is_killed_by_the_server(
    make: Make, hostile: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser_process, "START_SECONDS", 0.5)
    parser = make(replace(LIMITS, wall_seconds=0.5), python=hostile("time.sleep(60)"))
    with pytest.raises(ParserTimedOut):
        await parser.parse(b"words", "a.txt")
    assert children() == []


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("os.kill(os.getpid(), signal.SIGXCPU)", ParserTimedOut),
        ("os.kill(os.getpid(), signal.SIGALRM)", ParserTimedOut),
        ("os.kill(os.getpid(), signal.SIGKILL)", ParserOutOfMemory),
        ("os.kill(os.getpid(), signal.SIGSEGV)", ParserCrashed),
        ("sys.exit(7)", ParserOutOfMemory),
        ("sys.exit(3)", ParserCrashed),
        ("sys.stdout.buffer.write(struct.pack('>Q', 2**60))", ParserCrashed),
        ("sys.stdout.buffer.write(struct.pack('>Q', 5) + b'hello')\nsys.stdout.flush()\ntime.sleep(60)", ParserCrashed),
    ],
)
async def test_the_way_a_child_dies_says_what_was_wrong(
    make: Make, hostile: Callable[[str], str], code: str, error: type[UnreadableDocument]
) -> None:
    with pytest.raises(error):
        await make(python=hostile(code)).parse(b"words", "a.txt")


async def test_a_document_that_takes_too_long_is_ended_by_its_processor_time(make: Make) -> None:
    parser = make(replace(LIMITS, cpu_seconds=1))
    started = time.monotonic()
    with pytest.raises(ParserTimedOut):
        await parser.parse(b"*a* " * 900_000, "a.md")
    assert time.monotonic() - started < 20
    assert (await parser.parse(b"words", "a.txt")).text == "words"


async def test_a_document_that_needs_more_memory_than_allowed_is_stopped(make: Make) -> None:
    parser = make(replace(LIMITS, memory_bytes=160 * 2**20))
    with pytest.raises(ParserOutOfMemory):
        await parser.parse(b"words and \xc3\xa9 " * 4_000_000, "a.txt")
    assert (await parser.parse(b"words", "a.txt")).text == "words"


async def test_a_bomb_is_refused_before_it_is_opened(make: Make) -> None:
    parser = make()
    started = time.monotonic()
    with pytest.raises(ExpandsTooMuch):
        await parser.parse(packed(bytes(60 * 2**20)), "a.docx")
    assert time.monotonic() - started < 10


async def test_external_entities_are_never_read(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        for target in ("file:///etc/passwd", address):
            xml = f'<!DOCTYPE d [<!ENTITY e SYSTEM "{target}">]><d>&e;</d>'
            with pytest.raises(DamagedFile):
                await make().parse(packed(xml.encode()), "a.docx")
            page = f'<!DOCTYPE d SYSTEM "{target}"><p>words &e;</p><img src="{target}"><link href="{target}">'
            assert "root:" not in (await make().parse(page.encode(), "a.html")).text
        with pytest.raises(TimeoutError):
            server.accept()


async def test_the_child_knows_none_of_the_server_s_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTRO_CLOUD__API_KEY", "sk-secret")
    parser = make()
    await parser.parse(b"words", "a.txt")
    environment = children()[0].environ()
    assert "LASTRO_CLOUD__API_KEY" not in environment
    assert environment["DO_NOT_TRACK"] == environment["SCARF_NO_ANALYTICS"] == "1"


async def test_the_child_works_in_an_empty_folder_that_goes_with_it(make: Make) -> None:
    parser = make()
    await parser.parse(b"words", "../../escape.txt")
    folder = Path(children()[0].cwd())
    assert folder.name.startswith("lastro-parser-")
    assert list(folder.iterdir()) == []
    await parser.close()
    assert not folder.exists()


def test_the_child_ends_when_its_input_does() -> None:
    command = [sys.executable, "-P", "-m", "ingest.adapters.parser_child", json.dumps(asdict(LIMITS))]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(ENVIRONMENT))
    out, _ = child.communicate(timeout=20)
    assert (child.returncode, out) == (0, b"")


def test_the_child_dies_with_a_server_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio\nfrom ingest.model import ParseLimits\n"
        "from ingest.adapters.parser_process import ProcessParser\n"
        "async def main():\n    parser = ProcessParser(ParseLimits())\n    await parser.parse(b'words', 'a.txt')\n"
        "    print(parser._children[0]._process.pid, flush=True)\n    await asyncio.sleep(60)\nasyncio.run(main())\n"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    lines = iter(server.stdout.readline, "")
    pid = int(next(line for line in lines if line.strip().isdigit()))
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    server.stdout.close()
    ends = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":
        assert time.monotonic() < ends, "the child outlived the server"
        time.sleep(0.05)

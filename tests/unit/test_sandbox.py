"""What is taken away is gone: each test runs in a process of its own, since nothing can be given back."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.adapters import sandbox
from ingest.model import ParseLimits

LIMITS = ParseLimits(memory_bytes=512 * 2**20, cpu_seconds=1, wall_seconds=1.0)


def confined(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run code after `confine`; its result is what it prints."""
    before = (
        "import os, resource, signal, socket, sys, time\n"
        "from ingest.adapters import sandbox\nfrom ingest.model import ParseLimits\n"
        f"limits = {LIMITS!r}\nsandbox.confine(limits)\n"
    )
    command = [sys.executable, "-P", "-c", before + code]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=30)


@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('localhost', 80)",
        "os.system('true')",
        "__import__('subprocess').run(['true'])",
        "os.fork()",
        "open('made', 'w')",
        "open('made', 'ab')",
        "os.open('made', os.O_CREAT | os.O_RDWR)",
        "os.mkdir('made')",
        "os.symlink('/etc/passwd', 'made')",
        "os.execv('/bin/true', ['true'])",
    ],
)
def test_network_processes_and_writing_are_refused(code: str, tmp_path: Path) -> None:
    result = confined(f"try:\n    {code}\nexcept PermissionError as error:\n    print('refused', error)", tmp_path)
    assert result.stdout.startswith("refused the parser may not"), result.stderr
    assert list(tmp_path.iterdir()) == []


def test_reading_files_and_computing_go_on(tmp_path: Path) -> None:
    result = confined("print(len(open(sandbox.__file__).read()) > 0, open(os.devnull, 'w').write('x'))", tmp_path)
    assert result.stdout == "True 1\n", result.stderr


def test_memory_has_a_limit(tmp_path: Path) -> None:
    result = confined("try:\n    bytes(2**30)\nexcept MemoryError:\n    print('no more')", tmp_path)
    assert result.stdout == "no more\n", result.stderr


def test_the_process_is_nice_and_leaves_no_core(tmp_path: Path) -> None:
    result = confined("print(os.nice(0) - " + str(os.nice(0)) + ", resource.getrlimit(resource.RLIMIT_CORE))", tmp_path)
    assert result.stdout == "10 (0, 0)\n", result.stderr


def test_native_code_finds_no_network_where_the_kernel_allows_to_take_it_away(tmp_path: Path) -> None:
    result = confined("print(open('/proc/self/net/dev').read().count(':'))", tmp_path)
    if result.stdout.strip() not in {"0", "1"}:
        pytest.skip("this kernel or container gives no network namespace")
    assert int(result.stdout) <= 1  # the loopback device alone, and that one is down


def test_a_loop_is_ended_by_its_processor_time(tmp_path: Path) -> None:
    result = confined(
        "limits = ParseLimits(cpu_seconds=1, wall_seconds=20)\n"
        "sandbox.start_clocks(limits)\nwhile True:\n    pass",
        tmp_path,
    )  # fmt: skip
    assert result.returncode == -signal.SIGXCPU


def test_waiting_is_ended_by_the_wall_clock(tmp_path: Path) -> None:
    assert confined("sandbox.start_clocks(limits)\ntime.sleep(20)", tmp_path).returncode == -signal.SIGALRM


def test_a_process_that_finished_in_time_may_wait(tmp_path: Path) -> None:
    code = "sandbox.start_clocks(limits)\nsandbox.stop_clocks()\ntime.sleep(1.2)\nprint('still here')"
    assert confined(code, tmp_path).stdout == "still here\n"


@pytest.fixture
def limits_set(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[int, int]]:
    """What would be limited, without limiting this process."""
    recorded: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", recorded.__setitem__)
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (100, 1000))
    monkeypatch.setattr(signal, "setitimer", lambda timer, seconds: None)
    monkeypatch.setattr(os, "nice", lambda by: by)
    monkeypatch.setattr(sys, "addaudithook", lambda hook: None)
    monkeypatch.setattr(sandbox, "_cut_off_from_the_network", lambda: None)
    return recorded


def test_no_limit_is_set_above_the_one_the_administrator_gave(limits_set: dict[int, tuple[int, int]]) -> None:
    sandbox.confine(LIMITS)
    assert limits_set[resource.RLIMIT_AS] == (1000, 1000)
    assert limits_set[resource.RLIMIT_FSIZE] == (0, 0)


def test_the_clocks_count_from_what_was_used_before(limits_set: dict[int, tuple[int, int]]) -> None:
    sandbox.start_clocks(LIMITS)
    soft, hard = limits_set[resource.RLIMIT_CPU]
    assert soft >= time.process_time() + 0.9
    assert hard == 1000
    sandbox.stop_clocks()
    assert limits_set[resource.RLIMIT_CPU] == (1000, 1000)


def test_the_hook_lets_everything_else_pass() -> None:
    sandbox.forbid("import", ("json",))
    sandbox.forbid("open", ("/etc/hostname", "r", os.O_RDONLY))
    sandbox.forbid("open", (os.devnull, "w", os.O_WRONLY))
    sandbox.forbid("open", ("x", "r"))
    with pytest.raises(PermissionError):
        sandbox.forbid("socket.connect", (socket.AF_INET,))
    with pytest.raises(PermissionError):
        sandbox.forbid("open", ("x", None, os.O_WRONLY | os.O_CREAT))


def test_cutting_off_asks_for_both_namespaces_and_then_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Library:
        def __init__(self, name: None, use_errno: bool) -> None: ...

        def unshare(self, flags: int) -> int:
            asked.append(flags)
            return -1

        def prctl(self, *arguments: int) -> int:
            asked.append(arguments[0])
            return 0

    monkeypatch.setattr(sandbox.ctypes, "CDLL", Library)
    sandbox._cut_off_from_the_network()
    assert asked == [
        sandbox.CLONE_NEWUSER | sandbox.CLONE_NEWNET,
        sandbox.CLONE_NEWNET,
        sandbox.PR_SET_NO_NEW_PRIVS,
    ]

"""Takes away from a process what parsing does not need: memory, processor time, files to write, the network.

Network: a network namespace of its own without any interface where the kernel allows it (`unshare`, no root needed),
and everywhere an audit hook that refuses sockets, new processes and writing files. The hook holds against Python code,
the namespace and the limits against native code too. Not taken away: reading files the server's user may read.
"""

import ctypes
import math
import os
import resource
import signal
import sys
import time

from ingest.model import ParseLimits

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
PR_SET_NO_NEW_PRIVS = 38
OPEN_FILES = 128
NICE = 10
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN_EVENTS = """
    socket.__new__ socket.connect socket.bind socket.getaddrinfo socket.gethostbyname socket.sendto subprocess.Popen
    os.system os.exec os.posix_spawn os.spawn os.fork os.forkpty os.mkdir os.rename os.remove os.rmdir os.link
    os.symlink os.chmod os.chown os.truncate shutil.move shutil.rmtree tempfile.mkstemp tempfile.mkdtemp
"""
FORBIDDEN = frozenset(FORBIDDEN_EVENTS.split())


def confine(limits: ParseLimits) -> None:
    """Give up for good what parsing does not need. For a process of its own, before it starts a thread."""
    _cut_off_from_the_network()
    _set(resource.RLIMIT_AS, limits.memory_bytes)
    _set(resource.RLIMIT_FSIZE, 0)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NOFILE, OPEN_FILES)
    os.nice(NICE)
    sys.addaudithook(forbid)


def start_clocks(limits: ParseLimits) -> None:
    """From now on the process has the limits' processor and wall time; then the kernel ends it."""
    used = time.process_time()
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used) + limits.cpu_seconds, hard))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds)


def stop_clocks() -> None:
    """The document is done: waiting for the next one costs nothing."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


def forbid(event: str, arguments: tuple[object, ...]) -> None:
    """The audit hook. Raises PermissionError, which is an OSError: libraries that try and fail go on without."""
    if event in FORBIDDEN:
        raise PermissionError(f"the parser may not use {event}")
    if event == "open" and len(arguments) == 3:
        path, _, flags = arguments
        if isinstance(flags, int) and flags & WRITING and path != os.devnull:
            raise PermissionError("the parser may not write files")


def _cut_off_from_the_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        libc.unshare(CLONE_NEWNET)  # user namespaces may be off; root does not need one
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _set(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))

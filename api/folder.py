"""The data folder as a thing: one user at a time, the local token, and a short private place for sockets."""

import errno
import fcntl
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from retrieval.errors import DataFolderInUse, PermanentFailure

LOCK_PATIENCE_SECONDS = 3.0


class NotInitialised(PermanentFailure):
    """There is no Lastro data folder here."""

    code = "not_initialised"
    remedy = "Run `lastro init`, or point `data_dir` at an existing data folder."


class UnsafeFolder(PermanentFailure):
    """A folder that must be private belongs to somebody else or is open to others."""

    code = "unsafe_folder"
    remedy = "Remove the folder and start again."


class DataFolder:
    """Everything the embedded default keeps, and who has it open."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.token_file = self.path / "token"
        self.lock_file = self.path / "lock"

    def make(self) -> None:
        """Make the folder, readable by its owner alone."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.lock_file.touch(mode=0o600)

    def require(self) -> None:
        """Raise NotInitialised unless `lastro init` made this folder."""
        if not self.lock_file.exists():
            raise NotInitialised(f"There is no Lastro data folder at {self.path}.")

    def token(self) -> str:
        """The local token, empty where there is none or where one may not read it."""
        try:
            return self.token_file.read_text(encoding="ascii").strip()
        except (FileNotFoundError, PermissionError):
            return ""

    def write_token(self, token: str) -> None:
        """Keep the local token: mode 0600 from its first moment on."""
        waiting = self.path / "token.new"
        waiting.unlink(missing_ok=True)
        handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(handle)
        waiting.replace(self.token_file)

    @contextmanager
    def locked(self, patience: float = LOCK_PATIENCE_SECONDS) -> Iterator[int]:
        """Have the folder alone; gives the lock's file descriptor.

        Children that inherit the descriptor keep the folder locked until they have gone, even when this process was
        killed: hence the patience. Raises DataFolderInUse.
        """
        self.require()
        handle = os.open(self.lock_file, os.O_RDWR)
        try:
            deadline = time.monotonic() + patience
            while not lock(handle, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise DataFolderInUse(f"Another Lastro process has {self.path} open.")
                time.sleep(0.05)
            os.truncate(handle, 0)
            yield handle
        finally:
            os.close(handle)

    def announce(self, handle: int, url: str) -> None:
        """Write where the server is reached into the lock that it holds."""
        os.truncate(handle, 0)
        os.pwrite(handle, json.dumps({"url": url}).encode(), 0)

    @contextmanager
    def shared(self, url: str) -> Iterator[None]:
        """Have the folder together with other processes of one server that has no supervisor."""
        self.make()
        handle = os.open(self.lock_file, os.O_RDWR)
        try:
            if not lock(handle, fcntl.LOCK_SH):
                raise DataFolderInUse(f"Another Lastro process has {self.path} open.")
            if url:
                self.announce(handle, url)
            yield
        finally:
            os.close(handle)

    def server(self) -> str | None:
        """The address of the server that has the folder open, None when none has."""
        if not self.lock_file.exists():
            return None
        handle = os.open(self.lock_file, os.O_RDONLY)
        try:
            if lock(handle, fcntl.LOCK_EX):
                return None
            said = os.pread(handle, 4096, 0)
        finally:
            os.close(handle)
        return str(json.loads(said)["url"]) if said else None

    def sockets(self) -> Path:
        """A short, private folder for this data folder's sockets: their paths may not exceed 107 bytes."""
        name = sha256(str(self.path.resolve()).encode()).hexdigest()[:16]
        return private_folder(Path(tempfile.gettempdir()) / f"lastro-{os.getuid()}-{name}")


def lock(handle: int, kind: int) -> bool:
    """Try to lock an open file; False when somebody else has it."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        raise
    return True


def private_folder(path: Path) -> Path:
    """The folder, made if need be. Raises UnsafeFolder unless it is ours alone: others may write beside it."""
    path.mkdir(mode=0o700, exist_ok=True)
    state = path.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or stat.S_IMODE(state.st_mode) & 0o077:
        raise UnsafeFolder(f"{path} is not a private folder of this user.")
    return path

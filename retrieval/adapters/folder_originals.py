"""Bytes in files named by their SHA-256: durable when a call returns, and never half there."""

import asyncio
import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from retrieval.errors import DiskFull, NotFound, PermanentFailure, StoreUnavailable
from retrieval.model import digest_of

DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
NO_SPACE: Final = {errno.ENOSPC, errno.EDQUOT}
AGAIN = "Restore the data folder from a backup, or add the document again."


class FolderOriginals:
    """Port `Originals`: `ab/cd/abcd…`, each written to a temporary file, flushed to the disk and renamed."""

    def __init__(self, folder: Path) -> None:
        """The folder is made when something is stored."""
        self.folder = folder

    async def put(self, data: bytes) -> str:
        """Store durably and return the digest; a file that is there and sound is left as it is. Raises DiskFull."""
        digest = digest_of(data)
        await asyncio.to_thread(self._put, digest, data)
        return digest

    async def get(self, digest: str) -> bytes:
        """The bytes. Raises NotFound; PermanentFailure when they are not what they were."""
        data = await asyncio.to_thread(self._read, digest)
        if data is None:
            raise NotFound("The stored file is gone.", remedy=AGAIN)
        if digest_of(data) != digest:
            raise PermanentFailure(f"The stored file {digest} is damaged.", remedy=AGAIN)
        return data

    async def has(self, digest: str) -> bool:
        """Whether the bytes are there."""
        return await asyncio.to_thread(self.path(digest).is_file)

    async def delete(self, digest: str) -> None:
        """Remove the bytes, and what a crash may have left half written; removing what is not there is harmless."""
        await asyncio.to_thread(self._delete, digest)

    def path(self, digest: str) -> Path:
        """Where the bytes lie. Raises NotFound for anything but a digest: no other name reaches the disk."""
        match = DIGEST.fullmatch(digest)
        if match is None:
            raise NotFound
        name = match[1]
        return self.folder / name[:2] / name[2:4] / name

    def _put(self, digest: str, data: bytes) -> None:
        if self._read(digest) == data:
            return
        path = self.path(digest)
        with disk_errors():
            make_folder(path.parent)
            write_durably(path, data)

    def _read(self, digest: str) -> bytes | None:
        path = self.path(digest)
        with disk_errors():
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def _delete(self, digest: str) -> None:
        path = self.path(digest)
        with disk_errors():
            if not path.parent.is_dir():
                return
            for file in [path, *path.parent.glob(f"{path.name}.*.part")]:
                file.unlink(missing_ok=True)
            flush_folder(path.parent)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn the operating system's errors into DiskFull and StoreUnavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise DiskFull from error
        remedy = "Check the disk and the rights of `data_dir`; the call may be repeated."
        raise StoreUnavailable(f"The data folder does not work: {error.strerror}.", remedy=remedy) from error


def make_folder(folder: Path) -> None:
    """Make the folder and those above it, for the owner alone, and see to it that they survive a loss of power."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    flush_folder(folder.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Write beside the place, flush, rename: whoever looks sees nothing or all of it."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with ExitStack() as undo:
        undo.callback(part.unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        undo.pop_all()
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """A rename is only on the disk once its folder is."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""A folder on this machine as a source.

Only plain files below the root are documents. Hidden ones are not, nor is what a link leads to outside the root; links
to folders are not followed at all, for what they lead to inside the root is listed there. What cannot be read is listed
all the same, so that fetching it says why.
"""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ingest.errors import FileForbidden, FileTooLarge, FileVanished, InvalidAccessFile, SourceUnavailable
from ingest.folder_access import ACCESS_FILE, FolderAccess, Said, read_folder_access
from ingest.model import ParseLimits, SourceDocument, SourceItem
from retrieval.access import Access, LabelScale

READ_TRIES: Final = 3
GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR})
FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM})


class FolderSource:
    """Port `Source`. A file's uri is its path below the root, with forward slashes."""

    def __init__(
        self, name: str, root: Path, scale: LabelScale, tenant: str, *, max_bytes: int = ParseLimits().file_bytes
    ) -> None:
        self._name = name
        self._root = root.absolute()
        self._scale = scale
        self._tenant = tenant
        self._max_bytes = max_bytes

    @property
    def name(self) -> str:
        """Part of each document's identity."""
        return self._name

    async def discover(self) -> AsyncIterator[SourceItem]:
        """Every file, ordered by uri; folders that may not be listed, too, with a uri that ends in `/`."""
        for item in await asyncio.to_thread(self._items):
            yield item

    async def fetch(self, uri: str) -> SourceDocument:
        """One file as it is now, with the access its folder says. Raises FileVanished, FileForbidden, FileTooLarge,
        InvalidAccessFile, and SourceUnavailable for a file that changes while it is read.
        """
        return await asyncio.to_thread(self._fetch, uri)

    def _items(self) -> list[SourceItem]:
        try:
            real_root = self._root.resolve(strict=True)
            with os.scandir(real_root):
                pass
        except OSError as error:
            raise SourceUnavailable(f"The folder {self._root} cannot be read: {error.strerror}.") from error
        return sorted(walk(real_root), key=lambda item: item.uri)

    def _fetch(self, uri: str) -> SourceDocument:
        try:
            root = self._root.resolve(strict=True)
            path = locate(root, uri)
            data, state = read_steadily(path, self._max_bytes)
            access = self._access(root, path)
        except OSError as error:
            raise translated(error, uri) from error
        modified = datetime.fromtimestamp(state.st_mtime, UTC)
        return SourceDocument(self._name, uri, uri.rpartition("/")[2], data, access, modified=modified)

    def _access(self, root: Path, path: Path) -> Access | None:
        """What the nearest access file upwards says; None when there is none up to the root."""
        for folder in path.parents:
            found = self._access_file(root, folder)
            if found is not None:
                said: Said = found.of(path.relative_to(folder).as_posix())
                return said.access(self._tenant, self._scale)
            if folder == root:
                break
        return None

    def _access_file(self, root: Path, folder: Path) -> FolderAccess | None:
        file = folder / ACCESS_FILE
        name = shown(str(file.relative_to(root)))
        try:
            # A link is refused: whoever could write to where it leads would decide who reads what is here.
            with open(file, "rb", opener=without_surprises) as opened:
                if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                    raise InvalidAccessFile(f"{name} is not a plain file.")
                return read_folder_access(opened.read(), self._scale, name=name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InvalidAccessFile(f"{name} cannot be read: {error.strerror}.") from error


def without_surprises(path: str, flags: int) -> int:
    """Open without following a link and without waiting at a pipe, which may have taken the file's place."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def walk(root: Path) -> Iterator[SourceItem]:
    """The files below the root, in no order."""
    folders = [("", str(root))]
    while folders:
        prefix, folder = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            yield SourceItem(prefix, shown(os.path.basename(folder)), 0, "")
            continue
        for entry in (entry for entry in entries if not entry.name.startswith(".")):
            uri = prefix + shown(entry.name)
            if entry.is_dir(follow_symlinks=False):
                folders.append((f"{uri}/", entry.path))
            elif item := listed(entry, uri, root):
                yield item


def listed(entry: os.DirEntry[str], uri: str, root: Path) -> SourceItem | None:
    """The entry if it is a plain file, or a link to one inside the root."""
    try:
        # Not `Path.resolve()`, which raises RuntimeError for a link to itself.
        if entry.is_symlink() and not Path(os.path.realpath(entry.path, strict=True)).is_relative_to(root):
            return None
        state = entry.stat()
    except OSError:
        return None
    if not stat.S_ISREG(state.st_mode):
        return None
    modified = datetime.fromtimestamp(state.st_mtime, UTC)
    return SourceItem(uri, shown(entry.name), state.st_size, f"{state.st_mtime_ns}-{state.st_size}", modified)


def locate(root: Path, uri: str) -> Path:
    """Where the file of that uri really lies. Raises FileVanished for what is not listed, OSError."""
    path = root
    for part in uri.removesuffix("/").split("/"):
        if part in {"", ".", ".."} or part.startswith(".") or "\0" in part:
            raise FileVanished
        child = path / part
        if not os.path.lexists(child):
            # The name may hold bytes that are not UTF-8, which a uri shows otherwise.
            child = next((found for found in path.iterdir() if shown(found.name) == part), child)
        if child.is_symlink() and not child.is_file():
            raise FileVanished
        path = child
    real = Path(os.path.realpath(path, strict=True))
    if not real.is_relative_to(root):
        raise FileVanished
    return real


def read_steadily(path: Path, max_bytes: int) -> tuple[bytes, os.stat_result]:
    """The bytes of a file that did not change while it was read. Raises SourceUnavailable, FileTooLarge, OSError."""
    for _ in range(READ_TRIES):
        with open(path, "rb", opener=without_surprises) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise FileVanished
            if before.st_size > max_bytes:
                raise FileTooLarge
            data = file.read(max_bytes + 1)
            if same(before, path) and len(data) == before.st_size:
                return data, before
    raise SourceUnavailable("The file is being written to.", remedy="Add it again when it is finished.")


def same(before: os.stat_result, path: Path) -> bool:
    """Whether the path still leads to the very same state."""
    after = path.stat()
    return all(
        getattr(before, field) == getattr(after, field) for field in ("st_dev", "st_ino", "st_size", "st_mtime_ns")
    )


def translated(error: OSError, uri: str) -> FileVanished | FileForbidden | SourceUnavailable:
    """What went wrong with a file, in our words."""
    if error.errno in FORBIDDEN:
        return FileForbidden(f"{uri} may not be read.")
    if error.errno in GONE:
        return FileVanished()
    return SourceUnavailable(f"{uri} cannot be read: {error.strerror}.")


def shown(name: str) -> str:
    """A name as text: bytes that are not UTF-8 become `\\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")

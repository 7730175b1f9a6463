"""The folder of an embedded index: one owner, one identity, and never a half-made index.

FOLDER/lock                 held while a process owns the folder; the system lets go of it when the process dies
FOLDER/index/identity.json  what the index was built with
FOLDER/index/shard/         the engine's files
FOLDER/making/              an index being made; renamed to `index` when complete, swept away when found
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from retrieval.errors import DataFolderInUse, IndexDamaged
from retrieval.model import EmbedderIdentity, IndexIdentity

SHARD = "shard"
IDENTITY = "identity.json"


class EdgeFolder:
    """Owns `path` from construction to `release()`. Raises DataFolderInUse when another process has it."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._index = path / "index"
        self._making = path / "making"
        self._lock: int | None = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            raise DataFolderInUse(f"Another process has the index in {path} open.") from error
        self._sweep()

    @property
    def shard(self) -> Path:
        """The engine's own folder."""
        return self._index / SHARD

    def identity(self) -> IndexIdentity | None:
        """What the index was built with; None when there is none yet. Raises IndexDamaged."""
        if not self._index.exists():
            return None
        path = self._index / IDENTITY
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            # Keys that a later version adds are none of our business, so that going back one version still opens.
            embedder = {name: stored["embedder"][name] for name in ("name", "dimensions", "max_tokens", "digest")}
            identity = IndexIdentity(EmbedderIdentity(**embedder), stored["sparse"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexDamaged(f"{path} cannot be read, so it is not known what the index was built with.") from error
        if not self.shard.is_dir():
            raise IndexDamaged(f"{self.shard} is missing.")
        return identity

    def make(self, identity: IndexIdentity, build: Callable[[Path], None]) -> None:
        """Make the index: `build` fills the engine's folder and closes it. A crash leaves all of it or nothing."""
        self._making.mkdir()
        build(self._making / SHARD)
        with (self._making / IDENTITY).open("w", encoding="utf-8") as file:
            json.dump(asdict(identity), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(self._making)
        self._making.rename(self._index)
        _sync_folder(self._index.parent)

    def free_bytes(self) -> int:
        """Free space on the disk that holds the folder."""
        return shutil.disk_usage(self._index.parent).free

    def release(self) -> None:
        """Let another process have the folder; releasing twice is harmless."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _sweep(self) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self._making)
        # The engine leaves this behind when it is killed while it rebuilds a segment, and never removes it itself.
        with suppress(FileNotFoundError):
            shutil.rmtree(self.shard / "temp_segments")


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

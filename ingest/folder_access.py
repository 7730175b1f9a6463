"""Who may read a folder's files, as the `.lastro.toml` beside or above them says. In doubt an error, never a guess."""

import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ingest.errors import InvalidAccessFile
from retrieval.access import Access, Label, LabelScale, reader_names
from retrieval.errors import UnknownLabel

ACCESS_FILE: Final = ".lastro.toml"
KEYS: Final = frozenset({"label", "readers"})


@dataclass(frozen=True, slots=True)
class Said:
    """What one table says: None for a key it does not hold."""

    label: Label | None = None
    readers: frozenset[str] | None = None

    def over(self, rest: "Said") -> "Said":
        """This, and where it says nothing, the rest."""
        return Said(self.label or rest.label, rest.readers if self.readers is None else self.readers)

    def access(self, tenant: str, scale: LabelScale) -> Access:
        """As an access. Without a label it is the highest; without readers nobody's, which intake makes the owner's."""
        return Access(tenant, self.readers or frozenset(), self.label or scale.highest)


@dataclass(frozen=True, slots=True)
class FolderAccess:
    """One `.lastro.toml`: what holds for its folder and all below, and what for single files right in that folder."""

    folder: Said = Said()
    files: Mapping[str, Said] = field(default_factory=dict)

    def of(self, name: str) -> Said:
        """What holds for a file of the folder, or for `a/b.txt` below it; the file's own keys win."""
        return self.files.get(normal(name), Said()).over(self.folder)


def read_folder_access(text: bytes, scale: LabelScale, *, name: str) -> FolderAccess:
    """The contents of the access file `name`. Raises InvalidAccessFile, which names the file and the fault."""
    try:
        given: dict[str, object] = tomllib.loads(text.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidAccessFile(f"{name} is not valid TOML: {error}.") from error
    files = given.pop("files", {})
    if not isinstance(files, dict):
        raise InvalidAccessFile(f"{name}: `files` must hold a table for each file.")
    folder = said(given, scale, f"{name}")
    return FolderAccess(folder, {normal(key): said(value, scale, f"{name}, {key!r}") for key, value in files.items()})


def said(table: object, scale: LabelScale, where: str) -> Said:
    """One table of an access file. Raises InvalidAccessFile."""
    if not isinstance(table, dict):
        raise InvalidAccessFile(f"{where} must be a table with `label` and `readers`.")
    if unknown := sorted(set(table) - KEYS):
        raise InvalidAccessFile(f"{where} holds the unknown key {unknown[0]!r}.")
    return Said(label_of(table.get("label"), scale, where), readers_of(table.get("readers"), where))


def label_of(given: object, scale: LabelScale, where: str) -> Label | None:
    """The label of that name. Raises InvalidAccessFile, naming the scale."""
    if given is None:
        return None
    if not isinstance(given, str):
        raise InvalidAccessFile(f"{where}: `label` must be a text.")
    try:
        return scale.label(given)
    except UnknownLabel as error:
        raise InvalidAccessFile(f"{where}: {error.message}") from error


def readers_of(given: object, where: str) -> frozenset[str] | None:
    """The readers. Raises InvalidAccessFile for what is not a list of well-formed names."""
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(reader, str) for reader in given):
        raise InvalidAccessFile(f"{where}: `readers` must be a list of texts.")
    try:
        return reader_names(given)
    except ValueError as error:
        raise InvalidAccessFile(f"{where}: {error}.") from error


def normal(name: str) -> str:
    """A file name as it is compared: some systems store an accent apart from its letter."""
    return unicodedata.normalize("NFC", name)

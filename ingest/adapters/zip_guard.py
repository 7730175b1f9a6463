"""Looks at a zip container's directory before anything opens it: bombs, escaping names, encryption."""

import io
import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping

from ingest.errors import DamagedFile, EncryptedFile, ExpandsTooMuch
from ingest.model import ParseLimits

MEMBERS = 10_000
SMALL = 2**20  # what unpacks to less than this harms nobody, however well it was packed
ENCRYPTED_FLAG = 0x1
# RuntimeError (and so NotImplementedError) is what zipfile raises for encryption and unknown compression.
UNREADABLE = (KeyError, ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
ABSOLUTE = re.compile(r"^([/\\]|[A-Za-z]:)")
DECLARATIONS = tuple("<!DOCTYPE".encode(charset) for charset in ("ascii", "utf-16-le", "utf-16-be"))
ENCRYPTED_PARTS = (b"manifest:encryption-data", b"<enc:EncryptedData", b"<EncryptedData")


def open_container(data: bytes) -> zipfile.ZipFile:
    """The container. Raises DamagedFile."""
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except UNREADABLE as error:
        raise DamagedFile("The file is a damaged or cut off zip container.") from error


def member(container: zipfile.ZipFile, name: str) -> bytes:
    """A member's bytes. Raises DamagedFile, also where it is missing."""
    try:
        return container.read(name)
    except UNREADABLE as error:
        raise DamagedFile(f"The file has no readable part {name!r}.") from error


def all_members(container: zipfile.ZipFile) -> dict[str, bytes]:
    """Every member by its name, for containers that `check_container` let pass. Raises DamagedFile."""
    return {name: member(container, name) for name in dict.fromkeys(container.namelist())}


def refuse_declarations(parts: Mapping[str, bytes]) -> None:
    """Raises DamagedFile where an XML part declares a document type: it is how a file reads other files."""
    for name, content in parts.items():
        if name.endswith((".xml", ".rels")) and any(mark in content for mark in DECLARATIONS):
            raise DamagedFile("A part of the document declares a document type, which Office never writes.")


def check_container(container: zipfile.ZipFile, size: int, limits: ParseLimits) -> None:
    """Raises ExpandsTooMuch, EncryptedFile, or DamagedFile for names that leave the container, links among them."""
    members = container.infolist()
    expanded = sum(entry.file_size for entry in members)
    if len(members) > MEMBERS:
        raise ExpandsTooMuch(f"The file is a container of {len(members):,} members; the limit is {MEMBERS:,}.")
    if expanded > limits.expanded_bytes or expanded > max(SMALL, limits.expansion_ratio * size):
        raise ExpandsTooMuch(f"The file of {size:,} bytes unpacks to {expanded:,}.")
    if any(entry.flag_bits & ENCRYPTED_FLAG for entry in members):
        raise EncryptedFile("The file holds encrypted parts.")
    if any(_leaves(entry) for entry in members):
        raise DamagedFile("The file is a container whose members point outside it.")


def _leaves(entry: zipfile.ZipInfo) -> bool:
    name = entry.filename
    link = stat.S_ISLNK(entry.external_attr >> 16)
    return link or bool(ABSOLUTE.match(name)) or ".." in re.split(r"[/\\]", name)

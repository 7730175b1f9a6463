"""What a file is: by its bytes first, by its name second, and an error where the two disagree.

Neither a request's header nor a file's name proves anything; the wrong parser on the wrong bytes is a way to attack it.
"""

import re
from zipfile import ZipFile

from ingest.adapters.charsets import MARKS, wide_charset
from ingest.adapters.formats import BY_CONTENT, BY_EXTENSION, Format
from ingest.adapters.zip_guard import ENCRYPTED_PARTS, check_container, member, open_container
from ingest.errors import DamagedFile, EmptyFile, EncryptedFile, FileTooLarge, UnsupportedType, WrongExtension
from ingest.model import ParseLimits

TEXT, BINARY, PDF, ZIP, OLE = "text", "binary data", "PDF", "ZIP archive", "old Office file (OLE)"
ENCRYPTED_OFFICE = "encrypted Office file"
SIGNATURES = (
    (b"%PDF-", PDF),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (b"{\\rtf", "RTF"),
    (b"\x89PNG\r\n\x1a\n", "PNG picture"),
    (b"\xff\xd8\xff", "JPEG picture"),
    (b"GIF8", "GIF picture"),
    (b"II*\0", "TIFF picture"),
    (b"MM\0*", "TIFF picture"),
    (b"\x1f\x8b", "gzip archive"),
    (b"BZh", "bzip2 archive"),
    (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (b"\xfd7zXZ\0", "xz archive"),
    (b"Rar!", "RAR archive"),
    (b"MZ", "Windows program"),
    (b"\x7fELF", "program"),
)
PARTS = (("word/", "Word document (DOCX)"), ("xl/", "Excel workbook (XLSX)"), ("ppt/", "PowerPoint (PPTX)"))
EXTENSION = re.compile(r"\.[a-z][a-z0-9]{0,9}$")
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
HTML_START = re.compile(rb"^\s*(<!doctype html|<html)", re.IGNORECASE)
PDF_HEADER_WITHIN = 1_024  # readers accept junk before the header
SAMPLE = 65_536
CONTROL_SHARE = 0.01


def identify(data: bytes, name: str, limits: ParseLimits) -> Format:
    """The format to read the bytes with. `name` is data: only its extension counts.

    Raises EmptyFile, FileTooLarge, EncryptedFile, WrongExtension, UnsupportedType, DamagedFile, ExpandsTooMuch.
    """
    if not data:
        raise EmptyFile
    if len(data) > limits.file_bytes:
        raise FileTooLarge(f"The file has {len(data):,} bytes; the limit is {limits.file_bytes:,}.")
    extension = extension_of(name)
    container = open_container(data) if data.startswith(b"PK\x03\x04") else None
    content = sniff(data, container)
    if content == ENCRYPTED_OFFICE:
        raise EncryptedFile
    found = _format(data, extension, content)
    if container is not None:
        check_container(container, len(data), limits)
    return found


def extension_of(name: str) -> str:
    """`.docx`, in lower case; empty where the name ends in nothing like an extension."""
    match = EXTENSION.search(name.lower())
    return match.group() if match else ""


def sniff(data: bytes, container: ZipFile | None = None) -> str:
    """What the bytes are, in words; `text` and `binary data` where no signature tells."""
    for signature, content in SIGNATURES:
        if data.startswith(signature) and not (signature == b"MZ" and _is_text(data)):
            return _ole_content(data) if content == OLE else _zip_content(container) if content == ZIP else content
    return TEXT if _is_text(data) else BINARY


def _format(data: bytes, extension: str, content: str) -> Format:
    wanted = BY_EXTENSION.get(extension)
    if wanted is None:
        return _unnamed(data, extension, content)
    if content in wanted.contents:
        return wanted
    if PDF in wanted.contents and b"%PDF-" in data[:PDF_HEADER_WITHIN]:
        return wanted
    if content == BINARY and TEXT not in wanted.contents:
        raise DamagedFile(f"The file is named {extension}, but its bytes are no {wanted.name}.")
    raise WrongExtension(f"The file is named {extension}, but its content is {_described(content)}.")


def _unnamed(data: bytes, extension: str, content: str) -> Format:
    if extension:
        raise UnsupportedType(f"Files of the type {extension} cannot be read (content: {_described(content)}).")
    if content not in BY_CONTENT:
        raise UnsupportedType(f"A file without extension that holds {_described(content)} cannot be read.")
    return BY_EXTENSION[".html"] if content == TEXT and HTML_START.match(data) else BY_CONTENT[content]


def _described(content: str) -> str:
    return "plain text" if content == TEXT else content


def _ole_content(data: bytes) -> str:
    encrypted = "EncryptedPackage".encode("utf-16-le") in data
    return ENCRYPTED_OFFICE if encrypted else OLE


def _zip_content(container: ZipFile | None) -> str:
    names = container.namelist() if container else []
    for prefix, content in PARTS:
        if any(name.startswith(prefix) for name in names):
            return content
    if container and "META-INF/manifest.xml" in names and _says_encrypted(container):
        return ENCRYPTED_OFFICE
    return ZIP


def _says_encrypted(container: ZipFile) -> bool:
    small = container.getinfo("META-INF/manifest.xml").file_size <= 2**20
    return small and any(mark in member(container, "META-INF/manifest.xml") for mark in ENCRYPTED_PARTS)


def _is_text(data: bytes) -> bool:
    if any(data.startswith(mark) for mark, _ in MARKS) or wide_charset(data):
        return True
    sample = data[:SAMPLE]
    return b"\0" not in data and len(CONTROL.findall(sample)) <= CONTROL_SHARE * len(sample)

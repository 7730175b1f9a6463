"""A file is what its bytes say, a name that says otherwise is an error, and containers are checked before opening."""

import io
import stat
import zipfile
from dataclasses import replace
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters.file_types import extension_of, identify, sniff
from ingest.adapters.formats import BY_CONTENT, BY_EXTENSION, FORMATS
from ingest.adapters.zip_guard import member, open_container
from ingest.errors import (
    DamagedFile,
    EmptyFile,
    EncryptedFile,
    ExpandsTooMuch,
    FileTooLarge,
    UnreadableDocument,
    UnsupportedType,
    WrongExtension,
)
from ingest.model import ParseLimits

LIMITS = ParseLimits()
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
BINARY = bytes(range(256))


def packed(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as container:
        for name, content in members:
            container.writestr(name, content)
    return out.getvalue()


def docx(*more: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    return packed(("word/document.xml", b"<document/>"), *more)


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("a.txt", b"words", "plain text"),
        ("A.TXT", b"words", "plain text"),
        ("notes.log", b"MZ is how a word may begin", "plain text"),
        ("a.txt", "words".encode("utf-16"), "plain text"),
        ("a.md", b"# Head", "Markdown"),
        ("a.htm", b"<p>words", "HTML"),
        ("a.pdf", b"%PDF-1.7\n", "PDF"),
        ("a.pdf", b"junk before it\n%PDF-1.7\n", "PDF"),
        ("a.docx", docx(), "Word document (DOCX)"),
        ("a.csv", b"a,b", "CSV"),
        ("a.eml", b"Subject: x\0y", "mail (EML)"),
        ("a.xlsx", packed(("xl/workbook.xml", b"")), "Excel workbook (XLSX)"),
        ("README", b"words", "plain text"),
        ("Report v1.2", b"words", "plain text"),
        ("page", b" <!DOCTYPE html><p>words", "HTML"),
        ("scan", b"%PDF-1.4\n", "PDF"),
        ("letter", docx(), "Word document (DOCX)"),
    ],
)
def test_the_format_follows_from_bytes_and_name(name: str, data: bytes, found: str) -> None:
    assert identify(data, name, LIMITS).name == found


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.docx", b"%PDF-1.7\n", ("docx", "PDF")),
        ("a.pdf", docx(), ("pdf", "Word document")),
        ("a.txt", PNG, ("txt", "PNG picture")),
        ("a.docx", b"just words", ("docx", "plain text")),
        ("a.docx", OLE, ("docx", "old Office file")),
        ("a.docx", packed(("xl/workbook.xml", b"")), ("docx", "Excel workbook")),
        ("a.docx", packed(("ppt/slides.xml", b"")), ("docx", "PowerPoint")),
        ("a.docx", packed(("other", b"")), ("docx", "ZIP archive")),
        ("a.docx", b"MZ" + bytes(100), ("docx", "Windows program")),
        ("a.md", BINARY, ("md", "binary data")),
        ("a.txt", b"words\0words", ("txt", "binary data")),
        ("a.txt", b"{\\rtf1 words}", ("txt", "RTF")),
    ],
)
def test_a_wrong_extension_is_refused_and_both_types_are_named(name: str, data: bytes, said: tuple[str, str]) -> None:
    with pytest.raises(WrongExtension) as refusal:
        identify(data, name, LIMITS)
    assert all(word in refusal.value.message for word in said)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.odt", packed(("mimetype", b"")), ".odt"),
        ("a.exe", b"MZ" + bytes(9), ".exe"),
        ("a.png", PNG, "PNG picture"),
        ("picture", PNG, "PNG picture"),
        ("a.zip", packed(("x", b"")), "ZIP archive"),
        ("a.doc", OLE, "old Office file"),
        ("a.xyz", b"words", ".xyz"),
        ("noise", BINARY, "binary data"),
    ],
)
def test_an_unsupported_type_is_named(name: str, data: bytes, said: str) -> None:
    with pytest.raises(UnsupportedType, match=said):
        identify(data, name, LIMITS)


def test_an_empty_and_a_large_file_are_refused() -> None:
    with pytest.raises(EmptyFile):
        identify(b"", "a.pdf", LIMITS)
    with pytest.raises(FileTooLarge, match="11 bytes; the limit is 10"):
        identify(b"x" * 11, "a.txt", replace(LIMITS, file_bytes=10))


def test_bytes_that_are_nothing_known_are_damage_where_the_name_promises_a_type() -> None:
    with pytest.raises(DamagedFile, match="no PDF"):
        identify(BINARY, "a.pdf", LIMITS)
    with pytest.raises(DamagedFile, match="zip"):
        identify(docx()[:-30], "a.docx", LIMITS)


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a"])
def test_encrypted_office_files_are_told_from_old_ones(name: str) -> None:
    with pytest.raises(EncryptedFile):
        identify(OLE + "EncryptedPackage".encode("utf-16-le"), name, LIMITS)


def test_an_encrypted_open_document_is_known_by_its_manifest() -> None:
    manifest = b"<manifest:manifest><manifest:encryption-data/></manifest:manifest>"
    with pytest.raises(EncryptedFile):
        identify(packed(("META-INF/manifest.xml", manifest)), "a.odt", LIMITS)
    with pytest.raises(UnsupportedType):
        identify(packed(("META-INF/manifest.xml", b"<manifest/>")), "a.odt", LIMITS)


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(docx())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 8] |= 1
    with pytest.raises(EncryptedFile):
        identify(bytes(data), "a.docx", LIMITS)


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "\\evil", "C:\\evil", "a\\..\\evil"])
def test_members_that_leave_the_container_are_refused(name: str) -> None:
    with pytest.raises(DamagedFile, match="outside"):
        identify(docx((name, b"x")), "a.docx", LIMITS)


def test_links_in_a_container_are_refused() -> None:
    link = zipfile.ZipInfo("word/link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DamagedFile, match="outside"):
        identify(docx((link, b"/etc/passwd")), "a.docx", LIMITS)


@pytest.mark.parametrize(
    "limits", [replace(LIMITS, expanded_bytes=2**20), replace(LIMITS, expansion_ratio=50), LIMITS], ids=str
)
def test_a_container_that_expands_too_much_is_refused(limits: ParseLimits) -> None:
    size = 40 * 2**20 if limits == LIMITS else 3 * 2**20
    with pytest.raises(ExpandsTooMuch, match="unpacks to"):
        identify(docx(("word/bomb.xml", bytes(size))), "a.docx", limits)


def test_a_small_container_may_be_packed_as_well_as_it_likes() -> None:
    assert identify(docx(("word/zeros.xml", bytes(900_000))), "a.docx", LIMITS).extensions == (".docx",)


def test_a_container_of_very_many_members_is_refused() -> None:
    with pytest.raises(ExpandsTooMuch, match="members"):
        identify(docx(*((f"word/{n}", b"") for n in range(10_001))), "a.docx", LIMITS)


def test_a_member_that_cannot_be_unpacked_is_damage() -> None:
    data = bytearray(packed(("a", b"some words, some words, some words" * 9)))
    data[31:45] = b"\xff" * 14
    with open_container(bytes(data)) as container, pytest.raises(DamagedFile):
        member(container, "a")
    with open_container(packed(("a", b""))) as container, pytest.raises(DamagedFile, match="'b'"):
        member(container, "b")


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.PDF", ".pdf"), ("a.tar.gz", ".gz"), ("a", ""), ("a.", ""), ("a.1", ""), (".env", ".env"), ("a.b c", "")],
)
def test_the_extension_is_what_follows_the_last_dot_if_it_looks_like_one(name: str, extension: str) -> None:
    assert extension_of(name) == extension


def test_each_extension_belongs_to_one_format_and_each_content_has_one() -> None:
    assert len(BY_EXTENSION) == sum(len(row.extensions) for row in FORMATS)
    assert {row.contents[0] for row in FORMATS} == set(BY_CONTENT)
    assert all(find_spec(row.module) for row in FORMATS)
    assert callable(BY_EXTENSION[".txt"].reader().read)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_bytes_under_any_name_are_identified_or_refused(data: bytes, name: str) -> None:
    try:
        assert identify(data, name, LIMITS) in FORMATS
    except UnreadableDocument:
        assert sniff(data)

"""The types Lastro reads: one row and one module each.

A row's module has `read(data: bytes, limits: ParseLimits) -> ParsedDocument`. It is named, not imported, so that the
process that reads a text file does not first load what reads Word documents.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Protocol, cast

from ingest.model import ParseLimits
from retrieval.model import ParsedDocument


class Reader(Protocol):
    """The module behind a row."""

    def read(self, data: bytes, limits: ParseLimits) -> ParsedDocument:
        """The document. Raises an UnreadableDocument."""


@dataclass(frozen=True, slots=True)
class Format:
    """`contents` is what `file_types.sniff` may call its bytes; without extension the first of them decides."""

    name: str
    contents: tuple[str, ...]
    extensions: tuple[str, ...]
    module: str

    def reader(self) -> Reader:
        """Load the module; slow the first time for formats with heavy parsers."""
        return cast("Reader", import_module(self.module))


FORMATS = (
    Format("plain text", ("text",), (".txt", ".text", ".log"), "ingest.adapters.plain_text"),
    Format("Markdown", ("text",), (".md", ".markdown"), "ingest.adapters.markdown"),
    Format("HTML", ("text",), (".html", ".htm", ".xhtml"), "ingest.adapters.html"),
    Format("PDF", ("PDF",), (".pdf",), "ingest.adapters.pdfium"),
    Format("Word document (DOCX)", ("Word document (DOCX)",), (".docx",), "ingest.adapters.unstructured"),
    Format("CSV", ("text",), (".csv", ".tsv"), "ingest.adapters.delimited_text"),
    Format("mail (EML)", ("text", "binary data"), (".eml",), "ingest.adapters.mail"),
    Format("Excel workbook (XLSX)", ("Excel workbook (XLSX)",), (".xlsx",), "ingest.adapters.openpyxl"),
)
BY_EXTENSION: Mapping[str, Format] = MappingProxyType({end: row for row in FORMATS for end in row.extensions})
BY_CONTENT: Mapping[str, Format] = MappingProxyType({row.contents[0]: row for row in reversed(FORMATS)})

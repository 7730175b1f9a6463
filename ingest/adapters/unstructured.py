"""Reads Word documents through `unstructured`, offline.

As installed it downloads a spaCy model into site-packages at the first document and once more at each next one. The
model only guesses labels that are not used here, and guesses in English; the three functions that ask for it are
replaced. Its telemetry is switched off in the environment of the process that imports this module.
"""

import io
import re
from collections.abc import Iterator, Sequence
from zipfile import BadZipFile

from docx.opc.exceptions import OpcError
from lxml import etree
from lxml.html import fragment_fromstring
from unstructured.documents.elements import Element, Footer, Header, ListItem, PageBreak, Table, Title
from unstructured.partition import text_type
from unstructured.partition.docx import partition_docx

from ingest.adapters.composing import Composer
from ingest.adapters.docx_xml import DOCUMENT, prepare
from ingest.adapters.html_table import cell_text, is_data_table, markdown_rows
from ingest.adapters.zip_guard import member, open_container
from ingest.errors import DamagedFile
from ingest.model import ParseLimits
from retrieval.model import BlockKind, ParsedDocument

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
CORE_TITLE = "{http://purl.org/dc/elements/1.1/}title"
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
WORD = re.compile(r"\w+|[^\w\s]")
MARKER = re.compile(r"^\s*(?:[-•*]|\(?\w{1,4}[.)])\s")
# What python-docx and lxml raise for documents whose parts do not fit together.
BROKEN = (OpcError, etree.LxmlError, BadZipFile, KeyError, ValueError, AttributeError, TypeError, IndexError)


def _sentences(text: str) -> list[str]:
    return SENTENCE_END.split(text)


def _words(text: str) -> list[str]:
    return WORD.findall(text)


def _is_narrative(text: str) -> bool:
    return len(_words(text)) > 4


REPLACED = {"sent_tokenize": _sentences, "word_tokenize": _words, "contains_verb": _is_narrative}
for _name, _function in REPLACED.items():
    setattr(text_type, _name, _function)


def read(data: bytes, limits: ParseLimits) -> ParsedDocument:
    """A DOCX, with page numbers where Word left them. Raises DamagedFile, NoTextFound."""
    prepared, hidden = prepare(data)
    try:
        elements = partition_docx(file=io.BytesIO(prepared), include_page_breaks=True)
    except BROKEN as error:
        raise DamagedFile("The document's parts do not fit together.") from error
    composer = Composer(MEDIA_TYPE)
    if hidden:
        composer.warn(f"hidden passages removed: {hidden}")
    _compose(_without_repeats(elements), composer)
    return composer.finish(_title(data))


def _compose(elements: Sequence[Element], composer: Composer) -> None:
    # Without a break in the file nothing is known about pages; one page for all would be a claim.
    paged = any(isinstance(element, PageBreak) for element in elements)
    if paged:
        composer.begin_page()
    for element in elements:
        if isinstance(element, PageBreak):
            composer.begin_page()
        else:
            _add(element, composer)


def _add(element: Element, composer: Composer) -> None:
    depth = element.metadata.category_depth or 0
    if isinstance(element, Title):
        composer.block(BlockKind.HEADING, element.text, depth + 1)
    elif isinstance(element, ListItem):
        text = element.text if MARKER.match(element.text) else f"- {element.text}"
        composer.block(BlockKind.LIST_ITEM, "  " * min(depth, 8) + text)
    elif isinstance(element, Table):
        _add_table(element, composer)
    else:
        composer.block(BlockKind.TEXT, element.text)


def _add_table(table: Table, composer: Composer) -> None:
    page = table.metadata.text_as_html
    grid = fragment_fromstring(page) if page else None
    if grid is None:
        composer.block(BlockKind.TEXT, table.text)
    elif is_data_table(grid):
        composer.block(BlockKind.TABLE, markdown_rows(grid))
    else:
        for cell in grid.iter("td", "th"):
            composer.block(BlockKind.TEXT, cell_text(cell))


def _without_repeats(elements: Sequence[Element]) -> list[Element]:
    """Headers and footers once: each section of a document repeats them."""
    return list(_distinct(elements))


def _distinct(elements: Sequence[Element]) -> Iterator[Element]:
    seen: set[str] = set()
    for element in elements:
        if isinstance(element, Header | Footer):
            if element.text in seen:
                continue
            seen.add(element.text)
        yield element


def _title(data: bytes) -> str:
    with open_container(data) as container:
        if "docProps/core.xml" not in container.namelist() or DOCUMENT not in container.namelist():
            return ""
        content = member(container, "docProps/core.xml")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(content, parser).findtext(CORE_TITLE) or ""
    except etree.XMLSyntaxError:
        return ""

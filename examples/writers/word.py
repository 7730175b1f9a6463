"""DOCX with heading styles, tables, and form fields as content controls (`w:sdt`), as company templates have them."""

from datetime import UTC, datetime
from io import BytesIO

from docx import Document
from docx.document import Document as Word
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from writers.archive import MOMENT, timeless
from writers.blocks import Block, Source

STYLES = {"bullet": "List Bullet", "step": "List Number"}


def document(source: Source) -> bytes:
    """The document's bytes."""
    word = Document()
    properties = word.core_properties
    properties.title, properties.author, properties.language = source.title, "Farolim Instruments", source.language
    properties.created = properties.modified = datetime(*MOMENT, tzinfo=UTC)
    for block in source.blocks:
        append(word, block)
    target = BytesIO()
    word.save(target)
    return timeless(target.getvalue())


def append(word: Word, block: Block) -> None:
    """Put one block at the end of the document."""
    if block.kind == "heading":
        word.add_heading(block.text, block.level)
    elif block.kind == "table":
        append_table(word, block.rows)
    elif block.kind == "field":
        append_field(word, block.text)
    elif block.kind == "page":
        word.add_page_break()
    else:
        word.add_paragraph(block.text, STYLES.get(block.kind))


def append_table(word: Word, rows: tuple[tuple[str, ...], ...]) -> None:
    """A table with lines; the first row is the head."""
    table = word.add_table(len(rows), len(rows[0]), "Table Grid")
    for row, cells in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text


def append_field(word: Word, text: str) -> None:
    """Wrap a paragraph in a content control that has the field's name as its tag."""
    paragraph = word.add_paragraph(text)
    control, settings, tag, content = (OxmlElement(name) for name in ("w:sdt", "w:sdtPr", "w:tag", "w:sdtContent"))
    tag.set(qn("w:val"), text.partition(":")[0])
    settings.append(tag)
    control.append(settings)
    control.append(content)
    paragraph._p.addprevious(control)
    content.append(paragraph._p)

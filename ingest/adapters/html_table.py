"""Writes tables as Markdown rows, which both people and language models read; layout tables are no tables."""

from collections.abc import Iterator, Sequence

from lxml import etree
from lxml.html import HtmlElement

from ingest.adapters.visible_text import one_line

LAYOUT_CELL = 600  # characters; a cell that long is a column of prose, not a value
WIDEST_SPAN = 50
GLUED_NAMES = "a abbr b code em font i mark s small span strong sub sup u"
GLUED = frozenset(GLUED_NAMES.split())


def is_data_table(table: HtmlElement) -> bool:
    """Whether rows and columns mean something here: more than one column, no table inside, no cell full of prose."""
    if table.find(".//table") is not None:
        return False
    rows = list(_rows(table))
    if max((len(row) for row in rows), default=0) < 2:
        return False
    return all(len(cell_text(cell)) <= LAYOUT_CELL for row in rows for cell in row)


def markdown_rows(table: HtmlElement) -> str:
    """The caption, then `| a | b |` per row, with a rule under the first."""
    rows = [[text for cell in row for text in _spanned(cell)] for row in _rows(table)]
    caption = table.find("caption")
    heading = [cell_text(caption)] if caption is not None else []
    return "\n".join([*heading, *markdown([row for row in rows if any(row)])])


def markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; the first row is its head. Cells are single lines already."""
    if not rows:
        return []
    width = max(len(row) for row in rows)
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [lines[0], "|" + " --- |" * width, *lines[1:]]


def cell_text(cell: HtmlElement) -> str:
    """The text of a cell as one line; words of neighbouring blocks do not run together."""
    parts: list[str] = []
    for event, element in etree.iterwalk(cell, events=("start", "end")):
        gap = "" if element.tag in GLUED else " "
        parts.append(gap + (element.text or "") if event == "start" else gap)
        if event == "end" and element is not cell:
            parts.append(element.tail or "")
    return one_line("".join(parts))


def _rows(table: HtmlElement) -> Iterator[list[HtmlElement]]:
    for row in table.iter("tr"):
        yield [cell for cell in row if cell.tag in {"td", "th"}]


def _spanned(cell: HtmlElement) -> list[str]:
    span = cell.get("colspan") or ""
    width = min(int(span), WIDEST_SPAN) if span.isdecimal() and len(span) < 4 else 1
    return [cell_text(cell), *[""] * (width - 1)]

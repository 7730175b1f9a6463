"""Reads HTML with lxml: what a person sees on the page, as headings, paragraphs, list items, tables and code.

`unstructured` is not used here: it loses about a seventh of the words and keeps hidden ones.
"""

import re

from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from ingest.adapters.charsets import decode
from ingest.adapters.composing import Composer
from ingest.adapters.html_hidden import remove_hidden
from ingest.adapters.html_table import is_data_table, markdown_rows
from ingest.adapters.visible_text import one_line
from ingest.errors import DamagedFile, NoTextFound
from ingest.model import ParseLimits
from retrieval.model import BlockKind, ParsedDocument

DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
INLINE_NAMES = """
    a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q rp rt ruby s samp small span
    strike strong sub sup time tt u var wbr input button select option
"""
INLINE = frozenset(INLINE_NAMES.split())
LINE_BREAK = "\u2028"


def read(data: bytes, limits: ParseLimits) -> ParsedDocument:
    """A page. Raises NoTextFound, DamagedFile."""
    declared = DECLARED.search(data[:4096])
    composer = Composer("text/html")
    title = compose(decode(data, declared.group(1).decode("ascii") if declared else ""), composer)
    return composer.finish(title)


def compose(page: str, composer: Composer, title: str = "") -> str:
    """Add the visible blocks of a page to the composer; returns the page's title. Raises NoTextFound, DamagedFile.

    A title that the page itself does not repeat is read as its first heading: people see it, and search for it.
    """
    root = _tree(page)
    title = title or one_line(root.findtext(".//head/title") or "")
    hidden = remove_hidden(root)
    if hidden.passages:
        composer.warn(f"hidden passages removed: {hidden.passages} ({hidden.words} words)")
    body = root.find("body") if root.find("body") is not None else root
    words = one_line(body.text_content())
    if words and title not in words:
        composer.block(BlockKind.HEADING, title, 1)
    _Walk(composer).over(body)
    return title


def _tree(page: str) -> HtmlElement:
    # Encoded again, so that no declaration inside the page can contradict the text. libxml2 ends at NUL.
    parser = HTMLParser(encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = document_fromstring(page.replace("\0", "").encode("utf-8", "replace"), parser=parser)
    except etree.ParserError as error:
        raise NoTextFound from error
    except etree.LxmlError as error:
        raise DamagedFile("The page cannot be read as HTML.") from error
    if any(entry.level == etree.ErrorLevels.FATAL for entry in parser.error_log):
        raise DamagedFile("The page is nested too deeply.")
    return root


class _Walk:
    """Turns elements into blocks. Iterative: depth is the page's choice, the stack is ours."""

    def __init__(self, composer: Composer) -> None:
        self._composer = composer
        self._inline: list[str] = []
        self._lists: list[int | None] = []  # of each open list, the number of its next item; None for bullets
        self._marker = ""

    def over(self, root: HtmlElement) -> None:
        """Compose everything below the element."""
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, element in walk:
            if event == "start":
                if self._whole(element):
                    walk.skip_subtree()
                else:
                    self._start(element)
            else:
                self._end(element)
                if element is not root:
                    self._inline.append(element.tail or "")
        self._flush()

    def _whole(self, element: HtmlElement) -> bool:
        """Compose what is read in one piece."""
        if element.tag == "pre":
            self._flush()
            self._composer.block(BlockKind.CODE, element.text_content())
        elif element.tag == "table" and is_data_table(element):
            self._flush()
            self._composer.block(BlockKind.TABLE, markdown_rows(element))
        else:
            return False
        return True

    def _start(self, element: HtmlElement) -> None:
        tag = element.tag
        if tag not in INLINE:
            self._flush_unless_break(tag)
        if tag in {"ul", "ol", "menu"}:
            self._lists.append(_first_number(element) if tag == "ol" else None)
        elif tag == "li":
            self._marker = self._next_marker()
        self._inline.append(element.text or "")

    def _end(self, element: HtmlElement) -> None:
        tag = element.tag
        if tag in HEADINGS:
            self._flush(BlockKind.HEADING, HEADINGS[tag])
        elif tag not in INLINE and tag != "br":
            self._flush()
        if tag == "li":
            self._marker = ""
        elif tag in {"ul", "ol", "menu"} and self._lists:
            self._lists.pop()

    def _flush_unless_break(self, tag: str) -> None:
        if tag == "br":
            self._inline.append(LINE_BREAK)
        else:
            self._flush()

    def _next_marker(self) -> str:
        indent = "  " * min(max(len(self._lists) - 1, 0), 8)
        number = self._lists[-1] if self._lists else None
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "

    def _flush(self, kind: BlockKind = BlockKind.TEXT, level: int = 0) -> None:
        text = "".join(self._inline)
        self._inline.clear()
        lines = [one_line(line) for line in text.split(LINE_BREAK)]
        text = "\n".join(lines).strip()
        if not text:
            return
        if self._marker and kind is BlockKind.TEXT:
            kind, text, self._marker = BlockKind.LIST_ITEM, self._marker + text, ""
        self._composer.block(kind, text, level)


def _first_number(element: HtmlElement) -> int:
    start = element.get("start") or ""
    return int(start) if re.fullmatch(r"-?[0-9]{1,6}", start) else 1

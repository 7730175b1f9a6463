"""Builds a parsed document block by block, so that no reader has to count characters."""

import re

from ingest.adapters.visible_text import clean, one_line
from ingest.errors import NoTextFound
from retrieval.model import Block, BlockKind, Page, ParsedDocument

TITLE_CHARACTERS = 200
FIRST_HEADINGS = 5  # a title page may begin with the name of the house
TRAILING_SPACE = re.compile(r"[ \t]+(?=\n)")


class Composer:
    """Takes blocks in reading order; `finish` returns them as one text with exact spans."""

    def __init__(self, media_type: str) -> None:
        self._media_type = media_type
        self._parts: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._pages: list[Page] = []
        self._warnings: list[str] = []
        self._invisible = 0

    def block(self, kind: BlockKind, text: str, level: int = 0) -> None:
        """Add a block, cleaned; one without visible text is left out. List items stand line by line."""
        text, invisible = clean(text)
        self._invisible += invisible
        text = TRAILING_SPACE.sub("", text).rstrip().lstrip("\n")
        if not text.strip():
            return
        self._separate("\n" if self._continues_a_list(kind) else "\n\n")
        start = self._length
        self._write(text)
        self._blocks.append(Block(kind, start, self._length, level if kind is BlockKind.HEADING else 0))

    def begin_page(self) -> None:
        """What follows stands on the next page."""
        self._end_page()
        if self._pages:
            self._write("\n\n")
        self._pages.append(Page(len(self._pages) + 1, self._length, self._length))

    def warn(self, warning: str) -> None:
        """Say something the reader of the job should know: counts and page numbers, never text."""
        self._warnings.append(warning)

    @property
    def blocks(self) -> int:
        """How many blocks were added so far."""
        return len(self._blocks)

    def finish(self, title: str = "") -> ParsedDocument:
        """The document; without a title it is named by the highest of its first headings. Raises NoTextFound."""
        if not self._blocks:
            raise NoTextFound
        self._end_page()
        if self._invisible:
            self.warn(f"invisible characters removed: {self._invisible}")
        text = "".join(self._parts)
        return ParsedDocument(
            text=text,
            media_type=self._media_type,
            title=(one_line(clean(title)[0]) or self._top_heading(text))[:TITLE_CHARACTERS].strip(),
            pages=tuple(self._pages),
            blocks=tuple(self._blocks),
            warnings=tuple(self._warnings),
        )

    def _top_heading(self, text: str) -> str:
        headings = [block for block in self._blocks if block.kind is BlockKind.HEADING][:FIRST_HEADINGS]
        first = min(headings, key=lambda block: block.level, default=None)
        return one_line(text[first.start : first.end]) if first else ""

    def _continues_a_list(self, kind: BlockKind) -> bool:
        return kind is BlockKind.LIST_ITEM and bool(self._blocks) and self._blocks[-1].kind is BlockKind.LIST_ITEM

    def _separate(self, separator: str) -> None:
        at_page_start = bool(self._pages) and self._pages[-1].start == self._length
        if self._length and not at_page_start:
            self._write(separator)

    def _end_page(self) -> None:
        if self._pages:
            page = self._pages[-1]
            self._pages[-1] = Page(page.n, page.start, self._length)

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

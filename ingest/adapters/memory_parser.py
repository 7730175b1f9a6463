"""A parser without libraries or processes: for tests, and as the shortest statement of what the port promises."""

from ingest.errors import EmptyFile, FileTooLarge, NoTextFound, UnsupportedType
from ingest.model import ParseLimits
from retrieval.model import Block, BlockKind, Page, ParsedDocument

PAGE_BREAK = "\f"
BETWEEN_PAGES = "\n\n"


class MemoryParser:
    """Port `Parser` for UTF-8 text: a line is a block, one that starts with `#` a heading, a form feed ends a page."""

    def __init__(self, limits: ParseLimits | None = None) -> None:
        self._limits = limits or ParseLimits()

    async def parse(self, data: bytes, name: str) -> ParsedDocument:
        """Text with pages and blocks. Raises EmptyFile, FileTooLarge, UnsupportedType, NoTextFound."""
        if not data:
            raise EmptyFile
        if len(data) > self._limits.file_bytes:
            raise FileTooLarge
        if not name.lower().endswith((".txt", ".md")):
            raise UnsupportedType
        text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\0", "")
        if not text.strip():
            raise NoTextFound
        pages, at = [], 0
        for n, page in enumerate(text.split(PAGE_BREAK), 1):
            pages.append(Page(n, at, at + len(page)))
            at += len(page) + len(BETWEEN_PAGES)
        text = text.replace(PAGE_BREAK, BETWEEN_PAGES)
        return ParsedDocument(text, "text/plain", pages=tuple(pages), blocks=tuple(_blocks(text)))

    async def close(self) -> None:
        """There is nothing to let go of."""


def _blocks(text: str) -> list[Block]:
    blocks, at = [], 0
    for line in text.split("\n"):
        if line.strip():
            level = len(line) - len(line.lstrip("#"))
            blocks.append(Block(BlockKind.HEADING if level else BlockKind.TEXT, at, at + len(line), level))
        at += len(line) + 1
    return blocks

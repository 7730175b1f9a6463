"""The stretches of a document, each under the headings it stands below."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from retrieval.model import Block, BlockKind, Page, ParsedDocument

HEADING_CHARACTERS = 120
BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Stretch:
    """`text[start:end]`, without white space at its ends, and its section path from the outermost heading.

    `continues` says that it seems to begin inside a sentence, as after the end of a page; `splits_word` that it begins
    or ends inside a word, so that its tokens are others than those of the whole text.
    """

    kind: BlockKind
    start: int
    end: int
    path: tuple[str, ...] = ()
    continues: bool = False
    splits_word: bool = False


def stretches(parsed: ParsedDocument) -> list[Stretch]:
    """All of the text but white space, in order, nothing twice: whatever the parser left out or gave twice."""
    path: list[tuple[int, str]] = []
    found = []
    for block in _covering(parsed):
        if block.kind is BlockKind.HEADING:
            heading = clipped(parsed.text[block.start : block.end], HEADING_CHARACTERS)
            path = [(level, text) for level, text in path if level < max(block.level, 1)]
            path.append((max(block.level, 1), heading))
        low = block.kind is BlockKind.TEXT and parsed.text[block.start].islower()
        found.append(Stretch(block.kind, block.start, block.end, tuple(text for _, text in path), low))
    return found


def clipped(text: str, characters: int) -> str:
    """One line of at most so many characters, cut at a word where there is one."""
    text = SPACE.sub(" ", text).strip()
    if len(text) <= characters:
        return text
    cut = text.rfind(" ", characters // 2, characters)
    return text[: cut if cut > 0 else characters - 1].rstrip() + "…"


def page_range(pages: tuple[Page, ...], starts: list[int], start: int, end: int) -> tuple[int | None, int | None]:
    """The first and last page that `[start, end)` touches; `starts` are the pages' own, ascending."""
    first = bisect_right(starts, start) - 1
    last = bisect_right(starts, max(end - 1, start)) - 1
    return (pages[first].n, pages[last].n) if first >= 0 else (None, None)


def _covering(parsed: ParsedDocument) -> Iterator[Block]:
    at = 0
    for block in sorted(parsed.blocks, key=lambda block: block.start):
        yield from _gap(parsed.text, at, block.start)
        yield from _trimmed(parsed.text, block, max(block.start, at))
        at = max(at, block.end)
    yield from _gap(parsed.text, at, len(parsed.text))


def _gap(text: str, start: int, end: int) -> Iterator[Block]:
    while start < end:
        blank = BLANK_LINES.search(text, start, end)
        stop = blank.start() if blank else end
        yield from _trimmed(text, Block(BlockKind.TEXT, start, stop), start)
        start = blank.end() if blank else end


def _trimmed(text: str, block: Block, start: int) -> Iterator[Block]:
    content = text[start : block.end]
    if content.strip():
        start += len(content) - len(content.lstrip())
        yield Block(block.kind, start, start + len(content.strip()), block.level)

"""Finds paragraphs and headings in the lines of PDF pages: a PDF knows only where each letter stands.

A paragraph ends where the gap to the next line is wider than usual or the type changes; a heading is a short paragraph
set larger or bolder than the body. Lines that reach the right edge are joined, others (tables, addresses, verses) stay
apart. On pages whose text runs sideways the lines are kept as they come.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from retrieval.model import BlockKind

LARGER = 1.15  # a heading's size against the body's
WIDE_GAP = 1.35  # a gap between paragraphs against the usual distance of lines
BOLD_BODY = 0.3  # share of bold characters above which bold means nothing
RIGHT_EDGE = 0.85  # how far to the right a line must reach to be continued in the next
HEADING_CHARACTERS = 200
HEADING_LINES = 3
LEVELS = 4
ENDS_HEADING = re.compile(r"[^,;]$")
ENDS_SENTENCE = re.compile(r"[.!?;,]$")
ITEM = re.compile("[•‣◦▪▫●○■□–—*\uf0b7\uf0a7-]|\\(?(?:[0-9]{1,3}|[a-zA-Z]|[ivx]{1,4})[.)] |[0-9]+(?:\\.[0-9]+)+\\.? ")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page; points, from the left and from the top of the page."""

    text: str
    size: float = 0.0
    top: float = 0.0
    left: float = 0.0
    right: float = 0.0
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph or heading."""

    kind: BlockKind
    text: str
    level: int = 0


def parts_of(pages: Sequence[Sequence[Line]]) -> list[list[Part]]:
    """For each page its paragraphs and headings, in order."""
    sizes = _Sizes(pages)
    return [[_part(paragraph, sizes) for paragraph in _paragraphs(lines)] for lines in pages]


class _Sizes:
    """The size of the body and the levels of what is larger, by how many characters are set in each size."""

    def __init__(self, pages: Sequence[Sequence[Line]]) -> None:
        counts: Counter[float] = Counter()
        for lines in pages:
            for line in lines:
                counts[line.size] += len(line.text)
        bold = sum(len(line.text) for lines in pages for line in lines if line.bold)
        self._bold_tells = bold < BOLD_BODY * counts.total()
        self._body = counts.most_common(1)[0][0] if counts else 0.0
        larger = sorted((size for size in counts if self._is_larger(size)), reverse=True)
        self._levels = {size: min(n, LEVELS) for n, size in enumerate(larger, 1)}

    def level(self, lines: Sequence[Line]) -> int:
        """1 for the largest size; bold lines of body size come last; 0 for body text."""
        level = min(self._levels.get(line.size, 0) for line in lines)
        bold = self._bold_tells and all(line.bold for line in lines)
        return level or (min(len(self._levels), LEVELS) + 1 if bold else 0)

    def _is_larger(self, size: float) -> bool:
        return self._body > 0 and size >= LARGER * self._body


def _paragraphs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    pitch = _usual_distance(lines)
    paragraph: list[Line] = []
    for line in lines:
        if paragraph and _starts_anew(paragraph[-1], line, pitch):
            yield paragraph
            paragraph = []
        paragraph.append(line)
    if paragraph:
        yield paragraph


def _usual_distance(lines: Sequence[Line]) -> float:
    below = (round(after.top - before.top, 0) for before, after in pairwise(lines))
    usual = Counter(distance for distance in below if distance > 1).most_common(1)
    return usual[0][0] if usual else 0.0


def _starts_anew(before: Line, line: Line, pitch: float) -> bool:
    if not pitch:
        return False
    distance = line.top - before.top
    if abs(line.size - before.size) > 0.1 * max(before.size, line.size):
        return True
    if line.bold != before.bold and abs(distance) > 1 and ENDS_HEADING.search(before.text):
        return True
    usual = max(pitch, 1.1 * line.size)
    if distance > WIDE_GAP * usual:
        return True
    # Upwards is the next column: the sentence may go on there.
    return distance < -usual and before.text.rstrip().endswith((".", "!", "?", ":"))


def _part(lines: Sequence[Line], sizes: _Sizes) -> Part:
    level = sizes.level(lines)
    text = " ".join(line.text for line in lines)
    short = len(text) <= HEADING_CHARACTERS and len(lines) <= HEADING_LINES
    if level and short and not ENDS_SENTENCE.search(text) and any(character.isalpha() for character in text):
        return Part(BlockKind.HEADING, text, level)
    return Part(BlockKind.TEXT, _joined(lines))


def _joined(lines: Sequence[Line]) -> str:
    edge = max(line.right for line in lines)
    start = min(line.left for line in lines)
    pieces = [lines[0].text]
    for before, line in pairwise(lines):
        full = before.right >= start + RIGHT_EDGE * (edge - start) > start
        column = line.top < before.top - 1
        pieces.append(" " if (full or column) and not ITEM.match(line.text) else "\n")
        pieces.append(line.text)
    return "".join(pieces)

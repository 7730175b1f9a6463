"""Cuts a text into sentences, list items and table rows: the units in which words are cited.

Works on offsets, so that a sentence is always an exact slice of its text.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

from serving.words import SHORTENED

Span: TypeAlias = tuple[int, int]

_BOUNDARY = re.compile(
    r"[.!?…]+[\"'”’»)\]]*(?=\s+[\"'“‘«(\[]*[^\Wa-zà-ÿ_])"  # a stop, and what follows begins like a sentence
    r"|\n\s*\n"
    r"|\n(?=\s*(?:[-*•‣–|#>]|\d{1,3}[.)]\s|[a-z]\)\s))"  # the next list item, row or heading
    r"|(?<=\|)\s*\n"
)
_HEADING = re.compile(r"^#{1,6}\s[^\n]*\n", re.MULTILINE)
_LAST_WORD = re.compile(r"([\w.]+)$")
_LOOK_BACK = 12


def sentences(text: str) -> list[Span]:
    """(start, end) of each sentence, in order, without the white space around it; together they hold every word."""
    cuts = sorted({*_cuts(text)} | {0, len(text)})
    spans = (_stripped(text, start, end) for start, end in pairwise(cuts))
    return [span for span in spans if span[0] < span[1]]


def _cuts(text: str) -> Iterator[int]:
    for match in _BOUNDARY.finditer(text):
        if match[0][0] != "." or not _is_shortened(text, match.start()):
            yield match.end()
    for heading in _HEADING.finditer(text):
        yield heading.end()


def _is_shortened(text: str, stop: int) -> bool:
    word = _LAST_WORD.search(text, max(0, stop - _LOOK_BACK), stop)
    return word is not None and (word[1].lower() in SHORTENED or (len(word[1]) == 1 and word[1].isupper()))


def _stripped(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())

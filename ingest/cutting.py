"""Cuts a stretch that is longer than a passage may be: between sentences, else lines, else words, else anywhere."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil

from ingest.outline import HEADING_CHARACTERS, Stretch, clipped
from ingest.sentence_breaks import line_starts, sentence_starts
from ingest.token_index import TokenIndex
from retrieval.model import BlockKind
from retrieval.ports import Tokenizer

# Some tokenizers call any word they do not know one token, a line of ten megabytes included.
CHARACTERS_PER_TOKEN = 12
LAST_BY_ROW = frozenset({BlockKind.TABLE, BlockKind.CODE})


class Cutter:
    """Cuts the stretches of one text."""

    def __init__(self, text: str, index: TokenIndex, tokenizer: Tokenizer, max_tokens: int) -> None:
        self._text = text
        self._index = index
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self.max_characters = CHARACTERS_PER_TOKEN * max_tokens

    def pieces(self, stretch: Stretch) -> Iterator[Stretch]:
        """The stretch in pieces of about equal length, none longer than the limit; the whole one where it fits."""
        if self._short_enough(stretch.start, stretch.end):
            yield stretch
            return
        places = self._places(stretch)
        continued = replace(stretch, path=(*stretch.path, *self._columns(stretch)))
        at, piece = stretch.start, stretch
        while at < stretch.end:
            end = stretch.end if self._short_enough(at, stretch.end) else self._cut(at, stretch.end, places)
            if self._text[at:end].strip():
                yield self._trimmed(piece, at, end)
                piece = continued
            at = end

    def _trimmed(self, piece: Stretch, at: int, end: int) -> Stretch:
        content = self._text[at:end]
        start = at + len(content) - len(content.lstrip())
        end = at + len(content.rstrip())
        splits = not (self._between_words(start) and self._between_words(end))
        return replace(piece, start=start, end=end, continues=content.lstrip()[0].islower(), splits_word=splits)

    def _short_enough(self, start: int, end: int) -> bool:
        if end - start > self.max_characters or self._index.count(start, end) > self._max_tokens:
            return False
        return (self._between_words(start) and self._between_words(end)) or self._truly_short(start, end)

    def _places(self, stretch: Stretch) -> tuple[Sequence[int], Sequence[int]]:
        sentences = sentence_starts(self._text, stretch.start, stretch.end)
        lines = line_starts(self._text, stretch.start, stretch.end)
        return (lines, sentences) if stretch.kind in LAST_BY_ROW else (sentences, lines)

    def _cut(self, at: int, end: int, places: Sequence[Sequence[int]]) -> int:
        tokens = self._index.count(at, end)
        share = ceil(tokens / ceil(tokens / self._max_tokens)) if tokens else 0
        wanted = min(self._index.reach(at, share), at + self.max_characters)
        limit = max(min(self._index.reach(at, self._max_tokens), at + self.max_characters, end), at + 1)
        cut = next((cut for candidates in places if (cut := _nearest(candidates, at, wanted, limit))), 0)
        cut = cut or self._last_space(at, limit)
        return cut if self._between_words(at) and self._between_words(cut) else self._shortened(at, cut)

    def _last_space(self, at: int, limit: int) -> int:
        """The last place between words up to the limit; the limit where there is none."""
        if self._between_words(limit):
            return limit
        space = max(self._text.rfind(space, at + 1, limit) for space in (" ", "\n", "\t"))
        return space if space > at else limit

    def _shortened(self, at: int, end: int) -> int:
        # Half a word can have more tokens than the whole one had.
        while end > at + 1 and not self._truly_short(at, end):
            end = at + max((end - at) * 3 // 4, 1)
        return end

    def _truly_short(self, start: int, end: int) -> bool:
        return len(self._tokenizer.offsets(self._text[start:end])) <= self._max_tokens

    def _between_words(self, at: int) -> bool:
        return at in (0, len(self._text)) or self._text[at - 1].isspace() or self._text[at].isspace()

    def _columns(self, stretch: Stretch) -> tuple[str, ...]:
        """The head of a table, for the rows that were cut off from it."""
        if stretch.kind is not BlockKind.TABLE:
            return ()
        head = self._text[stretch.start : stretch.end].split("\n", 1)[0].strip("| ")
        return (clipped(head, HEADING_CHARACTERS),) if head else ()


def _nearest(candidates: Sequence[int], at: int, wanted: int, limit: int) -> int:
    """The first candidate from `wanted` up to `limit`, else the last one before it in the second half; 0 if none."""
    n = bisect_left(candidates, wanted)
    if n < len(candidates) and candidates[n] <= limit:
        return candidates[n]
    n = bisect_right(candidates, limit) - 1
    return candidates[n] if n >= 0 and candidates[n] > at + (wanted - at) // 2 else 0

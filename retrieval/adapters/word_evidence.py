"""Tells English from Portuguese by function words and spelling: no model, no memory, 10 us a question.

With two languages to choose from this is as right as a general language identifier, which would cost every process
half a second at its start and 75 MB. The words and spellings are in `word_evidence.json` beside this file.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval.model import Language

_DATA = Path(__file__).with_name("word_evidence.json")
_WORD = re.compile(r"[^\W\d_]+")
_LONGEST = 4000
# A function word decides more than a spelling.
_WORD_WEIGHT = 2


@dataclass(frozen=True, slots=True)
class _Evidence:
    words: frozenset[str]
    endings: tuple[str, ...]
    inside: tuple[str, ...]

    def weight(self, word: str) -> int:
        """How much the word speaks for the language."""
        if word in self.words:
            return _WORD_WEIGHT
        return int(word.endswith(self.endings)) + int(any(part in word for part in self.inside))


class WordEvidenceDetector:
    """Port `LanguageDetector`. No evidence, or as much for both, means English."""

    def __init__(self) -> None:
        content = json.loads(_DATA.read_text(encoding="utf-8"))
        self._english, self._portuguese = _read(content["en"]), _read(content["pt"])

    def detect(self, text: str) -> Language:
        """The likelier language by the text's first 4,000 characters."""
        words = _WORD.findall(unicodedata.normalize("NFC", text[:_LONGEST]).lower())
        portuguese, english = (sum(map(side.weight, words)) for side in (self._portuguese, self._english))
        return "pt" if portuguese > english else "en"


def _read(entry: Mapping[str, list[str]]) -> _Evidence:
    words, endings, inside = (" ".join(entry[part]).split() for part in ("words", "endings", "inside"))
    return _Evidence(frozenset(words), tuple(endings), tuple(inside))

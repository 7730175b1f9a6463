"""Words as they are compared: folded, stemmed, without the ones that say nothing.

One light stemmer serves English and Portuguese at once, because a question, its passages and the answer may mix both.
It only has to conflate inflections; what it returns is never shown.
"""

import json
import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from retrieval.model import Language

_LISTS = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


def _listed(name: str) -> frozenset[str]:
    return frozenset(word for words in _LISTS[name].values() for word in words.split())


STOP: Final = _listed("stop")
# By language: `no` denies in English and says `in the` in Portuguese.
NEGATIONS: Final[dict[Language, frozenset[str]]] = {
    "en": frozenset(_LISTS["negation"]["en"].split()),
    "pt": frozenset(_LISTS["negation"]["pt"].split()),
}
_ANY_NEGATION: Final = _listed("negation")
NEGATIVE_IN_MEANING: Final = _listed("negative_in_meaning")
MONTHS: Final[dict[str, int]] = _LISTS["months"]
NUMBER_WORDS: Final[dict[str, int]] = _LISTS["numbers"]
SHORTENED: Final = frozenset(_LISTS["shortened"].split())  # end in a full stop without ending the sentence
SCALES: Final[dict[str, int]] = _LISTS["scales"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# Longest first; what is left must keep three letters.
_PLURALS = (
    ("coes", "cao"),
    ("oes", "ao"),
    ("aes", "ao"),
    ("ais", "al"),
    ("eis", "el"),
    ("il", "el"),
    ("ies", "y"),
    ("sses", "ss"),
)
_SUFFIXES = tuple(_LISTS["suffixes"].split())
_LAST_VOWELS = "aeoy"


class Word(NamedTuple):
    """A word of a text: `text[start:end]`, folded and stemmed. A tuple, because there are thousands in an answer."""

    folded: str
    stem: str
    start: int
    end: int

    @property
    def says_something(self) -> bool:
        """Whether it is a content word: neither a stop word nor a negation."""
        return self.folded not in STOP and self.folded not in _ANY_NEGATION


@lru_cache(maxsize=65_536)
def fold(word: str) -> str:
    """Lower case without accents, possessive or contracted endings."""
    bare = word.casefold()
    for apostrophe in "'’":
        head, mark, tail = bare.partition(apostrophe)
        if mark:
            bare = "not" if tail == "t" else head
    if bare.isascii():
        return bare
    return "".join(letter for letter in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(letter))


@lru_cache(maxsize=65_536)
def stem(folded: str) -> str:
    """The word without inflection, roughly; words of up to three letters and those with digits stay as they are."""
    if len(folded) <= 3 or not folded.isalpha():
        return folded
    return _without_last_vowel(_without_suffix(_singular(folded)))


def words(text: str) -> list[Word]:
    """Every word of the text, in order."""
    return [_word(match[0], match.start(), match.end()) for match in _WORD.finditer(text)]


def content(text: str) -> list[Word]:
    """The words that say something, in order."""
    return [word for word in words(text) if word.says_something]


def content_stems(text: str) -> frozenset[str]:
    """The stems of the words that say something."""
    return frozenset(word.stem for word in words(text) if word.says_something)


def _word(raw: str, start: int, end: int) -> Word:
    folded = fold(raw)
    return Word(folded, stem(folded), start, end)


def _singular(word: str) -> str:
    for plural, singular in _PLURALS:
        if word.endswith(plural) and len(word) > len(plural) + 1:
            return word[: -len(plural)] + singular
    if word.endswith("ns") and len(word) > 5:
        return word[:-2] + "m"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _without_suffix(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)]
    return word


def _without_last_vowel(word: str) -> str:
    word = word[:-1] if len(word) > 3 and word[-1] in _LAST_VOWELS else word
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word

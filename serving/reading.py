"""A passage read once: its sentences and the words in them, for the gate, the check and the extractive model alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.model import Language, Passage
from serving.sentences import Span, sentences
from serving.words import Word, content_stems, words


@dataclass(frozen=True, slots=True)
class Sentence:
    """`passage.chunk.text[start:end]` and what it says."""

    start: int
    end: int
    words: tuple[Word, ...]
    stems: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """Passage `n` of a prompt (from 1), read. `context` are the stems of title and section."""

    n: int
    passage: Passage
    sentences: tuple[Sentence, ...]
    context: frozenset[str]

    @property
    def text(self) -> str:
        """The words that may be cited."""
        return self.passage.chunk.text

    @property
    def language(self) -> Language:
        """The language that the passage is in."""
        return self.passage.chunk.language

    @property
    def stems(self) -> frozenset[str]:
        """Every stem of the passage, title and section included."""
        return self.context.union(*(sentence.stems for sentence in self.sentences))

    def window(self, n: int, *, reach: int = 1) -> frozenset[str]:
        """The stems of sentence `n` (from 0), its neighbours, title and section."""
        near = self.sentences[max(0, n - reach) : n + reach + 1]
        return self.context.union(*(sentence.stems for sentence in near))


def read(passages: Sequence[Passage], *, first: int = 1) -> tuple[Reading, ...]:
    """Every passage, numbered from `first` in the order given."""
    return tuple(_read(n, passage) for n, passage in enumerate(passages, first))


def _read(n: int, passage: Passage) -> Reading:
    text = passage.chunk.text
    found = tuple(_sentence(text, span) for span in sentences(text))
    return Reading(n, passage, found, content_stems(passage.chunk.context))


def _sentence(text: str, span: Span) -> Sentence:
    start, end = span
    said = tuple(words(text[start:end]))
    return Sentence(start, end, said, frozenset(word.stem for word in said if word.says_something))

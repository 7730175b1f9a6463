"""The refusal gate: whether the passages can hold the answer at all, asked before any model writes a word.

Outside the model on purpose: asked in words, a small model says yes to 59 to 97 % of the questions that its passages
do not answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from retrieval.model import Language
from serving.citing import Place
from serving.figures import Figures, figures, joined
from serving.grounding import names
from serving.reading import Reading
from serving.words import content_stems

# Smaller numbers are often the asker's own ("I have 3 children"); years, amounts and codes must be in the documents.
LEAST_NUMBER = Decimal(100)
NEAREST = 3
# As many as the weights were fitted on.
GATE_PASSAGES = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's content stems, in each language that is needed, and the figures that the evidence must hold."""

    language: Language
    stems: Mapping[Language, frozenset[str]]
    names: tuple[frozenset[str], ...]  # the same names in each language
    figures: Figures

    def stems_in(self, language: Language) -> frozenset[str]:
        """The stems for passages of that language; untranslated if there is no translation."""
        return self.stems.get(language) or self.stems[self.language]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the gate saw: best cosine (0 where the store gave none), covered share of key terms, figures and names.

    `portuguese`: the best passage is; `crossing`: it is in another language than the question. Both shift the measures.
    """

    score: float
    coverage: float
    figures_present: bool
    names_present: bool = True
    crossing: bool = False
    portuguese: bool = False

    @property
    def features(self) -> dict[str, float]:
        """As the confidence takes them."""
        return {
            "score": self.score,
            "coverage": self.coverage,
            "names": float(self.names_present),
            "crossing": float(self.crossing),
            "portuguese": float(self.portuguese),
        }


def asked(question: str, translations: Mapping[Language, str], language: Language) -> Asked:
    """Read a question."""
    texts = {language: question, **translations}
    stems = {name: content_stems(text) for name, text in texts.items()}
    return Asked(language, stems, tuple(map(names, texts.values())), _required(figures(question, with_words=False)))


def outlook(question: Asked, readings: Sequence[Reading]) -> Outlook:
    """How well the first passages fit the question; figures and names may stand in any of them."""
    first = readings[:GATE_PASSAGES]
    covered = [(_coverage(question, reading), -reading.n, reading.language) for reading in first]
    coverage, _, language = max(covered, default=(0.0, 0, question.language))
    crossing = language != question.language
    return Outlook(
        score=max((reading.passage.dense_score for reading in first), default=0.0),
        coverage=coverage,
        figures_present=_present(question.figures, readings),
        # Names are translated unreliably, so across languages their absence says nothing.
        names_present=crossing or any(wanted <= _all_stems(readings) for wanted in question.names),
        crossing=crossing,
        portuguese=language == "pt",
    )


def near(question: Asked, reading: Reading, sentence: int) -> float:
    """Share of the question's stems in a sentence, averaged with the share in it, its neighbours, title and section."""
    stems = question.stems_in(reading.language)
    return (_share(stems, reading.sentences[sentence].stems) + _share(stems, reading.window(sentence))) / 2


def covered_by(question: Asked, places: Iterable[Place]) -> float:
    """The greatest share of the question's stems that stands around one of the places."""
    return max((near(question, place.reading, place.sentence) for place in places), default=0.0)


def nearest(question: Asked, readings: Sequence[Reading]) -> list[Place]:
    """The sentence that is nearest to the question in each of the three passages that are nearest to it."""
    best = [(near(question, reading, n), -reading.n, -n) for reading in readings for n in range(len(reading.sentences))]
    by_reading = {-n: (share, -sentence) for share, n, sentence in sorted(best)}
    chosen = sorted(by_reading.items(), key=lambda item: (-item[1][0], item[0]))[:NEAREST]
    places = ((readings[n - 1], sentence) for n, (_, sentence) in chosen)
    return [
        Place(reading, sentence, reading.sentences[sentence].start, reading.sentences[sentence].end)
        for reading, sentence in places
    ]


def _coverage(question: Asked, reading: Reading) -> float:
    return max((near(question, reading, n) for n in range(len(reading.sentences))), default=0.0)


def _all_stems(readings: Sequence[Reading]) -> frozenset[str]:
    return frozenset().union(*(reading.stems | content_stems(reading.passage.uri) for reading in readings))


def _share(stems: frozenset[str], of: frozenset[str]) -> float:
    return len(stems & of) / len(stems) if stems else 0.0


def _required(said: Figures) -> Figures:
    numbers = tuple(values for values in said.numbers if max(values) >= LEAST_NUMBER)
    return Figures(numbers, said.days, frozenset(), said.identifiers)


def _present(required: Figures, readings: Sequence[Reading]) -> bool:
    if required == Figures():
        return True
    texts = (
        text for reading in readings for text in (reading.text, reading.passage.chunk.context, reading.passage.uri)
    )
    return not required.missing_from(joined(map(figures, texts)))

"""Finds the smallest words that support a claim, and proves that they stand in the stored text.

A citation is version, character span and the quoted words. It is made in one place only, `cite()`, and only when the
stored text holds exactly those words at exactly that place.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from retrieval.model import Language, Page, ParsedDocument
from serving.model import Citation
from serving.reading import Reading, Sentence

MOST_PLACES = 3
# A further sentence must add this share of the claim's words to be cited too.
LEAST_GAIN = 0.12
# Passages that the model did not name win over those it named only when they are clearly better.
ADVANTAGE = 0.15
LONG_SENTENCE = 240
_CLAUSE_ENDS = ";:,.\n()|"


@dataclass(frozen=True, slots=True)
class Place:
    """`reading.text[start:end]`, part of sentence number `sentence` (from 0) of that passage."""

    reading: Reading
    sentence: int
    start: int
    end: int

    @property
    def text(self) -> str:
        """The words at this place."""
        return self.reading.text[self.start : self.end]

    @property
    def sentence_text(self) -> str:
        """The whole sentences that the place is in."""
        found = self.reading.sentences
        end = next((one.end for one in found[self.sentence :] if one.end >= self.end), self.end)
        return self.reading.text[found[self.sentence].start : end]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where a claim's words stand, and the share of them (0 to 1) that stand there."""

    places: tuple[Place, ...] = ()
    support: float = 0.0


def align(
    claim: Mapping[Language, frozenset[str]], readings: Sequence[Reading], cited: Iterable[int] = ()
) -> Alignment:
    """The few sentences that hold most of a claim's stems, of which there is one set for each language of the passages.

    Passages that the claim cites are preferred, but a wrong number does not matter when the words stand elsewhere.
    """
    named = set(cited)
    in_named = _best(claim, [reading for reading in readings if reading.n in named])
    anywhere = _best(claim, readings)
    return in_named if in_named.support + ADVANTAGE >= anywhere.support and in_named.places else anywhere


def cite(place: Place, stored: ParsedDocument, n: int = 0) -> Citation | None:
    """Citation of the place, numbered `n`, if the stored text holds these very words there; else None."""
    chunk = place.reading.passage.chunk
    start, end = chunk.start + place.start, chunk.start + place.end
    if not place.text or stored.text[start:end] != place.text:
        return None
    return Citation(
        n=n,
        document_id=chunk.document_id,
        version=chunk.version,
        title=chunk.title,
        uri=place.reading.passage.uri,
        page=_page(stored.pages, start, chunk.page_first),
        start=start,
        end=end,
        quote=place.text,
    )


def _best(claim: Mapping[Language, frozenset[str]], readings: Sequence[Reading]) -> Alignment:
    by_language = (
        _greedy(stems, [reading for reading in readings if reading.language == language])
        for language, stems in claim.items()
    )
    return max(by_language, key=lambda alignment: alignment.support, default=Alignment())


def _greedy(stems: frozenset[str], readings: Sequence[Reading]) -> Alignment:
    """Take the sentence that holds most, then what adds most to it; of equals the shorter, then the earlier."""
    whole = _weight(stems)
    left, chosen = stems, list[tuple[Reading, int]]()
    while left and len(chosen) < MOST_PLACES:
        gain, _, _, reading, n = max(_candidates(left, readings), default=(0.0, 0, 0, None, 0), key=_rank)
        if reading is None or gain < LEAST_GAIN * whole:
            break
        chosen.append((reading, n))
        left -= reading.sentences[n].stems
    covered = whole - _weight(left)
    places = sorted((_narrowed(reading, n, stems) for reading, n in chosen), key=lambda p: (p.reading.n, p.start))
    return Alignment(tuple(_merged(places)), covered / whole if whole else 0.0)


_Candidate = tuple[float, int, int, Reading | None, int]


def _rank(candidate: _Candidate) -> tuple[float, int, int]:
    return candidate[:3]


def _candidates(left: frozenset[str], readings: Sequence[Reading]) -> Iterator[_Candidate]:
    for reading in readings:
        for n, sentence in enumerate(reading.sentences):
            gain = _weight(left & sentence.stems)
            if gain:
                yield gain, -len(sentence.words), -reading.n, reading, n


def _weight(stems: frozenset[str]) -> float:
    """Figures count twice: a claim with another number is another claim."""
    return float(sum(2 if any(letter.isdigit() for letter in stem) else 1 for stem in stems))


def _narrowed(reading: Reading, n: int, stems: frozenset[str]) -> Place:
    """The sentence; of a long one the clauses from the first to the last word that counts."""
    sentence = reading.sentences[n]
    if sentence.end - sentence.start <= LONG_SENTENCE:
        return Place(reading, n, sentence.start, sentence.end)
    start, end = _clauses(reading.text, sentence, stems)
    return Place(reading, n, start, end)


def _clauses(text: str, sentence: Sentence, stems: frozenset[str]) -> tuple[int, int]:
    hits = [word for word in sentence.words if word.stem in stems]
    first, last = sentence.start + hits[0].start, sentence.start + hits[-1].end
    start = max((text.rfind(mark, sentence.start, first) + 1 for mark in _CLAUSE_ENDS), default=0)
    start = max(start, sentence.start)
    ends = [place for place in (text.find(mark, last, sentence.end) for mark in _CLAUSE_ENDS) if place >= 0]
    piece = text[start : min(ends, default=sentence.end)]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _merged(places: Sequence[Place]) -> Iterator[Place]:
    """Neighbouring sentences of one passage become one place."""
    held: Place | None = None
    for place in places:
        if held and held.reading is place.reading and not held.reading.text[held.end : place.start].strip():
            held = Place(held.reading, held.sentence, held.start, max(held.end, place.end))
            continue
        if held:
            yield held
        held = place
    if held:
        yield held


def _page(pages: Sequence[Page], start: int, otherwise: int | None) -> int | None:
    return next((page.n for page in pages if page.start <= start < page.end), otherwise)

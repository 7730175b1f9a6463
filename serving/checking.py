"""Checks a draft against the passages and the stored text: what of it may be said, with which citations.

A claim stands when enough of its words stand in a few sentences, when it breaks no hard rule, and when the stored text
of the version, asked for again under the reader's own rights, holds every quoted word. All else is taken out, and
listed.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

from retrieval.access import Principal
from retrieval.errors import NotFound, TemporaryFailure
from retrieval.model import Language, ParsedDocument
from retrieval.ports import Translator
from serving.citing import Alignment, Place, align, cite
from serving.claims import DraftedClaim, ParsedDraft
from serving.grounding import broken_rule
from serving.model import Citation, Claim
from serving.ports import EvidenceFinder
from serving.reading import Reading
from serving.words import content_stems

LEAST_SUPPORT = 0.5


@dataclass(frozen=True, slots=True)
class Supported:
    """A claim that stands: as drafted, as it is shown, with its citations and where in the passages they are."""

    drafted: DraftedClaim
    claim: Claim
    citations: tuple[Citation, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The claims that stand, in order, and the sentences that do not."""

    supported: tuple[Supported, ...] = ()
    unsupported: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The answer: the claims that stand, each followed by its markers."""
        pieces = (
            f"{one.drafted.lead}{one.drafted.text} {''.join(f'[{n}]' for n in one.claim.citations)}"
            for one in self.supported
        )
        return "".join(pieces).strip()

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every citation once, by number."""
        known = {citation.n: citation for one in self.supported for citation in one.citations}
        return tuple(known[n] for n in sorted(known))

    @property
    def support(self) -> float:
        """Mean support of the claims that stand, 0 if none does."""
        return sum(one.claim.support for one in self.supported) / max(1, len(self.supported))

    @property
    def kept(self) -> float:
        """The share of the draft's sentences that stand."""
        whole = len(self.supported) + len(self.unsupported)
        return len(self.supported) / whole if whole else 0.0


@dataclass(slots=True)
class Check:
    """The check of one draft for one reader: holds the texts already fetched and the citations already numbered."""

    library: EvidenceFinder
    reader: Principal
    readings: Sequence[Reading]
    language: Language
    translator: Translator | None = None
    least_support: float = LEAST_SUPPORT
    _texts: dict[tuple[UUID, str], ParsedDocument | None] = field(default_factory=dict)
    _numbers: dict[tuple[UUID, str, int, int], int] = field(default_factory=dict)

    async def draft(self, parsed: ParsedDraft) -> Verdict:
        """Check every claim. Raises what the library raises, but for NotFound: then the claim does not stand."""
        supported: list[Supported] = []
        unsupported: list[str] = []
        for drafted in parsed.claims:
            one = None if drafted.is_refusal else await self.claim(drafted)
            if one is None:
                unsupported.append(drafted.text)
            else:
                supported.append(one)
        return Verdict(tuple(supported), (*unsupported, *parsed.left_over))

    async def claim(self, drafted: DraftedClaim) -> Supported | None:
        """The claim with its verified citations; None if it does not stand."""
        alignment = self._aligned(drafted, dict.fromkeys(self._languages, drafted.text))
        if alignment is None and self.translator is not None and len(self._languages | {self.language}) > 1:
            alignment = self._aligned(drafted, await self._translations(drafted.text, self.translator))
        citations = await self.cited(alignment.places) if alignment else None
        if alignment is None or citations is None:
            return None
        numbers = tuple(dict.fromkeys(citation.n for citation in citations))
        return Supported(drafted, Claim(drafted.text, alignment.support, numbers), citations, alignment.places)

    async def cited(self, places: Sequence[Place]) -> tuple[Citation, ...] | None:
        """Numbered citations of all the places, or None if one of them is not in the stored text."""
        found = []
        for place in places:
            stored = await self._stored(place)
            citation = cite(place, stored) if stored else None
            if citation is None:
                return None
            found.append(citation)
        return tuple(replace(citation, n=self._number(citation)) for citation in found) or None

    @property
    def _languages(self) -> frozenset[Language]:
        return frozenset(reading.language for reading in self.readings)

    def _aligned(self, drafted: DraftedClaim, wordings: Mapping[Language, str]) -> Alignment | None:
        stems = {language: content_stems(text) for language, text in sorted(wordings.items())}
        alignment = align(stems, self.readings, drafted.cited)
        if alignment.support < self.least_support:
            return None
        language = alignment.places[0].reading.language
        quotes = [place.sentence_text for place in alignment.places]
        around = [
            part for place in alignment.places for part in (place.reading.text, place.reading.passage.chunk.context)
        ]
        return alignment if broken_rule(wordings[language], quotes, around, language=language) is None else None

    async def _translations(self, text: str, translator: Translator) -> dict[Language, str]:
        """The claim in each language that passages are in; as it is where the translator fails."""
        wordings: dict[Language, str] = {}
        for language in self._languages:
            wordings[language] = text
            if language != self.language:
                with suppress(TemporaryFailure):
                    wordings[language] = await translator.translate(text, self.language, language)
        return wordings

    async def _stored(self, place: Place) -> ParsedDocument | None:
        chunk = place.reading.passage.chunk
        key = (chunk.document_id, chunk.version)
        if key not in self._texts:
            try:
                self._texts[key] = await self.library.parsed(*key, reader=self.reader)
            except NotFound:
                self._texts[key] = None
        return self._texts[key]

    def _number(self, citation: Citation) -> int:
        key = (citation.document_id, citation.version, citation.start, citation.end)
        return self._numbers.setdefault(key, len(self._numbers) + 1)

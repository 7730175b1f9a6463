"""Takes a model's draft apart into claims with the passage numbers they name.

Small models write no markers, wrong numbers, the same sentence again and again, or refuse in a sentence of their own.
Nothing here raises, and nothing is dropped: what cannot be used stays visible to the check.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from serving.sentences import Span, sentences
from serving.words import content_stems, fold

MOST_CLAIMS: Final = 24

_NUMBERS = r"\d{1,3}(?:\s*(?:[-–,;&]|and|e)\s*(?:\w+\s+)?\d{1,3})*"
_MARKER = re.compile(
    rf"[\[【]\s*(?:\^|#)?(?:passages?|passagens|passagem|trechos?|sources?|fontes?|doc\w*)?\s*(?:n\.?º)?\s*({_NUMBERS})\s*[\]】]",
    re.IGNORECASE,
)
_RANGE = re.compile(r"(\d{1,3})\s*[-–]\s*(\d{1,3})")
_BULLET = re.compile(r"^\s*(?:[-*•‣–]|\d{1,2}[.)])\s+")
_EMPHASIS = re.compile(r"\*\*|__|^\s*```\w*\s*$|`+")
_TERMINATORS = tuple(".!?…:;\"'”’»)]|")
_SAYING = r"(?:say|mention|stat|specif|provid|contain|includ|answer|giv|address|tell|indicat|describ|offer|list)"
_DIZER = r"(?:diz|mencion|consta|especific|conte|inform|fornec|respond|indic|refer|esclarec|trat)"
# These refuse whatever they cite ...
_REFUSES = re.compile(
    rf"\b(?:documents?|passages?|text|context|information|sources?)\b[^.]{{0,40}}\b(?:not|n't|nt)\b[^.]{{0,20}}\b{_SAYING}"
    r"|\bno (?:\w+ )?(?:information|mention|answer|details?)\b"
    r"|\b(?:i|we) (?:\w+ ){0,2}?(?:not|cannot|unable to) (?:\w+ )?(?:know|find|answer|determine|see|tell)\b"
    r"|\bunable to (?:answer|find|determine)\b|\bnot_?in_?(?:the_?)?documents?\b"
    rf"|\b(?:documentos?|trechos?|passagens|passagem|texto|contexto|fontes?|informac\w+)\b[^.]{{0,30}}\bnao\b[^.]{{0,20}}\b{_DIZER}"
    r"|\bnao (?:ha|encontr\w+|existem?|consta\w*|tenho) (?:\w+ )?(?:informac\w+|menc\w+|resposta)"
    r"|\bnao (?:sei|posso responder|consigo responder|e possivel (?:responder|determinar|saber))\b"
    r"|\bsem informac\w+\b|\bnenhuma (?:informacao|mencao|resposta)\b"
)
# ... and these only without a citation: `lunch is not provided [1]` is an answer.
_MAY_REFUSE = re.compile(
    r"\bnot (?:\w+ ){0,2}(?:mentioned|stated|specified|provided|included|found|available)\b"
    r"|\bnao (?:\w+ ){0,2}(?:consta\w*|mencionad\w+|encontr\w+|especificad\w+|informad\w+|fornecid\w+|dispon\w+)\b"
)
_LONGEST_REFUSAL = 300


@dataclass(frozen=True, slots=True)
class DraftedClaim:
    """A sentence of the draft without its markers; `cited` are the numbers it named that exist, in order."""

    text: str
    cited: tuple[int, ...] = ()
    lead: str = ""  # what stands before it when the answer is put together: a space, a line break, a bullet

    @property
    def is_refusal(self) -> bool:
        """Whether it says that there is no answer."""
        plain = " ".join(map(fold, self.text.split()))
        if len(plain) > _LONGEST_REFUSAL:
            return False
        return bool(_REFUSES.search(plain) or (not self.cited and _MAY_REFUSE.search(plain)))


@dataclass(frozen=True, slots=True)
class ParsedDraft:
    """The claims of a draft, and what of it is no claim (cut off, repeated too often, beyond the limit)."""

    claims: tuple[DraftedClaim, ...] = ()
    left_over: tuple[str, ...] = ()

    @property
    def is_refusal(self) -> bool:
        """Whether the model says in words that it has no answer: empty drafts, and those that begin by refusing."""
        said = [claim for claim in self.claims if content_stems(claim.text)]
        return not said or said[0].is_refusal


def parse(text: str, passages: int, *, cut_off: bool = False) -> ParsedDraft:
    """The claims of a draft over `passages` numbered passages; `cut_off` when the model had to stop in mid-sentence."""
    claims: dict[str, DraftedClaim] = {}
    left_over: list[str] = []
    drafted = [claim for line in text.splitlines() for claim in _of_line(_EMPHASIS.sub("", line), passages)]
    if cut_off and drafted and not drafted[-1].text.endswith(_TERMINATORS):
        left_over.append(drafted.pop().text)
    for claim in drafted:
        key = " ".join(map(fold, claim.text.split()))
        if key in claims:
            continue
        if len(claims) < MOST_CLAIMS:
            claims[key] = claim
        else:
            left_over.append(claim.text)
    return ParsedDraft(tuple(claims.values()), tuple(left_over))


def _of_line(line: str, passages: int) -> Iterator[DraftedClaim]:
    bullet = _BULLET.match(line)
    clean, markers = _without_markers(line[bullet.end() :] if bullet else line)
    lead = f"\n{bullet[0].strip()} " if bullet else "\n"
    spans = sentences(clean)
    for n, (start, end) in enumerate(spans):
        cited = [number for place, numbers in markers if _belongs(place, n, spans) for number in numbers]
        known = tuple(dict.fromkeys(number for number in cited if 1 <= number <= passages))
        yield DraftedClaim(clean[start:end], known, lead)
        lead = " "


def _belongs(place: int, n: int, spans: list[Span]) -> bool:
    """A marker belongs to the sentence that it ends or stands in; one before the first sentence belongs to that."""
    begins = n == 0 or place > spans[n][0]
    ends = n + 1 == len(spans) or place <= spans[n + 1][0]
    return begins and ends


def _without_markers(line: str) -> tuple[str, list[tuple[int, tuple[int, ...]]]]:
    """The line without markers, and where in it each one stood."""
    clean, end = "", 0
    markers: list[tuple[int, tuple[int, ...]]] = []
    for match in _MARKER.finditer(line):
        clean += line[end : match.start()].rstrip()
        markers.append((len(clean), tuple(_numbers(match[1]))))
        end = match.end()
    return clean + line[end:], markers


def _numbers(listed: str) -> Iterator[int]:
    spans = [match.span() for match in _RANGE.finditer(listed)]
    for match in _RANGE.finditer(listed):
        yield from range(int(match[1]), min(int(match[2]), int(match[1]) + MOST_CLAIMS) + 1)
    for match in re.finditer(r"\d{1,3}", listed):
        if not any(start <= match.start() < end for start, end in spans):
            yield int(match[0])

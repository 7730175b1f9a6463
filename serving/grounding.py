"""Hard rules: what no share of matching words can make good.

Measured on claim checking, overlap of words alone has an AUROC of about .7: it does not see that one number, one name
or one `not` is another. So a claim whose figures, names or negations are not in its evidence is not supported, however
well the rest matches. The rules err towards removing a claim.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

from retrieval.model import Language
from serving.figures import figures, joined
from serving.words import NEGATIONS, NEGATIVE_IN_MEANING, STOP, Word, content_stems, fold, words

_NAME = re.compile(r"[^\W\d_][\w'’-]*")
_CLAUSES = re.compile(r"[,;:.!?()\n]")
# A negation reaches this many words that say something: `may not carry over unused days`.
REACH = 3
ACRONYM = 2


class Rule(StrEnum):
    """What a claim broke."""

    FIGURES = "figures"
    NAMES = "names"
    NEGATION = "negation"


def broken_rule(
    claim: str, quotes: Iterable[str], surroundings: Iterable[str] = (), *, language: Language
) -> Rule | None:
    """The first rule that the claim breaks against the quoted sentences, in their language; None if it breaks none.

    Names may also stand in the `surroundings` (the whole passages, titles, sections): sentences say "the office"
    where a heading has said which.
    """
    evidence = list(quotes)
    around = [*evidence, *surroundings]
    if figures(claim).missing_from(joined(figures(text) for text in evidence)):
        return Rule.FIGURES
    wanted = names(claim)
    if wanted and not wanted <= _all_stems(around):
        return Rule.NAMES
    return Rule.NEGATION if _negated_otherwise(claim, evidence, NEGATIONS[language]) else None


def names(text: str) -> frozenset[str]:
    """Stems of the capitalised words that are not capitalised only because they begin the sentence."""
    return frozenset(stem for word in _capitalised(text) for stem in content_stems(word))


def _capitalised(text: str) -> Iterator[str]:
    found = list(_NAME.finditer(text))
    for n, match in enumerate(found):
        word = match[0]
        if not word[0].isupper() or fold(word) in STOP:
            continue
        is_first = n == 0 or text[: match.start()].rstrip()[-1:] in ".!?:"
        followed = (
            n + 1 < len(found) and found[n + 1][0][0].isupper() and text[match.end() : found[n + 1].start()] == " "
        )
        if not is_first or followed or (len(word) >= ACRONYM and word.isupper()):
            yield word


def _all_stems(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word.stem for text in texts for word in words(text))


def _negated_otherwise(claim: str, evidence: list[str], cues: frozenset[str]) -> bool:
    """Whether the claim denies what the evidence says, or says what the evidence denies."""
    said = words(claim)
    quoted = [word for text in evidence for word in words(text)]
    if _has(said, cues) and not _has(quoted, cues | NEGATIVE_IN_MEANING):
        return True
    refuted = frozenset(stem for text in evidence for stem in negated_stems(text, cues))
    affirmed = frozenset(word.stem for word in quoted) - refuted
    disputed = frozenset(word.stem for word in said if word.says_something) & refuted - affirmed
    return bool(disputed) and not _has(said, cues | NEGATIVE_IN_MEANING)


def negated_stems(text: str, cues: frozenset[str]) -> frozenset[str]:
    """The stems that a negation reaches within its clause."""
    return frozenset(stem for clause in _CLAUSES.split(text) for stem in _reached(words(clause), cues))


def _reached(clause: list[Word], cues: frozenset[str]) -> Iterator[str]:
    left = 0
    for word in clause:
        if word.folded in cues:
            left = REACH
        elif word.says_something and left:
            left -= 1
            yield word.stem


def _has(said: list[Word], cues: frozenset[str]) -> bool:
    return any(word.folded in cues for word in said)

"""Answers without a model: the sentences of the passages that fit the question best, word for word.

It cannot put anything into other words, so it cannot invent anything either. It is the mode of machines too small for
a model, and what is left when a model is down.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass

from serving.figures import Figures, figures
from serving.gate import Asked, asked, near
from serving.model import Delta, DraftEnd, Prompt, TextDelta
from serving.reading import Reading, read
from serving.words import fold

MOST_SENTENCES = 2
# A second sentence must fit nearly as well as the first.
NEARLY = 0.9
LEAST_WORDS = 4
LONGEST = 600
# Set by hand on the development questions of `tests/evaluation`: rank decides between sentences that fit alike.
RANK_WEIGHT, SCORE_WEIGHT, FIGURE_WEIGHT, POSITION_WEIGHT = 0.25, 0.4, 0.15, 0.05
# Headings and page headers share the question's words and say nothing.
HEADING_WEIGHT = 0.2
_ENDS = tuple(".!?;:|\"'”’»)")

_ASKS_FOR_FIGURE = re.compile(
    r"\b(?:how (?:many|much|long|often|old|far|big|large|high|tall|late|early)|when|quant[oa]s?|quando"
    r"|what (?:time|date|year|day|price|percentage)"
    r"|que (?:horas?|dia|data|ano|preco|percentagem|porcentagem|valor)"
    r"|(?:qual|quais) \w+ (?:prazo|valor|preco|data|horario|limite|taxa|percentagem|porcentagem|duracao|idade|numero))"
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    fit: float
    reading: Reading
    sentence: int

    @property
    def text(self) -> str:
        """The sentence with its white space evened out; overlong ones are cut at a word."""
        found = self.reading.sentences[self.sentence]
        plain = " ".join(self.reading.text[found.start : found.end].split()).lstrip("#-*•‣ ")
        return plain if len(plain) <= LONGEST else plain[:LONGEST].rsplit(" ", 1)[0]


class ExtractiveModel:
    """Port `ChatModel`: quotes at most two sentences, each with the number of its passage."""

    name = "extractive"
    context_tokens = 1_000_000

    async def draft(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        """The best sentences; nothing but the end when no sentence shares a word with the question."""
        for text in await asyncio.to_thread(lambda: [*_answer(prompt)]):
            yield TextDelta(text)
        yield DraftEnd()

    async def check(self) -> None:
        """There is nothing that could fail."""

    async def close(self) -> None:
        """There is nothing to let go of."""


def _answer(prompt: Prompt) -> Iterator[str]:
    question = asked(prompt.question, prompt.translations, prompt.language)
    wants_figure = _ASKS_FOR_FIGURE.search(" ".join(map(fold, prompt.question.split()))) is not None
    ranked = sorted(_candidates(question, read(prompt.passages), wants_figure), key=lambda one: -one.fit)
    said: list[str] = []
    for candidate in _chosen(ranked):
        if candidate.text not in said:
            yield f"{' ' if said else ''}{candidate.text} [{candidate.reading.n}]"
            said.append(candidate.text)


def _chosen(ranked: Sequence[_Candidate]) -> Sequence[_Candidate]:
    """The best sentence, and the next if it is from the same passage and nearly as good; in the order of the text."""
    best = ranked[:1]
    more = [one for one in ranked[1:] if one.reading is best[0].reading and one.fit >= NEARLY * best[0].fit]
    return sorted([*best, *more][:MOST_SENTENCES], key=lambda one: one.sentence)


def _candidates(question: Asked, readings: Sequence[Reading], wants_figure: bool) -> Iterator[_Candidate]:
    best_score = max((reading.passage.score for reading in readings), default=0.0) or 1.0
    for reading in readings:
        prior = SCORE_WEIGHT * max(0.0, reading.passage.score / best_score) + RANK_WEIGHT / reading.n
        for n, sentence in enumerate(reading.sentences):
            fit = near(question, reading, n)
            if not fit or len(sentence.words) < LEAST_WORDS:
                continue
            text = reading.text[sentence.start : sentence.end]
            if text.endswith("?") or text.startswith("#"):
                continue
            fit += prior + FIGURE_WEIGHT * (wants_figure and figures(text) != Figures())
            fit -= POSITION_WEIGHT * min(n, 5) / 5 + HEADING_WEIGHT * (not text.endswith(_ENDS))
            yield _Candidate(fit, reading, n)

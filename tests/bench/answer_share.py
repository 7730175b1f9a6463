"""How long our own share of an answer takes: everything but the search and the model.

    python tests/bench/answer_share.py [--answers N] [--json FILE]

A scripted model and a library in memory stand for both: ten passages of 1,500 characters, each of a document of
200,000, questions and drafts of ordinary length; the library's and the model's own time is taken off. The bar is that
of a quiet machine.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import structlog

from retrieval.access import EVERYONE, Access, LabelScale, Principal
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.model import Chunk, Evidence, ParsedDocument, Passage, SearchFilters, chunk_id, document_id
from serving.adapters.extractive import ExtractiveModel
from serving.adapters.scripted import ScriptedModel
from serving.answering import Answering, AnsweringSettings
from serving.model import Question
from serving.prompts import Room, compose

BAR_MS, EXTRACTIVE_BAR_MS = 15.0, 150.0
PASSAGES, LENGTH, DOCUMENT = 10, 1_500, 200_000
SCALE = LabelScale()
ACCESS = Access("main", frozenset({EVERYONE}), SCALE.label("internal"))
READER = Principal("main", "ana", frozenset(), SCALE.label("internal"))
VOCABULARY = """
annual leave days employees office travel policy train meal allowance receipts manager contract notice
period salary bonus meeting room laptop security password customer invoice payment delivery warranty
service support training holiday weekend overtime project budget expense approval form request deadline
report the of and in for
"""
WORDS = VOCABULARY.split()


@dataclass
class Stock:
    """The library: what it takes itself is counted, to be taken off."""

    texts: dict[UUID, str] = field(default_factory=dict)
    passages: tuple[Passage, ...] = ()
    spent: float = 0.0

    async def evidence(self, question: str, *, reader: Principal, filters: SearchFilters, limit: int) -> Evidence:
        """The same ten passages for every question."""
        return Evidence(self.passages[:limit])

    async def parsed(self, document: UUID, version: str | None, *, reader: Principal) -> ParsedDocument:
        """The stored text."""
        return ParsedDocument(self.texts[document], "text/plain")


def prose(chance: random.Random, length: int) -> str:
    """Sentences of 8 to 20 words, some with a number."""
    text = ""
    while len(text) < length:
        said = [chance.choice(WORDS) for _ in range(chance.randint(8, 20))]
        said[3] = str(chance.randint(2, 900))
        text += " ".join(said).capitalize() + ". "
    return text[:length]


def stock(chance: random.Random) -> Stock:
    """Ten documents and a passage in the middle of each."""
    made = Stock()
    passages = []
    for n in range(PASSAGES):
        document = document_id("main", "bench", str(n))
        text = made.texts[document] = prose(chance, DOCUMENT)
        start = DOCUMENT // 2
        chunk = Chunk(
            chunk_id(document, "v", n),
            document,
            "v",
            n,
            start,
            start + LENGTH,
            text[start : start + LENGTH],
            "Handbook",
            ("Part",),
        )
        passages.append(Passage(chunk, f"{n}.md", "bench", ACCESS, 1 - n / 20, 0.9 - n / 200))
    made.passages = tuple(passages)
    return made


def sentence_of(held: Stock, n: int) -> str:
    """A whole sentence of passage n, as a model would repeat it."""
    return held.passages[n].chunk.text.split(". ")[2]


async def shares(held: Stock, answers: int, clock: Callable[[], float]) -> list[float]:
    """Milliseconds of our own per answer."""
    drafts = [
        f"{sentence_of(held, n % PASSAGES)} [{n % PASSAGES + 1}]. {sentence_of(held, (n + 3) % PASSAGES)} [2]."
        for n in range(answers)
    ]
    questions = [" ".join(sentence_of(held, n % PASSAGES).split()[:9]) + "?" for n in range(answers)]
    story = Answering(
        library=held,
        local=ScriptedModel(drafts),
        scale=SCALE,
        detector=WordEvidenceDetector(),
        clock=clock,
        new_id=uuid4,
        settings=AnsweringSettings(passages=PASSAGES, room=Room(context_tokens=8_192), min_confidence=0.0),
    )
    taken = []
    for question in questions:
        answer = await story.answer(Question(question), reader=READER)
        taken.append(answer.timings_ms["total"] - answer.timings_ms["draft"] - answer.timings_ms["search"])
        if answer.refusal:
            raise SystemExit(f"refused: {question}: {answer}")
    return taken


async def extractive(held: Stock, answers: int) -> list[float]:
    """Milliseconds per draft of the mode without a model."""
    taken = []
    for n in range(answers):
        prompt = compose(sentence_of(held, n % PASSAGES), "en", held.passages, Room(context_tokens=8_192))
        begun = time.perf_counter()
        [_ async for _ in ExtractiveModel().draft(prompt)]
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def percentile(values: list[float], share: float) -> float:
    """The value below which that share lies."""
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 2)


def main() -> int:
    """Measure and print; nothing fails on a busy machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=500)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    structlog.configure(processors=[], wrapper_class=structlog.make_filtering_bound_logger(50))
    held = stock(random.Random(7))
    own = asyncio.run(shares(held, options.answers, time.perf_counter))
    processor = asyncio.run(shares(held, options.answers, time.process_time))
    quoting = asyncio.run(extractive(held, options.answers))
    figures = {
        "n": options.answers,
        "own_share_p50_ms": percentile(own, 0.5),
        "own_share_p95_ms": percentile(own, 0.95),
        "own_share_bar_ms": BAR_MS,
        "own_share_cpu_p95_ms": percentile(processor, 0.95),
        "extractive_p50_ms": percentile(quoting, 0.5),
        "extractive_p95_ms": percentile(quoting, 0.95),
        "extractive_bar_ms": EXTRACTIVE_BAR_MS,
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    for name, value in figures.items():
        print(f"{name:>20}  {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

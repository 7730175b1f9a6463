"""Questions with the ten passages that the real encoders find for them, some with the answer among them, some without.

Used by the programs of this folder; reads the shared data where it lies. The search here is the library's own in
short: cosine and BM25, each min-max normalised, half and half.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from retrieval.access import EVERYONE, Access, Label
from retrieval.adapters.bergamot import BergamotTranslator
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.onnx_embedder import OnnxEmbedder
from retrieval.model import Chunk, Language, Matrix, Passage, chunk_id, document_id
from retrieval.ports import Translator

BEST = 10
PUBLIC = Access("main", frozenset({EVERYONE}), Label(0, "public"))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, what was found, and whether the answer stands in it; `answers` are words that it must hold."""

    set_name: str
    question: str
    language: Language
    answerable: bool
    passages: tuple[Passage, ...]
    answers: tuple[str, ...] = ()
    translations: Mapping[Language, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """A paragraph of a set, and a question's right paragraph by its place."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question before it was searched for; `without` is the paragraph that is left out.

    `translation` is what a question in another language than its paragraphs becomes in theirs.
    """

    text: str
    answerable: bool
    without: int | None = None
    answers: tuple[str, ...] = ()
    translation: str = ""


def clapnq(file: Path) -> tuple[list[Source], list[Query]]:
    """English: half of the questions come with a passage of the right article that does not answer them."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    answers = [tuple(answer["answer"] for answer in row["answers"]) for row in rows]
    queries = [Query(row["question"], row["answerable"], None, said) for row, said in zip(rows, answers, strict=True)]
    return [Source(row["title"], row["text"]) for row in rows], queries


def faquad(folder: Path, part: str, *, both_ways: bool = False) -> tuple[list[Source], list[Query]]:
    """Portuguese: every other question (or each a second time) is asked with its right paragraph left out."""
    corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    place = {row["_id"]: n for n, row in enumerate(corpus)}
    rows = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    queries = []
    for n, row in enumerate(row for row in rows if row["part"] == part):
        answers = tuple(answer["text"] for answer in row["answers"])
        if both_ways or n % 2 == 0:
            queries.append(Query(row["text"], True, None, answers))
        if both_ways or n % 2 == 1:
            queries.append(Query(row["text"], False, place[row["doc"]]))
    return [Source("", row["text"]) for row in corpus], queries


async def retrieved(
    set_name: str, sources: Sequence[Source], queries: Sequence[Query], language: Language, embedder: OnnxEmbedder
) -> list[Asked]:
    """Every question with its ten best passages; `language` is that of the passages."""
    texts = [f"{source.title}\n{source.text}".strip() for source in sources]
    dense = await embedder.embed_passages(texts)
    forms = [await embedder.embed_queries([query.text, query.translation or query.text]) for query in queries]
    cosine = np.array([(form @ dense.T).max(0) for form in forms])
    sparse = bm25(texts, [query.translation or query.text for query in queries], language)
    other: Language = "en" if language == "pt" else "pt"
    return [
        Asked(
            set_name,
            query.text,
            other if query.translation else language,
            query.answerable,
            tuple(best(sources, cosine[n], sparse[n], language, without=query.without)),
            query.answers,
            {language: query.translation} if query.translation else {},
        )
        for n, query in enumerate(queries)
    ]


async def crossed(queries: Sequence[Query], language: Language, translator: Translator) -> list[Query]:
    """The same questions asked in the other language, and what the library would translate them back to."""
    other: Language = "en" if language == "pt" else "pt"
    asked = [await translator.translate(query.text, language, other) for query in queries]
    back = [await translator.translate(text, other, language) for text in asked]
    return [
        replace(query, text=text, translation=again) for query, text, again in zip(queries, asked, back, strict=True)
    ]


def best(
    sources: Sequence[Source], cosine: Matrix, sparse: Matrix, language: Language, *, without: int | None
) -> Iterator[Passage]:
    """The ten best paragraphs as passages, with their raw scores."""
    kept = [n for n in range(len(sources)) if n != without]
    fused = (scaled(cosine[kept]) + scaled(sparse[kept])) / 2
    for place in np.argsort(-fused, kind="stable")[:BEST]:
        n = kept[int(place)]
        document = document_id("main", "evaluation", str(n))
        text = sources[n].text
        chunk = Chunk(
            chunk_id(document, "v", 0), document, "v", 0, 0, len(text), text, sources[n].title, language=language
        )
        yield Passage(chunk, str(n), "evaluation", PUBLIC, float(fused[place]), float(cosine[n]), float(sparse[n]))


def scaled(scores: Matrix) -> Matrix:
    """From 0 for the worst to 1 for the best."""
    low, high = float(scores.min()), float(scores.max())
    return (scores - low) / (high - low or 1.0)


def bm25(texts: Sequence[str], questions: Sequence[str], language: Language) -> Matrix:
    """(questions, texts) BM25 scores with the texts' own document frequencies."""
    encoder = Bm25Encoder()
    vectors = [
        dict(zip(v.indices, v.values, strict=True)) for v in (encoder.encode_passage(t, language) for t in texts)
    ]
    counts: dict[int, int] = {}
    for vector in vectors:
        for term in vector:
            counts[term] = counts.get(term, 0) + 1
    idf = {term: np.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for term, n in counts.items()}
    scores = np.zeros((len(questions), len(texts)), np.float32)
    for n, question in enumerate(questions):
        for term in encoder.encode_query(question, [language]).indices:
            for m, vector in enumerate(vectors):
                scores[n, m] += vector.get(term, 0.0) * idf.get(term, 0.0)
    return scores


async def all_sets(shared: Path, embedder: OnnxEmbedder, translator: Translator) -> dict[str, list[Asked]]:
    """Development and test halves, in both languages and across; nothing of the test halves is ever fitted on."""
    data = shared / "evaldata"
    plans: Sequence[tuple[str, tuple[list[Source], list[Query]], Language]] = (
        ("en development", clapnq(data / "clapnq" / "half_a_dev.jsonl"), "en"),
        ("en test", clapnq(data / "clapnq" / "half_b_test.jsonl"), "en"),
        ("pt development", faquad(data / "faquad", "train"), "pt"),
        ("pt test", faquad(data / "faquad", "dev", both_ways=True), "pt"),
    )
    found = {}
    for name, (sources, queries), language in plans:
        found[name] = await retrieved(name, sources, queries, language, embedder)
        across = await crossed(queries, language, translator)
        found[f"{name}, crossing"] = await retrieved(f"{name}, crossing", sources, across, language, embedder)
    return found


def load(shared: Path, embedder_folder: Path) -> dict[str, list[Asked]]:
    """All sets, searched with the embedder of that folder."""

    async def run() -> dict[str, list[Asked]]:
        embedder, translator = OnnxEmbedder(embedder_folder, python=sys.executable), BergamotTranslator()
        try:
            return await all_sets(shared, embedder, translator)
        finally:
            await embedder.close()
            await translator.close()

    return asyncio.run(run())

"""How well the library finds, measured on its own path: documents are written, questions are asked, nothing is mocked.

Collections are folders in the layout of BEIR (Thakur et al. 2021): `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`,
the first two also with `.gz`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from retrieval.access import EVERYONE, Access, LabelScale, Principal
from retrieval.beir import BeirDocument, Collection, read_collection
from retrieval.library import Library
from retrieval.model import Chunk, DocumentVersion, Language, ParsedDocument, Passage, digest_of, document_id
from retrieval.ports import LanguageDetector, Translator
from retrieval.scoring import Figure, estimate, ndcg, percentile, recall, reciprocal_rank

TENANT = "evaluation"
SOURCE = "beir"
DEEPEST = 100
# As many as a search shows; this is the search whose time is measured.
SHOWN = 10
AT_ONCE = 8

Cut = Callable[[ParsedDocument, DocumentVersion], Sequence[Chunk]]
Rephrase = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class RetrievalFigures:
    """What was measured, by the names that the command line prints; `n` questions over `documents` documents."""

    figures: Mapping[str, Figure]
    n: int
    documents: int
    passages: int


async def evaluate_retrieval(
    folder: Path,
    *,
    split: str,
    library: Library,
    index: Cut,
    rephrase: Rephrase | None = None,
    limit: int | None = None,
) -> RetrievalFigures:
    """Write the collection into the library, which must be open and empty, and ask its questions.

    `index` cuts documents into chunks, `rephrase` may translate each question first (`in_language`), `limit` takes the
    first so many questions. Raises PermanentFailure when the folder is not a collection.
    """
    collection = await asyncio.to_thread(read_collection, folder, split, limit)
    asked = await rephrased(collection, rephrase)
    begin = perf_counter()
    passages = await write_all(library, collection.documents, index)
    seconds = perf_counter() - begin
    figures, times = await ask_all(library, collection, asked)
    figures["query_p50_ms"] = Figure(percentile(times, 50))
    figures["query_p95_ms"] = Figure(percentile(times, 95))
    figures["passages_per_s"] = Figure(passages / seconds)
    return RetrievalFigures(figures, len(asked), len(collection.documents), passages)


def in_language(translator: Translator, detector: LanguageDetector, target: Language) -> Rephrase:
    """Questions as somebody would ask them who speaks the other language: translated unless they are in it."""

    async def rephrase(question: str) -> str:
        return await translator.translate(question, detector.detect(question), target)

    return rephrase


async def rephrased(collection: Collection, rephrase: Rephrase | None) -> dict[str, str]:
    """The questions by id, as they will be asked."""
    if rephrase is None:
        return dict(collection.questions)
    return {name: await rephrase(question) for name, question in collection.questions.items()}


async def write_all(library: Library, documents: Sequence[BeirDocument], index: Cut) -> int:
    """Write each as a document of its own; returns the number of chunks."""
    free = asyncio.Semaphore(AT_ONCE)

    async def write(document: BeirDocument) -> int:
        version, parsed = as_ingested(document)
        async with free:
            chunks = await asyncio.to_thread(index, parsed, version)
            await library.write(version, parsed, chunks)
        return len(chunks)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(write(document)) for document in documents]
    return sum(task.result() for task in tasks)


def as_ingested(document: BeirDocument) -> tuple[DocumentVersion, ParsedDocument]:
    """The document as ingestion would hand it over, readable by everyone."""
    access = Access(TENANT, frozenset({EVERYONE}), LabelScale().lowest)
    data = f"{document.title}\n{document.text}".encode("utf-8", "surrogatepass")
    version = DocumentVersion(
        document_id(TENANT, SOURCE, document.id),
        digest_of(data),
        SOURCE,
        document.id,
        document.title,
        "text/plain",
        len(data),
        access,
    )
    return version, ParsedDocument(document.text, "text/plain", document.title)


async def ask_all(
    library: Library, collection: Collection, asked: Mapping[str, str]
) -> tuple[dict[str, Figure], list[float]]:
    """Quality over all questions, and the time of each in milliseconds."""
    reader = Principal(TENANT, "evaluation", frozenset(), LabelScale().lowest)
    rows: dict[str, list[float]] = {"ndcg@10": [], "recall@10": [], "recall@100": [], "mrr@10": []}
    times = []
    for name, question in asked.items():
        begin = perf_counter()
        await library.search(question, reader=reader, limit=SHOWN)
        times.append((perf_counter() - begin) * 1000)
        ranking = by_document(await library.search(question, reader=reader, limit=DEEPEST))
        gains = collection.gains[name]
        rows["ndcg@10"].append(ndcg(ranking, gains, 10))
        rows["recall@10"].append(recall(ranking, gains, 10))
        rows["recall@100"].append(recall(ranking, gains, 100))
        rows["mrr@10"].append(reciprocal_rank(ranking, gains, 10))
    return {name: estimate(values) for name, values in rows.items()}, times


def by_document(passages: Sequence[Passage]) -> list[str]:
    """Documents in the order of their best passage."""
    return list(dict.fromkeys(passage.uri for passage in passages))

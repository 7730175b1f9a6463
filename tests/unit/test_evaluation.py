"""Evaluation on a collection of five documents, on the library's own path."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retrieval.access import LabelScale, Principal
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.memory import MemoryCatalogue, MemoryOriginals, MemoryParsedTexts
from retrieval.adapters.memory_encoders import MemoryEmbedder, MemoryTranslator
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.beir import BeirDocument, read_collection
from retrieval.errors import PermanentFailure
from retrieval.evaluation import by_document, evaluate_retrieval, in_language
from retrieval.library import Library
from retrieval.model import Chunk, DocumentVersion, ParsedDocument, chunk_id

CORPUS = {
    "d1": ("Fever", "Aspirin lowers the fever of adults."),
    "d2": ("Bones", "Calcium makes bones strong.\nVitamin D helps the calcium."),
    "d3": ("", "Sleep heals."),
    "d4": ("Hearts", "Running is good for hearts."),
    "d5": ("Noise", "Nothing of interest here."),
}
QUERIES = {"q1": "What lowers fever?", "q2": "What makes bones strong?", "q3": "unjudged", "q4": "Is running good?"}
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t2\nq2\td5\t0\nq4\td4\t1\nq4\td3\t1\n"


@pytest.fixture(params=["plain", "packed"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    corpus = [json.dumps({"_id": name, "title": title, "text": text}) for name, (title, text) in CORPUS.items()]
    queries = [json.dumps({"_id": name, "text": text}) for name, text in QUERIES.items()]
    for name, lines in (("corpus", corpus), ("queries", queries)):
        content = "\n".join(lines) + "\n\n"
        if request.param == "plain":
            (tmp_path / f"{name}.jsonl").write_text(content, encoding="utf-8")
        else:
            with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
                file.write(content)
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(QRELS, encoding="utf-8")
    return tmp_path


async def new_library() -> Library:
    library = Library(
        catalogue=MemoryCatalogue(LabelScale(), lambda: datetime.now(UTC)),
        vectors=MemoryVectorStore(),
        originals=MemoryOriginals(),
        parsed_texts=MemoryParsedTexts(),
        embedder=MemoryEmbedder(),
        sparse=Bm25Encoder(),
        detector=WordEvidenceDetector(),
        translator=None,
        scale=LabelScale(),
    )
    await library.open()
    return library


def by_line(parsed: ParsedDocument, version: DocumentVersion) -> list[Chunk]:
    chunks, start = [], 0
    for n, line in enumerate(parsed.text.splitlines()):
        identity = chunk_id(version.document_id, version.digest, n)
        chunks.append(
            Chunk(identity, version.document_id, version.digest, n, start, start + len(line), line, version.title)
        )
        start += len(line) + 1
    return chunks


def test_a_collection_is_read_with_its_judged_questions_and_gains(folder: Path) -> None:
    collection = read_collection(folder, "test")
    assert collection.documents[0] == BeirDocument("d1", "Fever", "Aspirin lowers the fever of adults.")
    assert len(collection.documents) == 5
    assert set(collection.questions) == {"q1", "q2", "q4"}
    assert collection.gains["q2"] == {"d2": 2}
    assert list(read_collection(folder, "test", 1).questions) == ["q1"]


@pytest.mark.parametrize("harm", ["qrels/test.tsv", "corpus", "queries"])
def test_what_is_no_collection_says_what_is_wanted(folder: Path, harm: str) -> None:
    for file in folder.glob(f"{harm}*"):
        file.unlink()
    with pytest.raises(PermanentFailure, match="test collection") as failure:
        read_collection(folder, "test")
    assert "corpus.jsonl" in failure.value.hint


@pytest.mark.parametrize("content", ["", "query-id\tcorpus-id\tscore\n", "heading\nq1 d1 1\n"])
def test_judgements_that_say_nothing_are_refused(folder: Path, content: str) -> None:
    (folder / "qrels" / "test.tsv").write_text(content)
    with pytest.raises(PermanentFailure):
        read_collection(folder, "test")


async def test_the_figures_are_those_of_the_rankings(folder: Path) -> None:
    found = await evaluate_retrieval(folder, split="test", library=await new_library(), index=by_line)
    assert (found.n, found.documents, found.passages) == (3, 5, 6)
    figures = found.figures
    assert list(figures) == [
        "ndcg@10", "recall@10", "recall@100", "mrr@10", "query_p50_ms", "query_p95_ms", "passages_per_s",
    ]  # fmt: skip
    assert figures["recall@100"].value == 1.0
    assert figures["mrr@10"].value == 1.0
    assert 0.9 < figures["ndcg@10"].value <= 1.0
    assert (figures["ndcg@10"].low or 0) <= figures["ndcg@10"].value <= (figures["ndcg@10"].high or 0)
    assert 0 < figures["query_p50_ms"].value <= figures["query_p95_ms"].value
    assert figures["passages_per_s"].value > 0


async def test_questions_can_be_asked_in_the_other_language(folder: Path) -> None:
    words = {"fever": "febre", "lowers": "baixa", "bones": "ossos", "strong": "fortes", "running": "correr"}
    rephrase = in_language(MemoryTranslator(words), WordEvidenceDetector(), "pt")
    assert await rephrase("What lowers fever?") == "What baixa febre?"
    own = await evaluate_retrieval(folder, split="test", library=await new_library(), index=by_line)
    other = await evaluate_retrieval(
        folder, split="test", library=await new_library(), index=by_line, rephrase=rephrase
    )
    assert other.n == own.n
    assert other.figures["mrr@10"].value < own.figures["mrr@10"].value


async def test_a_document_stands_where_its_best_passage_does(folder: Path) -> None:
    library = await new_library()
    await evaluate_retrieval(folder, split="test", library=library, index=by_line, limit=1)
    assert by_document([]) == []
    reader = Principal("evaluation", "x", frozenset(), LabelScale().lowest)
    passages = await library.search("calcium bones", reader=reader, limit=10)
    assert len(passages) == 6
    ranking = by_document(passages)
    assert ranking[0] == "d2"
    assert sorted(ranking) == sorted(CORPUS)

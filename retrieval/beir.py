"""Reads a test collection in the layout of BEIR."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from retrieval.errors import PermanentFailure

LAYOUT = "It needs corpus.jsonl(.gz), queries.jsonl(.gz) and qrels/SPLIT.tsv in the layout of BEIR."


@dataclass(frozen=True, slots=True)
class BeirDocument:
    """One document of the corpus."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, questions by id, and for each question the gain of every judged document."""

    documents: Sequence[BeirDocument]
    questions: Mapping[str, str]
    gains: Mapping[str, Mapping[str, int]]


def read_collection(folder: Path, split: str, limit: int | None = None) -> Collection:
    """The whole corpus and the first `limit` judged questions. Raises PermanentFailure for what cannot be read."""
    try:
        gains = read_gains(folder / "qrels" / f"{split}.tsv")
        documents = [
            BeirDocument(str(row["_id"]), str(row.get("title") or ""), str(row["text"]))
            for row in rows(folder, "corpus")
        ]
        judged = ((str(row["_id"]), str(row["text"])) for row in rows(folder, "queries") if str(row["_id"]) in gains)
        questions = dict(islice(judged, limit))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PermanentFailure(f"{folder} cannot be read as a test collection: {error}.", remedy=LAYOUT) from error
    if not (documents and questions):
        raise PermanentFailure(f"{folder} has no documents or no judged questions.", remedy=LAYOUT)
    return Collection(documents, questions, {name: gains[name] for name in questions})


def rows(folder: Path, name: str) -> Iterator[Mapping[str, object]]:
    """The lines of `NAME.jsonl` or `NAME.jsonl.gz`."""
    with opened(folder / f"{name}.jsonl") as file:
        yield from (json.loads(line) for line in file if line.strip())


def opened(path: Path) -> TextIO:
    """The file, or the one of that name with `.gz`."""
    packed = path.with_name(f"{path.name}.gz")
    if not path.exists() and packed.exists():
        return gzip.open(packed, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def read_gains(path: Path) -> dict[str, dict[str, int]]:
    """Question -> document -> gain; the first line is a heading. Documents without gain are left out."""
    gains: dict[str, dict[str, int]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        question, document, gain = line.split("\t")
        if int(gain) > 0:
            gains.setdefault(question, {})[document] = int(gain)
    return gains

"""Fit the weights of `serving/confidence.json` on the development halves and report them on the test halves.

    python tests/evaluation/fit_confidence.py [--drafts FILE] [--write]

Reads ../shared (CLAP NQ half A and FaQuAD train; reported: half B and dev). `--drafts` adds drafts of a language model
to those of the extractive one: JSON lines {"set", "question", "draft"}. Logistic regression by projected gradient:
weights of measurements that speak for an answer may not become negative, so that better evidence never hurts.
"""

import argparse
import asyncio
import datetime
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from retrieved import Asked as Case
from retrieved import load

from retrieval.access import LabelScale, Principal
from retrieval.errors import NotFound
from retrieval.model import Evidence, ParsedDocument, SearchFilters
from serving.adapters.extractive import ExtractiveModel
from serving.checking import Check
from serving.claims import parse
from serving.confidence import WEIGHTS_FILE, Confidence, Logistic
from serving.gate import asked, covered_by, outlook
from serving.model import TextDelta
from serving.prompts import Room, compose
from serving.reading import read
from serving.words import content_stems

ROOT = Path(__file__).resolve().parents[2]
EMBEDDER = "multilingual-e5-small-enpt-int8"
BEFORE = ("score", "coverage", "names", "portuguese", "crossing")
AFTER = (*BEFORE, "support", "kept", "near")
MAY_BE_NEGATIVE = {"portuguese", "crossing"}
# The gate lets this share of the answerable questions pass: what comes after it can still refuse, a model cannot.
KEPT_BY_GATE = 0.9
RIGHT = 0.5
READER = Principal("main", "evaluation", frozenset(), LabelScale().highest)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One question: what was measured before and after the draft, and what would have been right."""

    set_name: str
    answerable: bool
    features: Mapping[str, float]
    figures_present: bool
    drafted: bool = False
    right: bool = False


@dataclass(slots=True)
class Paragraphs:
    """The stored texts: here each passage is a document of its own."""

    texts: dict[UUID, str] = field(default_factory=dict)

    async def evidence(self, question: str, *, reader: Principal, filters: SearchFilters, limit: int) -> Evidence:
        """Not asked here."""
        raise NotFound

    async def parsed(self, document: UUID, version: str | None, *, reader: Principal) -> ParsedDocument:
        """The paragraph."""
        return ParsedDocument(self.texts[document], "text/plain")


async def extractive(case: Case) -> str:
    """The draft of the mode without a model."""
    prompt = compose(case.question, case.language, case.passages[:6], Room(), case.translations)
    return "".join([d.text async for d in ExtractiveModel().draft(prompt) if isinstance(d, TextDelta)])


async def measured(case: Case, draft: str) -> Row:
    """Everything that is measured of a question and its draft, as answering does it."""
    readings = read(case.passages[:6])
    question = asked(case.question, case.translations, case.language)
    seen = outlook(question, readings)
    features = seen.features
    library = Paragraphs({p.chunk.document_id: p.chunk.text for p in case.passages})
    parsed = parse(draft, len(readings))
    verdict = await Check(library, READER, readings, case.language).draft(parsed)
    if parsed.is_refusal or not verdict.supported:
        return Row(case.set_name, case.answerable, features, seen.figures_present)
    near = covered_by(question, [place for one in verdict.supported for place in one.places])
    features |= {"support": verdict.support, "kept": verdict.kept, "near": near}
    is_right = case.answerable and right(verdict.text, case.answers)
    return Row(case.set_name, case.answerable, features, seen.figures_present, True, is_right)


def right(said: str, answers: Iterable[str]) -> bool:
    """Half of an answer's stems are said, or half of what is said stands in a (long) answer."""
    stems = content_stems(said)
    return any(
        len(stems & wanted) >= RIGHT * min(len(wanted), len(stems)) for wanted in map(content_stems, answers) if wanted
    )


def fitted(rows: Sequence[Row], labels: Sequence[bool], names: Sequence[str]) -> Logistic:
    """Weights for raw features, fitted on standardised ones with a small ridge; the threshold comes later."""
    x = np.array([[row.features[name] for name in names] for row in rows])
    y = np.array(labels, float)
    sizes = Counter(row.set_name for row in rows)
    share = np.array([1 / (len(sizes) * sizes[row.set_name]) for row in rows])  # every set counts as much
    mean, spread = x.mean(0), x.std(0) + 1e-9
    weights, bias = np.zeros(len(names)), 0.0
    free = np.array([name in MAY_BE_NEGATIVE for name in names])
    for _ in range(20_000):
        error = 1 / (1 + np.exp(-((x - mean) / spread @ weights + bias))) - y
        error *= share
        weights -= 0.1 * (((x - mean) / spread).T @ error + 1e-3 * weights)
        weights = np.where(free, weights, np.maximum(weights, 0.0))
        bias -= 0.1 * float(error.sum())
    raw = weights / spread
    return Logistic(float(bias - raw @ mean), dict(zip(names, map(float, raw), strict=True)), 0.5)


def with_threshold(model: Logistic, threshold: float) -> Logistic:
    """The same weights, another threshold."""
    return Logistic(round(model.bias, 4), {k: round(v, 4) for k, v in model.weights.items()}, round(threshold, 4))


def best_threshold(scores: Floats, labels: NDArray[np.bool_]) -> float:
    """The threshold with the best balanced accuracy."""
    candidates = np.unique(scores)
    return float(max(candidates, key=lambda t: (scores[labels] >= t).mean() + (scores[~labels] < t).mean()))


def fit(rows: Sequence[Row], drafts: Sequence[Row], *, with_score: bool) -> Confidence:
    """Both logistic models; without the cosine for embedders that nothing was fitted for."""
    before_names, after_names = ([n for n in names if with_score or n != "score"] for names in (BEFORE, AFTER))
    before = fitted(rows, [row.answerable for row in rows], before_names)
    passed = np.array([before.probability(row.features) for row in rows if row.answerable])
    before = with_threshold(before, float(np.quantile(passed, 1 - KEPT_BY_GATE)))
    kept = [row for row in drafts if row.drafted and row.figures_present]
    after = fitted(kept, [row.right for row in kept], after_names)
    scores = np.array([after.probability(row.features) for row in kept])
    return Confidence(before, with_threshold(after, best_threshold(scores, np.array([row.right for row in kept]))))


def report(name: str, rows: Sequence[Row], confidence: Confidence) -> dict[str, float]:
    """Refusing, as a reader would see it."""
    answered = []
    for row in rows:
        gate = row.figures_present and confidence.before.probability(row.features) >= confidence.before.threshold
        sure = row.drafted and confidence.after.probability(row.features) >= confidence.after.threshold
        answered.append(gate and sure)
    said, answerable = np.array(answered), np.array([row.answerable for row in rows])
    was_right = np.array([row.right for row in rows])
    refused = ~said
    figures = {
        "n": len(rows),
        "answerable_answered": float(said[answerable].mean()),
        "refusal_precision": float((~answerable)[refused].mean()) if refused.any() else 0.0,
        "refusal_recall": float(refused[~answerable].mean()),
        "balanced_accuracy": float((said[answerable].mean() + refused[~answerable].mean()) / 2),
        "wrong_among_answered": float(1 - was_right[said].mean()) if said.any() else 0.0,
    }
    print(f"{name:>24}  " + "  ".join(f"{key} {value:.3g}" for key, value in figures.items()))
    return figures


def part_of(confidence: Confidence) -> dict[str, object]:
    """As the file keeps it."""
    parts = {"before": confidence.before, "after": confidence.after}
    return {
        name: {"bias": model.bias, "weights": dict(model.weights), "threshold": model.threshold}
        for name, model in parts.items()
    }


async def rows_of(cases: Sequence[Case], drafts: Mapping[str, str] | None = None) -> list[Row]:
    """Measured with the given drafts, else with the extractive ones."""
    if drafts is None:
        return [await measured(case, await extractive(case)) for case in cases]
    rows = [await measured(case, drafts[case.question]) for case in cases if case.question in drafts]
    return [replace(row, set_name=f"{row.set_name}, model") for row in rows]


def read_drafts(file: Path | None) -> dict[str, dict[str, str]]:
    """{set: {question: draft}}."""
    found: dict[str, dict[str, str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file else ():
        row = json.loads(line)
        found.setdefault(row["set"], {})[row["question"]] = row["draft"]
    return found


def main() -> int:
    """Fit, report, and write the file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("LASTRO_SHARED", ROOT.parent / "shared")))
    parser.add_argument("--embedder", type=Path, required=True, help="the folder of the embedder's files")
    parser.add_argument("--drafts", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if not (options.shared / "evaldata").is_dir():
        print(f"no evaluation data at {options.shared}", file=sys.stderr)
        return 0
    sets = load(options.shared, options.embedder)
    written = read_drafts(options.drafts)
    rows = {name: asyncio.run(rows_of(cases)) for name, cases in sets.items()}
    models = {name: asyncio.run(rows_of(sets[name], drafts)) for name, drafts in written.items()}
    development = [row for name, more in rows.items() if "development" in name for row in more]
    drafted = development + [row for name, more in models.items() if "development" in name for row in more]
    known, unknown = fit(development, drafted, with_score=True), fit(development, drafted, with_score=False)
    figures = {}
    for title, confidence in (("with cosine", known), ("any embedder", unknown)):
        print(title)
        figures[title] = {name: report(name, part, confidence) for name, part in rows.items()}
        figures[title] |= {
            f"{name}, model": report(f"{name}, model", part, confidence) for name, part in models.items()
        }
    if options.write:
        write(known, unknown, figures, len(development), sum(map(len, models.values())))
    return 0


def write(known: Confidence, unknown: Confidence, figures: object, n: int, drafts: int) -> None:
    """Write the weights with their recipe beside the module that reads them."""
    content = {
        "recipe": "tests/evaluation/fit_confidence.py; logistic regression; `before`: do the first five passages hold "
        "the answer, threshold keeps 90 % of the answerable; `after`: is the checked draft right, threshold with the "
        "best balanced accuracy on the development halves. Not yet calibrated on a customer's documents.",
        "fitted_on": f"CLAP NQ half A and FaQuAD train, {n} questions, extractive drafts, {drafts} drafts of a model",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "figures": figures,
        "any embedder": part_of(unknown),
        "embedders": {EMBEDDER: part_of(known)},
    }
    rounded = json.loads(json.dumps(content), parse_float=lambda text: round(float(text), 4))
    WEIGHTS_FILE.write_text(json.dumps(rounded, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

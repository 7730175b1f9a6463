"""How many passages the built embedder takes in a second, and how long a question waits for its vector.

    python tests/bench/embedding.py [--passages N] [--questions N] [--json FILE]

Passages of 256 tokens through the whole way: caller, frames, child process of low priority. Questions of about 16
tokens in the caller's process, once alone and once while passages are embedded. The bars are those of a quiet machine
with two cores; the load average says how quiet it was.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from api.settings import load_settings
from retrieval.adapters.model_files import FolderModelFiles
from retrieval.adapters.onnx_embedder import OnnxEmbedder

TOKENS = 256
ROUNDS = 3
BARS = {"passages_per_second": 25.0, "question_p50_ms": 6.0}
SENTENCES = (
    "the worker is entitled to paid leave and the employer keeps a record of days taken each year "
    "o trabalhador tem direito a férias pagas e a entidade guarda um registo dos dias gozados em cada ano"
)


def passages(embedder: OnnxEmbedder, count: int, chance: random.Random) -> list[str]:
    """Texts that have exactly 256 tokens with prefix, begin and end."""
    words = SENTENCES.split()
    inside = TOKENS - 2 - len(embedder.tokenizer.offsets("passage:"))
    texts = []
    for _ in range(count):
        text = " ".join(chance.choices(words, k=2 * TOKENS))
        texts.append(text[: embedder.tokenizer.offsets(text)[inside - 1][1]])
    return texts


def questions(count: int, chance: random.Random) -> list[str]:
    return [" ".join(chance.choices(SENTENCES.split(), k=10)) + "?" for _ in range(count)]


def cpu_seconds(pid: int | None) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def bulk(embedder: OnnxEmbedder, texts: list[str]) -> dict[str, float]:
    """The best and the middle of some rounds: other work on the machine only ever makes a round slower."""
    await embedder.embed_passages(texts[:4])
    child = embedder.bulk_pid
    rates, cpu_rates, before = [], [], os.getloadavg()[0]
    for _ in range(ROUNDS):
        started, cpu = time.perf_counter(), cpu_seconds(child)
        await embedder.embed_passages(texts)
        rates.append(len(texts) / (time.perf_counter() - started))
        cpu_rates.append(len(texts) / (cpu_seconds(child) - cpu))
    return {
        "n": len(texts) * ROUNDS,
        "passages_per_second": round(statistics.median(rates), 1),
        "best_round": round(max(rates), 1),
        "passages_per_cpu_second": round(statistics.median(cpu_rates), 1),
        "child_rss_mb": round(psutil.Process(child).memory_info().rss / 1e6),
        "load_before": round(before, 2),
        "load_after": round(os.getloadavg()[0], 2),
    }


async def single(embedder: OnnxEmbedder, texts: list[str]) -> dict[str, float]:
    await embedder.embed_queries(texts[:3])
    waits, before = [], os.getloadavg()[0]
    for text in texts:
        started = time.perf_counter()
        await embedder.embed_queries([text])
        waits.append(1000 * (time.perf_counter() - started))
    return {
        "n": len(waits),
        "question_p50_ms": round(statistics.median(waits), 2),
        "question_p95_ms": round(statistics.quantiles(waits, n=20)[18], 2),
        "load_before": round(before, 2),
        "load_after": round(os.getloadavg()[0], 2),
    }


async def during_bulk(embedder: OnnxEmbedder, texts: list[str], asked: list[str]) -> dict[str, float]:
    async def forever() -> None:
        while True:
            await embedder.embed_passages(texts)

    work = asyncio.create_task(forever())
    await asyncio.sleep(0.5)
    try:
        return await single(embedder, asked)
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def run(folder: Path, passage_count: int, question_count: int) -> dict[str, object]:
    chance = random.Random(20261124)
    embedder = OnnxEmbedder(folder)
    try:
        texts, asked = passages(embedder, passage_count, chance), questions(question_count, chance)
        return {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "model": embedder.identity.name,
            "bars": BARS,
            f"passages of {TOKENS} tokens": await bulk(embedder, texts),
            "questions alone": await single(embedder, asked),
            "questions during bulk work": await during_bulk(embedder, texts, asked),
            "rss_mb": round(psutil.Process().memory_info().rss / 1e6),
        }
    finally:
        await embedder.close()


def table(result: dict[str, object]) -> str:
    lines = [f"{result['machine']}, {result['model']}, memory of the caller {result['rss_mb']} MB"]
    for name, figures in result.items():
        if isinstance(figures, dict) and "n" in figures:
            lines.append(f"{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))
    return "\n".join([*lines, f"Bars on a quiet machine: {BARS}"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=200)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    folder = FolderModelFiles(load_settings().models_dir).present("embedder")
    if folder is None:
        print("The embedder is not there: lastro models pull embedder", file=sys.stderr)
        return 1
    result = asyncio.run(run(folder, chosen.passages, chosen.questions))
    print(table(result), file=sys.stderr)
    text = json.dumps(result, indent=1)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

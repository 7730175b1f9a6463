"""How fast, how exact and how dear a filtered search of 100,000 chunks is on the embedded store.

    python tests/bench/vector_search.py [--chunks N] [--queries N] [--json FILE]

400 clusters of unit vectors, one of 50 groups on each chunk, queries whose reader is in three of the groups. The whole
way is measured: client, socket, process, engine. CPU is that of both processes. The bars are those of a quiet machine.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
import psutil
from numpy.typing import NDArray

from retrieval.access import Access, LabelScale, ReaderFilter
from retrieval.adapters.edge_supervisor import EdgeProcess
from retrieval.adapters.qdrant_edge import EdgeVectorStore
from retrieval.model import EmbedderIdentity, IndexIdentity, Matrix, Point, SparseVector, StoreQuery

DIMENSIONS, GROUPS, CLUSTERS, SEED, WORDS = 384, 50, 400, 20261123, 20_000
LABEL = LabelScale().label("internal")
DOCUMENT_CHUNKS = 10
BARS = {"p95_ms": 30.0, "cpu_ms_per_query": 20.0, "recall_at_10": 1.0}

Integers = NDArray[np.int64]


@dataclass
class Data:
    """Chunks with a group each, queries with three, and the ten nearest readable chunks of each query."""

    vectors: Matrix
    groups: Integers
    words: Integers  # (chunks, 60), drawn by Zipf's law
    queries: Matrix
    readers: Integers
    nearest: list[set[int]]


def unit(rows: Matrix) -> Matrix:
    lengths: Matrix = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


def make_data(chunks: int, queries: int) -> Data:
    """The same numbers in every run."""
    chance = np.random.default_rng(SEED)
    centres = unit(chance.standard_normal((CLUSTERS, DIMENSIONS)).astype(np.float32))
    cluster = chance.integers(0, CLUSTERS, chunks)
    vectors = unit(centres[cluster] + 0.05 * chance.standard_normal((chunks, DIMENSIONS)).astype(np.float32))
    weights = 1 / np.sqrt(np.arange(1, GROUPS + 1))
    weights /= weights.sum()
    # Half of a cluster's chunks belong to its own group, as departments write about their own topics.
    home = chance.choice(GROUPS, CLUSTERS, p=weights)
    groups = np.where(chance.random(chunks) < 0.5, home[cluster], chance.choice(GROUPS, chunks, p=weights))
    about = centres[chance.integers(0, CLUSTERS, queries)]
    asked = unit(about + 0.05 * chance.standard_normal((queries, DIMENSIONS)).astype(np.float32))
    readers = np.stack([chance.choice(GROUPS, 3, replace=False) for _ in range(queries)])
    nearest = []
    for query, names in zip(asked, readers, strict=True):
        scores = np.where(np.isin(groups, names), vectors @ query, -9)
        nearest.append(set(np.argsort(-scores, kind="stable")[:10].tolist()))
    zipf = 1 / np.arange(1, WORDS + 1)
    words = chance.choice(WORDS, chunks * 60, p=zipf / zipf.sum()).reshape(chunks, 60)
    return Data(vectors, groups, words, asked, readers, nearest)


def point_of(data: Data, n: int) -> Point:
    terms, counts = np.unique(data.words[n], return_counts=True)
    weights = counts * 2.2 / (counts + 1.2)
    access = Access("acme", frozenset({f"group:{data.groups[n]}"}), LABEL)
    document = UUID(int=10**9 + n // DOCUMENT_CHUNKS)
    sparse = SparseVector(tuple(terms.tolist()), tuple(weights.tolist()))
    version = f"sha256:{document.hex:0>64}"
    return Point(UUID(int=n + 1), document, version, n % DOCUMENT_CHUNKS, access, data.vectors[n], sparse)


def query_of(data: Data, n: int, *, hybrid: bool, limit: int) -> StoreQuery:
    names = frozenset({"everyone", "user:ana", *(f"group:{group}" for group in data.readers[n])})
    reader = ReaderFilter("acme", names, frozenset({"public", "internal"}))
    terms = np.unique(data.words[7 * n, :8])
    sparse = SparseVector(tuple(terms.tolist()), (1.0,) * len(terms)) if hybrid else None
    return StoreQuery(reader, data.queries[n], sparse, limit)


def cpu_seconds(process: EdgeProcess) -> float:
    both = (psutil.Process(), psutil.Process(process.pid))
    return sum(times.user + times.system for times in (each.cpu_times() for each in both))


def peak_mb(process: EdgeProcess) -> float:
    """The most memory the index process ever held, pages of its own files included."""
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


async def load(store: EdgeVectorStore, process: EdgeProcess, data: Data) -> dict[str, float]:
    began, cpu = time.perf_counter(), cpu_seconds(process)
    for start in range(0, len(data.vectors), 2_000):
        await store.upsert([point_of(data, n) for n in range(start, min(start + 2_000, len(data.vectors)))])
    await store.flush()
    return {
        "wall_s": round(time.perf_counter() - began, 1),
        "cpu_s": round(cpu_seconds(process) - cpu, 1),
        "peak_rss_mb": round(peak_mb(process)),
    }


async def measure(
    store: EdgeVectorStore, process: EdgeProcess, data: Data, *, hybrid: bool, limit: int
) -> dict[str, float]:
    asked = [query_of(data, n, hybrid=hybrid, limit=limit) for n in range(len(data.queries))]
    for query in asked[:3]:
        await store.search(query)
    waits, recall, short, before = [], 0.0, 0, os.getloadavg()[0]
    cpu = cpu_seconds(process)
    for query, nearest in zip(asked, data.nearest, strict=True):
        began = time.perf_counter()
        hits = await store.search(query)
        waits.append((time.perf_counter() - began) * 1000)
        found = {hit.chunk_id.int - 1 for hit in hits.dense[:10]}
        recall += len(found & nearest) / len(nearest)
        short += len(hits.dense) < limit
    spent = cpu_seconds(process) - cpu
    return {
        "n": len(waits),
        "limit": limit,
        "p50_ms": round(float(np.percentile(waits, 50)), 2),
        "p95_ms": round(float(np.percentile(waits, 95)), 2),
        "cpu_ms_per_query": round(1000 * spent / len(waits), 2),
        "recall_at_10": round(recall / len(waits), 4),
        "short": short,
        "load_before": round(before, 2),
        "load_after": round(os.getloadavg()[0], 2),
    }


async def run(chunks: int, queries: int) -> dict[str, object]:
    data = make_data(chunks, queries)
    identity = IndexIdentity(EmbedderIdentity("synthetic", DIMENSIONS, 512), "words")
    result: dict[str, object] = {"machine": machine(), "chunks": chunks, "bars": BARS}
    with tempfile.TemporaryDirectory(prefix="lastro-") as name:
        folder = Path(name)
        async with EdgeProcess(folder / "index", folder / "s") as process:
            store = EdgeVectorStore(folder / "s")
            await store.open(identity)
            result["load"] = await load(store, process, data)
            await store.close()
        began = time.perf_counter()
        async with EdgeProcess(folder / "index", folder / "s") as process:
            result["reopened_s"] = round(time.perf_counter() - began, 2)
            store = EdgeVectorStore(folder / "s")
            await store.open(identity)
            result["dense, 10 hits"] = await measure(store, process, data, hybrid=False, limit=10)
            result["dense and terms, 10 hits"] = await measure(store, process, data, hybrid=True, limit=10)
            result["dense and terms, 100 hits"] = await measure(store, process, data, hybrid=True, limit=100)
            result["serving_peak_rss_mb"] = round(peak_mb(process))
            await store.close()
    return result


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def table(result: dict[str, object]) -> str:
    rows = {
        name: value for name, value in result.items() if isinstance(value, dict) and "p95_ms" in value and "n" in value
    }
    columns = list(next(iter(rows.values())))
    lines = [
        f"{result['machine']}, {result['chunks']} chunks, load: {result['load']}, reopened in {result['reopened_s']} s"
    ]
    lines += ["| search | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(str(row[column]) for column in columns) + " |" for name, row in rows.items()]
    lines.append(f"Bars: {BARS}. Peak memory of the index process while serving: {result['serving_peak_rss_mb']} MB.")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    result = asyncio.run(run(chosen.chunks, chosen.queries))
    print(table(result), file=sys.stderr)
    text = json.dumps(result, indent=1)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

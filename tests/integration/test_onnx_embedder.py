"""The embedder's two places: questions in this process, passages in a child that may die at any time."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from retrieval.adapters.edge_frames import frame_of
from retrieval.adapters.framed_service import answer_frames
from retrieval.adapters.onnx_bulk import BulkEncoder
from retrieval.adapters.onnx_embedder import PASSAGE, QUERY, OnnxEmbedder
from retrieval.adapters.onnx_encoder import OnnxEncoder, load_tokenizer
from retrieval.adapters.onnx_process import PassageService
from retrieval.errors import EmbedderUnavailable, ModelFileDamaged
from retrieval.model import Matrix

TEXTS = [f"passage number {n}" for n in range(40)]


@pytest.fixture(scope="module")
def expected(tiny_embedder: Path) -> Callable[[str], Matrix]:
    return OnnxEncoder(tiny_embedder, load_tokenizer(tiny_embedder)).encode


@pytest.fixture
async def embedder(tiny_embedder: Path) -> AsyncIterator[OnnxEmbedder]:
    embedder = OnnxEmbedder(tiny_embedder)
    yield embedder
    await embedder.close()


@pytest.fixture
async def bulk(tiny_embedder: Path) -> AsyncIterator[BulkEncoder]:
    bulk = BulkEncoder(tiny_embedder, patience_seconds=5)
    yield bulk
    await bulk.close()


def gone(pid: int, within: float = 10) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def script(path: Path, content: str) -> str:
    path.write_text(f"#!/bin/sh\n{content}\n")
    path.chmod(0o755)
    return str(path)


async def test_questions_and_passages_get_their_prefix_and_keep_their_order(
    embedder: OnnxEmbedder, expected: Callable[[str], Matrix]
) -> None:
    queries, passages = await embedder.embed_queries(TEXTS), await embedder.embed_passages(TEXTS)
    assert np.array_equal(queries, [expected(QUERY + text) for text in TEXTS])
    assert np.array_equal(passages, [expected(PASSAGE + text) for text in TEXTS])


async def test_nothing_is_loaded_and_started_before_the_first_text(embedder: OnnxEmbedder) -> None:
    assert embedder.identity.dimensions == 384
    assert embedder.identity.digest.startswith("sha256:")
    assert embedder._encoder is None
    assert embedder.bulk_pid is None
    assert (await embedder.embed_passages([])).shape == (0, 384)
    assert embedder.bulk_pid is None


async def test_the_child_has_a_lower_priority(embedder: OnnxEmbedder) -> None:
    await embedder.embed_passages(["a"])
    assert embedder.bulk_pid is not None
    assert psutil.Process(embedder.bulk_pid).nice() == min(19, psutil.Process().nice() + 10)


async def test_a_child_that_was_killed_is_replaced(bulk: BulkEncoder) -> None:
    before = await bulk.encode(["a text"])
    assert bulk.pid is not None
    os.kill(bulk.pid, signal.SIGKILL)
    assert np.array_equal(await bulk.encode(["a text"]), before)


async def test_a_child_killed_in_the_middle_of_its_work_loses_no_text(bulk: BulkEncoder) -> None:
    texts = [f"{n} " + "a long text " * 40 for n in range(96)]
    await bulk.encode(["warm"])
    first = bulk.pid
    assert first is not None
    work = asyncio.create_task(bulk.encode(texts))
    await asyncio.sleep(0.05)
    os.kill(first, signal.SIGKILL)
    vectors = await work
    assert bulk.pid != first
    assert vectors.shape == (96, 384)
    assert np.array_equal(vectors[[0, 50, 95]], await bulk.encode([texts[0], texts[50], texts[95]]))


async def test_a_child_that_hangs_is_killed_and_the_texts_are_asked_again(tiny_embedder: Path) -> None:
    bulk = BulkEncoder(tiny_embedder, patience_seconds=3)
    await bulk.encode(["a"])
    stuck = bulk.pid
    assert stuck is not None
    os.kill(stuck, signal.SIGSTOP)
    assert (await bulk.encode(["a"])).shape == (1, 384)
    assert gone(stuck)
    await bulk.close()


async def test_a_child_that_never_lives_makes_the_embedder_unavailable(tiny_embedder: Path) -> None:
    bulk = BulkEncoder(tiny_embedder, python="/bin/false")
    with pytest.raises(EmbedderUnavailable, match="twice"):
        await bulk.encode(["a"])
    await bulk.close()


@pytest.mark.parametrize("answer", [r"\000\000\000\001\005", r"\000\000\000\004\223\001\002\003"])
async def test_an_answer_that_is_none_makes_the_embedder_unavailable(
    tiny_embedder: Path, tmp_path: Path, answer: str
) -> None:
    child = script(tmp_path / "child", f"printf '{answer}'; exec cat >/dev/null")
    bulk = BulkEncoder(tiny_embedder, python=child)
    with pytest.raises(EmbedderUnavailable, match="something else"):
        await bulk.encode(["a"])
    await bulk.close()


async def test_a_failure_in_the_child_arrives_here(tiny_embedder: Path, tmp_path: Path) -> None:
    answer = frame_of(["failed", "embedder_unavailable", "no memory"])
    (tmp_path / "answer").write_bytes(answer)
    child = script(tmp_path / "child", f"cat {tmp_path / 'answer'}; exec cat >/dev/null")
    bulk = BulkEncoder(tiny_embedder, python=child)
    with pytest.raises(EmbedderUnavailable, match="no memory"):
        await bulk.encode(["a"])
    await bulk.close()


async def test_a_cancelled_call_does_not_give_its_vectors_to_the_next(
    bulk: BulkEncoder, expected: Callable[[str], Matrix]
) -> None:
    await bulk.encode(["warm"])
    work = asyncio.create_task(bulk.encode(["long text " * 100] * 32))
    await asyncio.sleep(0.02)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert np.array_equal(await bulk.encode(["another"]), [expected("another")])


async def test_callers_at_the_same_time_get_each_their_own(
    bulk: BulkEncoder, expected: Callable[[str], Matrix]
) -> None:
    found = await asyncio.gather(*(bulk.encode([text]) for text in TEXTS[:8]))
    assert np.array_equal(np.concatenate(found), [expected(text) for text in TEXTS[:8]])


async def test_an_idle_child_ends_and_comes_back_when_it_is_needed(tiny_embedder: Path) -> None:
    bulk = BulkEncoder(tiny_embedder, idle_seconds=0.2)
    await bulk.encode(["a"])
    first = bulk.pid
    assert first is not None
    assert await asyncio.to_thread(gone, first)
    assert (await bulk.encode(["a"])).shape == (1, 384)
    assert bulk.pid != first
    await bulk.close()


async def test_closing_ends_the_child_and_may_be_repeated(bulk: BulkEncoder) -> None:
    await bulk.encode(["a"])
    pid = bulk.pid
    assert pid is not None
    await bulk.close()
    await bulk.close()
    assert gone(pid, within=1)


def test_the_child_ends_when_its_parent_dies(tiny_embedder: Path) -> None:
    parent = f"""
import asyncio, os, pathlib, signal
from retrieval.adapters.framed_service import answer_frames
from retrieval.adapters.onnx_bulk import BulkEncoder
async def main():
    bulk = BulkEncoder(pathlib.Path({str(tiny_embedder)!r}))
    await bulk.encode(["a"])
    print(bulk.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout))


async def test_a_damaged_model_is_named_before_it_is_used(tiny_embedder: Path, tmp_path: Path) -> None:
    for path in tiny_embedder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "model.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    embedder = OnnxEmbedder(tmp_path)
    with pytest.raises(ModelFileDamaged, match=r"model\.onnx"):
        await embedder.embed_queries(["a"])
    with pytest.raises(ModelFileDamaged, match=r"model\.onnx"):
        await embedder.embed_passages(["a"])
    await embedder.close()


def test_a_folder_without_a_model_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelFileDamaged, match="manifest"):
        OnnxEmbedder(tmp_path)


def test_the_service_answers_with_a_failure_instead_of_dying(tmp_path: Path) -> None:
    assert PassageService(tmp_path, 1).answer(["a"])[:2] == ["failed", "model_file_damaged"]


def test_the_service_answers_with_all_vectors_in_order(tiny_embedder: Path, expected: Callable[[str], Matrix]) -> None:
    answer = PassageService(tiny_embedder, 2).answer(["one", "two"])
    assert answer == ["ok", np.stack([expected("one"), expected("two")]).tobytes()]


async def test_frames_are_answered_in_order_until_the_input_closes() -> None:
    reader, out = asyncio.StreamReader(), io.BytesIO()
    reader.feed_data(frame_of("one") + frame_of("two"))
    reader.feed_eof()
    await answer_frames(str.upper, reader, out, idle_seconds=60)
    assert out.getvalue() == frame_of("ONE") + frame_of("TWO")


async def test_a_service_ends_when_nothing_is_asked() -> None:
    await asyncio.wait_for(answer_frames(str.upper, asyncio.StreamReader(), io.BytesIO(), 0.05), 5)

"""The two child processes as programs: their options, their input and output, and how they end."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgpack
import numpy as np
import psutil
import pytest

import retrieval.adapters.bergamot_process as bergamot
import retrieval.adapters.onnx_process as onnx
from retrieval.adapters.edge_frames import frame_of
from retrieval.adapters.onnx_encoder import OnnxEncoder, load_tokenizer

Options = tuple[Callable[[object], object], float]


def run(module: str, *options: str, requests: list[object]) -> list[object]:
    """Its answers to requests that are all there before it starts, after which its input closes."""
    command = [sys.executable, "-P", "-m", f"retrieval.adapters.{module}", *options]
    given = b"".join(map(frame_of, requests))
    done = subprocess.run(command, input=given, capture_output=True, check=True, timeout=60)
    answers, rest = [], io.BytesIO(done.stdout)
    while length := rest.read(4):
        answers.append(msgpack.unpackb(rest.read(int.from_bytes(length, "big"))))
    return answers


def test_the_embedding_process_answers_and_ends_with_its_input(tiny_embedder: Path) -> None:
    options = ["--folder", str(tiny_embedder), "--threads", "2", "--nice", "1", "--idle", "60"]
    ((kind, values),) = run("onnx_process", *options, requests=[["one", "two"]])  # type: ignore[misc]
    expected = OnnxEncoder(tiny_embedder, load_tokenizer(tiny_embedder))
    assert kind == "ok"
    assert np.array_equal(
        np.frombuffer(values, "<f4").reshape(2, 384), [expected.encode("one"), expected.encode("two")]
    )


def test_the_translating_process_answers_and_ends_with_its_input() -> None:
    requests: list[object] = [["Where is the contract?", "en-pt"], ["", "en-pt"]]
    good, bad = run("bergamot_process", "--idle", "60", requests=requests)
    assert "contrato" in good[1]  # type: ignore[index]
    assert bad == ["failed", "ValueError"]


@pytest.mark.parametrize("module", ["onnx_process", "bergamot_process"])
def test_a_process_says_what_options_it_needs(module: str) -> None:
    command = [sys.executable, "-P", "-m", f"retrieval.adapters.{module}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "--idle" in done.stderr


def test_an_idle_process_ends_by_itself() -> None:
    command = [sys.executable, "-P", "-m", "retrieval.adapters.bergamot_process", "--idle", "0.1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.wait(30) == 0


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What the programs would serve, noted instead of served."""
    seen: list[Options] = []

    async def note(answer: Callable[[object], object], idle_seconds: float) -> None:
        seen.append((answer, idle_seconds))

    monkeypatch.setattr(onnx, "answer_standard_input", note)
    monkeypatch.setattr(bergamot, "answer_standard_input", note)
    return seen


def test_the_options_reach_the_services(served: list[Options], tiny_embedder: Path) -> None:
    before = psutil.Process().nice()
    onnx.main(["--folder", str(tiny_embedder), "--threads", "1", "--nice", "0", "--idle", "7"])
    bergamot.main(["--idle", "8"])
    assert [idle for _, idle in served] == [7.0, 8.0]
    assert served[0][0](["a text"])[0] == "ok"  # type: ignore[index]
    assert served[1][0](["", "en-pt"]) == ["failed", "ValueError"]
    assert psutil.Process().nice() == before


def test_what_a_library_prints_does_not_get_between_the_frames() -> None:
    code = """
import asyncio, os
from retrieval.adapters.framed_service import answer_standard_input
def noisy(message):
    print("a library says hello", flush=True)
    os.write(1, b"and its C part as well")
    return message.upper()
asyncio.run(answer_standard_input(noisy, 5))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=frame_of("quiet"), capture_output=True, check=False, timeout=60)
    assert done.stdout == frame_of("QUIET")
    assert b"hello" in done.stderr

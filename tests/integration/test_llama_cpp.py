"""The process that holds a model: it ends with its parent, is started again when it dies, and says what is wrong."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from serving.adapters.llama_cpp import MODULE, LlamaCppModel
from serving.adapters.openai_compatible import Timeouts
from serving.errors import ModelRejected, ModelUnavailable
from serving.model import Message, Prompt, TextDelta

pytest.importorskip("xllamacpp", reason="the extra `llama` is not installed")

NAME = "qwen2.5-coder-1.5b-instruct-q4_k_m"
PROMPT = Prompt("Hi", "en", (), (Message("user", "Say hello."),), max_tokens=4)
PATIENT = Timeouts(first=100, total=110)
with_model = [pytest.mark.models, pytest.mark.slow, pytest.mark.xdist_group("llama")]


@pytest.fixture
def gguf(model_cache: Path) -> Path:
    file = next(model_cache.glob(f"{NAME}*/*.gguf"), None)
    if file is None:
        pytest.skip(f"no {NAME}: run `lastro models pull`")
    return file


@pytest.fixture
async def model(gguf: Path) -> AsyncIterator[LlamaCppModel]:
    made = LlamaCppModel(gguf, context_tokens=512, timeouts=PATIENT)
    yield made
    await made.close()


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while not is_gone(pid):  # noqa: ASYNC110 (the system tells nobody)
            await asyncio.sleep(0.05)


async def text_of(model: LlamaCppModel) -> str:
    return "".join([delta.text async for delta in model.draft(PROMPT) if isinstance(delta, TextDelta)])


async def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    model = LlamaCppModel(tmp_path / "none.gguf")
    with pytest.raises(ModelRejected) as caught:
        await model.check()
    assert "lastro models pull" in caught.value.hint
    assert (model.name, model.pid) == ("none", None)


async def test_a_file_that_is_no_model_is_unavailable_and_leaves_no_process(tmp_path: Path) -> None:
    file = tmp_path / "bad.gguf"
    file.write_bytes(b"not a model")
    model = LlamaCppModel(file, ready_within=20)
    with pytest.raises(ModelUnavailable):
        await model.check()
    assert model.pid is None
    await model.close()


async def test_a_process_that_is_not_ready_in_time_is_unavailable(tmp_path: Path) -> None:
    file = tmp_path / "bad.gguf"
    file.write_bytes(b"not a model")
    model = LlamaCppModel(file, ready_within=0.01)
    with pytest.raises(ModelUnavailable):
        await model.check()
    assert model.pid is None


def test_no_more_is_given_than_can_be_borne() -> None:
    assert LlamaCppModel(Path("x.gguf"), context_tokens=4096, bearable_tokens=900).context_tokens == 900
    assert LlamaCppModel(Path("x.gguf"), context_tokens=512).context_tokens == 512


@pytest.mark.parametrize(("asked", "threads"), [(3, 3), (0, max(1, len(os.sched_getaffinity(0)) - 1))])
def test_one_core_is_left_free_unless_said_otherwise(asked: int, threads: int) -> None:
    assert LlamaCppModel(Path("x.gguf"), threads=asked)._threads == threads


def test_the_process_ends_when_its_standard_input_does(tmp_path: Path) -> None:
    file = tmp_path / "bad.gguf"
    file.write_bytes(b"not a model")
    options = {"model_path": str(file), "name": "x", "api_key": "k", "threads": 1, "context_tokens": 256}
    command = [sys.executable, "-m", MODULE]
    done = subprocess.run(command, input=json.dumps(options), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert done.stdout == ""


@pytest.mark.usefixtures("gguf")
class TestWithTheModel:
    pytestmark = with_model

    async def test_it_listens_on_loopback_and_wants_its_key(self, model: LlamaCppModel) -> None:
        await model.check()
        assert model._model is not None
        url = str(model._model._client.base_url)
        assert url.startswith("http://127.0.0.1:")
        async with httpx.AsyncClient(trust_env=False) as stranger:
            body = {"model": NAME, "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
            assert (await stranger.post(f"{url}chat/completions", json=body)).status_code == 401

    async def test_it_is_started_again_after_it_was_killed(self, model: LlamaCppModel) -> None:
        await model.check()
        first = model.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert await text_of(model)
        assert model.pid not in {None, first}

    async def test_a_draft_that_is_killed_breaks_off(self, model: LlamaCppModel) -> None:
        stream = model.draft(Prompt("Hi", "en", (), (Message("user", "Count to a hundred."),), max_tokens=300))
        await anext(stream)
        assert model.pid is not None
        os.kill(model.pid, signal.SIGKILL)
        with pytest.raises(ModelUnavailable):
            [_ async for _ in stream]

    async def test_closing_ends_the_process(self, model: LlamaCppModel) -> None:
        await model.check()
        pid = model.pid
        assert pid is not None
        await model.close()
        await until_gone(pid)

    async def test_it_dies_with_its_parent(self, gguf: Path) -> None:
        program = (
            "import asyncio, sys; from pathlib import Path; from serving.adapters.llama_cpp import LlamaCppModel\n"
            "async def run():\n    model = LlamaCppModel(Path(sys.argv[1]), context_tokens=512); await model.check()\n"
            "    print(model.pid, flush=True); await asyncio.sleep(60)\nasyncio.run(run())"
        )
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(gguf), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert parent.stdout is not None
        lines = [await parent.stdout.readline() for _ in range(2)]
        pid = next(int(line) for line in lines if line.strip().isdigit())
        parent.kill()
        await parent.wait()
        await until_gone(pid)

"""What every chat model promises, tried on all of them; a stub server on loopback stands behind the HTTP one.

With LASTRO_TEST_VLLM_URL (and LASTRO_TEST_VLLM_MODEL) the same promises are asked of a real vLLM; with the model
files, of llama.cpp.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from retrieval.access import EVERYONE, Access, Label
from retrieval.model import Chunk, Passage, chunk_id
from serving.adapters.extractive import ExtractiveModel
from serving.adapters.llama_cpp import LlamaCppModel
from serving.adapters.openai_compatible import OpenAICompatibleModel, Timeouts
from serving.adapters.scripted import ScriptedModel
from serving.errors import ModelUnavailable
from serving.model import Delta, DraftEnd, Prompt, TextDelta
from serving.ports import ChatModel
from serving.prompts import Room, compose

GGUF = "qwen2.5-coder-1.5b-instruct-q4_k_m"
TEXT = "Every employee has 25 working days of annual leave. Leave is asked for 30 days ahead."


def prompt() -> Prompt:
    document = UUID(int=2)
    chunk = Chunk(chunk_id(document, "v", 0), document, "v", 0, 0, len(TEXT), TEXT, "Leave")
    passage = Passage(chunk, "leave.md", "folder", Access("main", frozenset({EVERYONE}), Label(0, "public")), 1.0)
    return compose("How many days of annual leave are there?", "en", [passage], Room(answer_tokens=24))


def event(content: object) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()


async def stub(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The least a model server says: one model, and one draft in three pieces."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if head.startswith("GET /v1/models"):
        body = json.dumps({"data": [{"id": "stub"}]}).encode()
        kind = "application/json"
    else:
        pieces = [{"choices": [{"delta": {"content": piece}}]} for piece in ("There are ", "25 days", " [1].")]
        last = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
        usage = {"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 6}}
        body = b"".join(map(event, [*pieces, last, usage])) + b"data: [DONE]\n\n"
        kind = "text/event-stream"
    writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()


@asynccontextmanager
async def scripted(_: Path) -> AsyncIterator[ChatModel]:
    yield ScriptedModel(lambda _: "There are 25 days [1].")


@asynccontextmanager
async def extractive(_: Path) -> AsyncIterator[ChatModel]:
    yield ExtractiveModel()


@asynccontextmanager
async def openai_compatible(_: Path) -> AsyncIterator[ChatModel]:
    async with await asyncio.start_server(stub, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield OpenAICompatibleModel(f"http://127.0.0.1:{port}", "stub")


@asynccontextmanager
async def llama_cpp(model_cache: Path) -> AsyncIterator[ChatModel]:
    file = next(model_cache.glob(f"{GGUF}*/*.gguf"), None)
    if file is None:
        pytest.skip(f"no {GGUF}: run `lastro models pull`")
    yield LlamaCppModel(file, context_tokens=1024, timeouts=Timeouts(first=100, total=110))


@asynccontextmanager
async def vllm(_: Path) -> AsyncIterator[ChatModel]:
    url = os.environ.get("LASTRO_TEST_VLLM_URL")
    if not url:
        pytest.skip("no LASTRO_TEST_VLLM_URL: run `make test-vllm`")
    name, key = os.environ.get("LASTRO_TEST_VLLM_MODEL", ""), os.environ.get("LASTRO_TEST_VLLM_KEY", "")
    yield OpenAICompatibleModel(url, name, api_key=key, timeouts=Timeouts(first=100, total=110))


@pytest.fixture(
    params=[
        scripted,
        extractive,
        openai_compatible,
        pytest.param(llama_cpp, marks=[pytest.mark.models, pytest.mark.slow, pytest.mark.xdist_group("llama")]),
        pytest.param(vllm, marks=pytest.mark.vllm),
    ],
    ids=lambda make: make.__name__,
)
async def model(request: pytest.FixtureRequest, model_cache: Path) -> AsyncIterator[ChatModel]:
    async with request.param(model_cache) as made:
        yield made
        await made.close()
        await made.close()


async def drafted(model: ChatModel, asked: Prompt | None = None) -> list[Delta]:
    return [delta async for delta in model.draft(asked or prompt())]


async def test_a_model_is_ready_when_its_check_returns(model: ChatModel) -> None:
    await model.check()
    assert model.name
    assert model.context_tokens > 0


async def test_a_draft_is_text_and_one_end_that_comes_last(model: ChatModel) -> None:
    deltas = await drafted(model)
    assert isinstance(deltas[-1], DraftEnd)
    assert sum(isinstance(delta, DraftEnd) for delta in deltas) == 1
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)).strip()


async def test_a_draft_is_not_longer_than_its_limit(model: ChatModel) -> None:
    end = (await drafted(model, replace(prompt(), max_tokens=3)))[-1]
    assert isinstance(end, DraftEnd)
    assert end.finish_reason in {"stop", "length"}


async def test_a_second_draft_is_as_good_as_the_first(model: ChatModel) -> None:
    await drafted(model)
    assert isinstance((await drafted(model))[-1], DraftEnd)


async def test_a_draft_may_be_left_in_the_middle_and_another_asked_for(model: ChatModel) -> None:
    stream = model.draft(prompt())
    await anext(stream)
    await stream.aclose()
    assert isinstance((await drafted(model))[-1], DraftEnd)


async def test_usage_and_logprobs_are_told_or_none(model: ChatModel) -> None:
    end = (await drafted(model))[-1]
    assert isinstance(end, DraftEnd)
    assert end.usage.completion_tokens is None or end.usage.completion_tokens > 0
    assert end.mean_logprob is None or end.mean_logprob <= 0


async def test_two_drafts_at_once_do_not_mix(model: ChatModel) -> None:
    one, other = await asyncio.gather(drafted(model), drafted(model))
    assert isinstance(one[-1], DraftEnd)
    assert isinstance(other[-1], DraftEnd)


async def test_a_draft_that_breaks_off_is_unavailable() -> None:
    with pytest.raises(ModelUnavailable):
        await drafted(ScriptedModel([[TextDelta("There")]]))


async def test_a_script_that_has_come_to_its_end_is_unavailable() -> None:
    model = ScriptedModel(["one"])
    await drafted(model)
    with pytest.raises(ModelUnavailable):
        await drafted(model)
    assert len(model.prompts) == 2


async def test_a_scripted_failure_is_raised() -> None:
    with pytest.raises(ModelUnavailable):
        await drafted(ScriptedModel([ModelUnavailable()]))

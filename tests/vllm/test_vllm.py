"""A real vLLM: protocol, log-probabilities, JSON schema, errors, a whole answer, and a server killed in mid-stream."""

import json
import os
import signal
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from retrieval.access import EVERYONE, Access, LabelScale, Principal
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.model import ParsedDocument
from serving.adapters.memory import MemoryLibrary, StoredText
from serving.adapters.openai_compatible import OpenAICompatibleModel, Timeouts
from serving.answering import Answering, AnsweringSettings
from serving.errors import ModelRejected, ModelUnavailable, WrongModel
from serving.model import (
    Answer,
    DraftEnd,
    Message,
    PassagesFound,
    Prompt,
    Question,
    TextDelta,
    TokenDrafted,
)
from serving.prompts import Room

pytestmark = [pytest.mark.vllm, pytest.mark.xdist_group("vllm")]

SCALE = LabelScale()
READER = Principal("main", "ana", frozenset(), SCALE.label("internal"))
TEXT = "Annual leave\n\nEvery employee has 25 working days of annual leave.\n\nLeave is asked for 30 days ahead."
HELLO = Prompt("Hi", "en", (), (Message("user", "Say hello to the world."),), max_tokens=12)


def server() -> str:
    url = os.environ.get("LASTRO_TEST_VLLM_URL")
    if not url:
        pytest.skip("no LASTRO_TEST_VLLM_URL: run `make test-vllm`")
    return url


def model_for(name: str | None = None, key: str | None = None) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(
        server(),
        os.environ.get("LASTRO_TEST_VLLM_MODEL", "") if name is None else name,
        api_key=os.environ.get("LASTRO_TEST_VLLM_KEY", "") if key is None else key,
        timeouts=Timeouts(first=100, total=110),
    )


@pytest.fixture
async def model() -> AsyncIterator[OpenAICompatibleModel]:
    made = model_for()
    yield made
    await made.close()


async def test_text_usage_and_logprobs_are_streamed(model: OpenAICompatibleModel) -> None:
    deltas = [delta async for delta in model.draft(HELLO)]
    end = deltas[-1]
    assert isinstance(end, DraftEnd)
    assert sum(isinstance(delta, TextDelta) for delta in deltas) > 1
    assert end.usage.prompt_tokens
    assert end.usage.completion_tokens
    assert end.usage.completion_tokens <= 12
    assert end.mean_logprob is not None
    assert end.mean_logprob < 0
    assert end.finish_reason in {"stop", "length"}


async def test_a_json_schema_is_kept_to(model: OpenAICompatibleModel) -> None:
    schema = {
        "type": "object",
        "properties": {"found": {"enum": ["yes", "no"]}},
        "required": ["found"],
        "additionalProperties": False,
    }
    asked = Prompt("Q", "en", (), HELLO.messages, max_tokens=60, json_schema=json.dumps(schema))
    deltas = [delta async for delta in model.draft(asked)]
    end = deltas[-1]
    assert isinstance(end, DraftEnd)
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    # A small model may go on in white space until it is cut off.
    assert text.lstrip().startswith("{")
    if end.finish_reason == "stop":
        assert json.loads(text)["found"] in {"yes", "no"}


async def test_the_same_prompt_has_the_same_draft(model: OpenAICompatibleModel) -> None:
    drafts = [[delta async for delta in model.draft(HELLO) if isinstance(delta, TextDelta)] for _ in range(2)]
    assert "".join(delta.text for delta in drafts[0]) == "".join(delta.text for delta in drafts[1])


async def test_another_model_s_name_is_wrong() -> None:
    stranger = model_for("another-model")
    with pytest.raises(WrongModel):
        [_ async for _ in stranger.draft(HELLO)]
    await stranger.close()


async def test_without_a_name_the_served_model_is_taken() -> None:
    nameless = model_for("")
    await nameless.check()
    assert nameless.name == os.environ["LASTRO_TEST_VLLM_MODEL"]
    await nameless.close()


async def test_a_wrong_key_is_rejected() -> None:
    stranger = model_for(key="wrong")
    with pytest.raises(ModelRejected):
        await stranger.check()
    await stranger.close()


async def test_a_prompt_that_is_too_long_is_rejected_with_a_reason(model: OpenAICompatibleModel) -> None:
    endless = Prompt("Q", "en", (), (Message("user", "word " * 9_000),), max_tokens=5)
    with pytest.raises(ModelRejected, match="400"):
        [_ async for _ in model.draft(endless)]


async def test_the_whole_way_from_passages_to_a_checked_answer_or_refusal(model: OpenAICompatibleModel) -> None:
    access = Access("main", frozenset({EVERYONE}), SCALE.label("internal"))
    story = Answering(
        library=MemoryLibrary(StoredText("leave.md", ParsedDocument(TEXT, "text/markdown", title="Leave"), access)),
        local=model,
        scale=SCALE,
        detector=WordEvidenceDetector(),
        clock=time.monotonic,
        new_id=uuid4,
        settings=AnsweringSettings(room=Room(answer_tokens=60), min_confidence=0.0),
    )
    question = Question("How many working days of annual leave does every employee have?")
    events = [event async for event in story.events(question, reader=READER)]
    answer = events[-1]
    assert isinstance(events[0], PassagesFound)
    assert any(isinstance(event, TokenDrafted) for event in events)
    assert isinstance(answer, Answer)
    assert answer.route.model == os.environ["LASTRO_TEST_VLLM_MODEL"]
    assert all(TEXT[one.start : one.end] == one.quote for one in answer.citations)
    print(f"{answer.status}: {answer.answer!r}, unsupported {len(answer.unsupported)}, {answer.timings_ms}")


# The last test of this file: it ends the server.
async def test_a_server_killed_in_mid_stream_is_unavailable(model: OpenAICompatibleModel) -> None:
    if "LASTRO_TEST_VLLM_PID" not in os.environ:
        pytest.skip("no LASTRO_TEST_VLLM_PID: only a server of the test run may be killed")
    stream = model.draft(Prompt("Q", "en", (), (Message("user", "Count to a thousand."),), max_tokens=600))
    await anext(stream)
    os.killpg(int(os.environ["LASTRO_TEST_VLLM_PID"]), signal.SIGKILL)
    with pytest.raises(ModelUnavailable):
        [_ async for _ in stream]
    with pytest.raises(ModelUnavailable):
        await model.check()

"""The chat protocol's JSON, in both directions."""

import json

import pytest

from serving.adapters.chat_failures import LONGEST_DETAIL, failure
from serving.adapters.chat_wire import UNBOUNDED, Reply, objected, request_body, served_models
from serving.errors import ModelRejected, ModelUnavailable
from serving.model import Delta, DraftEnd, Message, Prompt, ReasoningDelta, TextDelta, Usage

PROMPT = Prompt("Q?", "en", (), (Message("system", "S"), Message("user", "U")), max_tokens=7)


def body(*without: str, prompt: Prompt = PROMPT) -> dict[str, object]:
    return request_body(prompt, "m", temperature=0.0, without=frozenset(without))


def read(*events: object) -> tuple[list[Delta], Reply]:
    reply = Reply()
    deltas = [delta for one in events for delta in reply.read(one if isinstance(one, str) else json.dumps(one))]
    return [*deltas, *reply.end()], reply


def test_the_body_says_everything_that_matters() -> None:
    assert body() == {
        "model": "m",
        "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}],
        "max_tokens": 7,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "logprobs": True,
    }


def test_the_body_holds_nothing_of_question_or_passages_but_the_messages() -> None:
    asked = Prompt("secret question", "en", (), (Message("user", "U"),), translations={"pt": "pergunta"})
    assert "secret" not in json.dumps(body(prompt=asked))
    assert "pergunta" not in json.dumps(body(prompt=asked))


def test_parts_may_be_left_out() -> None:
    assert not {"logprobs", "stream_options"} & body("logprobs", "stream_options").keys()


@pytest.mark.parametrize(
    ("detail", "parts"),
    [
        ('{"error": "logprobs not supported"}', {"logprobs"}),
        ("Unrecognized request argument: stream_options", {"stream_options"}),
        ("logprobs and stream_options", {"logprobs", "stream_options"}),
        ("messages too long", set()),
    ],
)
def test_what_a_server_objects_to_is_read_from_its_refusal(detail: str, parts: set[str]) -> None:
    assert objected(detail) == parts


def test_served_models_are_named() -> None:
    assert served_models(b'{"object": "list", "data": [{"id": "a"}, {"id": "b", "max_model_len": 4096}]}') == {
        "a": UNBOUNDED,
        "b": 4096,
    }
    assert served_models(b'{"data": []}') == {}


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b"{}", b'{"data": 3}', b'{"data": [{}]}', b'{"data": ["a"]}', b"\xff"]
)
def test_what_is_no_list_of_models_is_unavailable(content: bytes) -> None:
    with pytest.raises(ModelUnavailable):
        served_models(content)


def test_pieces_are_read_in_order_and_the_end_sums_up() -> None:
    deltas, _ = read(
        {"choices": [{"delta": {"role": "assistant", "content": None}}]},
        {"choices": [{"delta": {"reasoning_content": "hm"}, "logprobs": None}]},
        {"choices": [{"delta": {"content": "a"}, "logprobs": {"content": [{"logprob": -1}]}}]},
        {
            "choices": [
                {"delta": {"content": "b"}, "logprobs": {"content": [{"logprob": -3}]}, "finish_reason": "length"}
            ]
        },
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    )
    assert deltas == [ReasoningDelta("hm"), TextDelta("a"), TextDelta("b"), DraftEnd(Usage(3, 2), "length", -2.0)]


def test_a_later_event_without_reason_or_usage_takes_nothing_back() -> None:
    deltas, reply = read(
        {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}},
        {"choices": [{"delta": {}, "finish_reason": None}], "usage": None},
    )
    assert deltas[-1] == DraftEnd(Usage(3, None), "stop", None)
    assert reply.finish_reason == "stop"


def test_a_mark_that_was_held_back_is_said_in_the_end() -> None:
    assert read({"choices": [{"delta": {"content": "a <th"}}]})[0][:-1] == [TextDelta("a "), TextDelta("<th")]


def test_events_without_choices_say_nothing() -> None:
    assert read({}, {"choices": []}, {"choices": None})[0] == [DraftEnd()]


@pytest.mark.parametrize(
    "event",
    ["", "nonsense", "3", "[]", "null", {"error": {"code": 500}}, {"choices": 3}, {"choices": [3]}, {"choices": [[]]}],
)
def test_what_is_no_event_is_unavailable(event: object) -> None:
    with pytest.raises(ModelUnavailable):
        read(event)


def test_a_refusal_shows_the_beginning_of_what_the_server_said() -> None:
    error = failure(400, "too\n long " + "x" * 1_000, "m")
    assert isinstance(error, ModelRejected)
    assert "It said: too long x" in error.message
    assert len(error.message) < LONGEST_DETAIL + 100


def test_a_refusal_without_words_shows_none() -> None:
    assert "It said" not in failure(400, " ", "m").message


def test_an_unknown_model_is_named() -> None:
    assert "'m'" in failure(404, "", "m").message

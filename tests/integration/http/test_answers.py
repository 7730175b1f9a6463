import json
from typing import Any

import httpx
import pytest

from api.auth import Role
from retrieval.errors import StoreUnavailable
from serving.model import Question

TEXT = b"Leave policy. Every employee has 25 days of paid leave a year. Requests go to the team lead."
QUESTION = "How many days of paid leave does every employee have?"
MEMBERS = {
    "id", "status", "answer", "refusal", "claims", "citations", "unsupported", "confidence", "label", "route", "egress",
    "cost", "timings_ms",
}  # fmt: skip


@pytest.fixture
async def anna(server: Any) -> Any:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as client:
        fields = {"label": "public", "readers": "everyone"}
        await client.post("/v1/documents", files={"files": ("leave.txt", TEXT)}, data=fields)
        await server.work()
        yield client


async def ask(client: httpx.AsyncClient, question: str, **more: Any) -> Any:
    reply = await client.post("/v1/answers", json={"question": question, **more})
    assert reply.status_code == 200, reply.text
    return reply.json()


def events(text: str) -> list[tuple[str, Any]]:
    found = []
    for frame in text.strip().split("\n\n"):
        name, data = frame.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_an_answer_has_the_contract_s_shape_and_its_quotes_are_slices(anna: httpx.AsyncClient) -> None:
    answer = await ask(anna, QUESTION)
    assert answer.keys() == MEMBERS
    assert (answer["status"], answer["refusal"]) == ("answered", None)
    assert "25 days" in answer["answer"]
    assert "[1]" in answer["answer"]
    assert answer["route"].keys() == {"place", "model", "why"}
    assert answer["egress"].keys() == {"left", "receipt", "why_not"}
    assert (answer["egress"]["left"], answer["route"]["place"]) == (False, "local")
    assert answer["cost"].keys() == {"local_usd", "cloud_usd", "cloud_would_have_cost_usd"}
    citation = answer["citations"][0]
    assert citation.keys() == {"n", "document_id", "version", "title", "uri", "page", "start", "end", "quote"}
    parameters = {"format": "text", "version": citation["version"]}
    text = (await anna.get(f"/v1/documents/{citation['document_id']}/content", params=parameters)).text
    assert text[citation["start"] : citation["end"]] == citation["quote"]
    claim = answer["claims"][0]
    assert claim.keys() == {"text", "support", "citations"}
    assert citation["n"] in claim["citations"]


async def test_a_refusal_is_a_normal_answer_with_a_reason(anna: httpx.AsyncClient) -> None:
    answer = await ask(anna, "Which planets have rings of ice around them?")
    assert answer.keys() == MEMBERS
    assert (answer["status"], answer["answer"]) == ("refused", None)
    assert answer["refusal"]["reason"] in {"not_in_documents", "low_confidence"}
    assert answer["refusal"]["message"]


async def test_who_may_read_nothing_is_refused_as_such(server: Any, anna: httpx.AsyncClient) -> None:
    body = {"label": "internal", "readers": ["user:anna"]}
    document = (await anna.get("/v1/documents")).json()["items"][0]["id"]
    await anna.put(f"/v1/documents/{document}/access", json=body)
    async with server.client(await server.key("ben")) as ben:
        answer = await ask(ben, QUESTION)
    assert answer["refusal"]["reason"] == "nothing_readable"
    assert answer["citations"] == []


async def test_a_stream_tells_what_happens_and_ends_with_the_same_answer(anna: httpx.AsyncClient) -> None:
    reply = await anna.post("/v1/answers", json={"question": QUESTION, "stream": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    happened = events(reply.text)
    names = [name for name, _ in happened]
    assert names[0] == "passages"
    assert names[-1] == "answer"
    assert {"token", "claim"} <= set(names)
    assert happened[0][1]["passages"][0]["uri"] == "leave.txt"
    final, plain = happened[-1][1], await ask(anna, QUESTION)
    assert final.keys() == plain.keys()
    assert (final["answer"], final["citations"]) == (plain["answer"], plain["citations"])
    claim = next(data for name, data in happened if name == "claim")
    assert claim["claim"]["text"]
    assert claim["citations"][0]["quote"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("question", ["", " \n ", "x" * 8_001])
async def test_an_empty_or_endless_question_is_refused(anna: httpx.AsyncClient, question: str, stream: bool) -> None:
    reply = await anna.post("/v1/answers", json={"question": question, "stream": stream})
    assert (reply.status_code, reply.json()["code"]) == (422, "question_invalid")


@pytest.mark.parametrize("more", [
    {"n": 4}, {"max_tokens": 10**9}, {"logprobs": True}, {"language": "xx"}, {"stream": "perhaps"},
    {"filters": {"x": 1}}, {"reader": "user:admin"},
])  # fmt: skip
async def test_what_the_route_does_not_know_is_refused(anna: httpx.AsyncClient, more: Any) -> None:
    reply = await anna.post("/v1/answers", json={"question": QUESTION, **more})
    assert (reply.status_code, reply.json()["code"]) == (422, "request_invalid")


async def test_filters_narrow_what_an_answer_may_rest_on(anna: httpx.AsyncClient) -> None:
    assert (await ask(anna, QUESTION, filters={"uri_prefix": "leave"}))["status"] == "answered"
    assert (await ask(anna, QUESTION, filters={"sources": ["elsewhere"]}))["status"] == "refused"


async def test_a_failure_in_the_middle_of_a_stream_is_its_last_event(server: Any, anna: httpx.AsyncClient) -> None:
    class Broken:
        async def events(self, question: Question, **_: Any) -> Any:
            raise StoreUnavailable
            yield

    async with server.client(await server.key("ben"), answering=Broken()) as ben:
        reply = await ben.post("/v1/answers", json={"question": QUESTION, "stream": True})
    happened = events(reply.text)
    assert [name for name, _ in happened] == ["error"]
    assert happened[0][1]["code"] == "store_unavailable"


async def test_answers_are_counted(server: Any, anna: httpx.AsyncClient) -> None:
    await ask(anna, QUESTION)
    text = (await anna.get("/metrics")).text
    assert 'lastro_answers_total{place="local",reason="",status="answered"} 1.0' in text
    assert "lastro_documents_accepted_total 1.0" in text
    assert QUESTION not in text

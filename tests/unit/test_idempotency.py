import asyncio
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import Caller, Role
from api.errors import install
from api.idempotency import Idempotency, Reply
from api.limits import BodyLimit
from retrieval.access import LabelScale, Principal


class Remembered:
    """Replies in a dictionary."""

    def __init__(self) -> None:
        self.replies: dict[tuple[str, str], Reply] = {}

    async def begin(self, user: str, key: str, fingerprint: str) -> Reply | None:
        found = self.replies.get((user, key))
        if found is None:
            self.replies[user, key] = Reply(fingerprint, 0, b"")
        return found

    async def finish(self, user: str, key: str, reply: Reply) -> None:
        self.replies[user, key] = reply

    async def forget(self, user: str, key: str) -> None:
        del self.replies[user, key]


class As:
    """Signs every request in as one user."""

    def __init__(self, app: ASGIApp, user: str) -> None:
        self.app = app
        self.user = user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal = Principal("main", self.user, frozenset(), LabelScale().lowest)
        await self.app({**scope, "state": {"caller": Caller(principal, Role.READER, uuid4())}}, receive, send)


class Counter:
    """An application that counts what it carries out."""

    def __init__(self) -> None:
        self.done = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.app = FastAPI()
        install(self.app)
        self.app.post("/v1/keys")(self.make)
        self.app.post("/v1/documents")(self.take)
        self.app.post("/v1/search")(self.make)
        self.app.post("/fails")(self.fail)
        self.app.post("/text")(self.text)
        self.replies = Remembered()

    async def make(self) -> JSONResponse:
        await self.gate.wait()
        self.done += 1
        return JSONResponse({"n": self.done, "key": "secret"}, 201)

    async def take(self, request: Request) -> JSONResponse:
        async with request.form() as form:
            self.done += 1
            return JSONResponse({"n": self.done, "files": len(form.getlist("files"))}, 202)

    async def fail(self) -> JSONResponse:
        self.done += 1
        return JSONResponse({}, 503)

    async def text(self) -> Response:
        self.done += 1
        return Response("not json")

    def client(self, user: str = "anna") -> httpx.AsyncClient:
        app = As(
            BodyLimit(Idempotency(self.app, replies=self.replies), upload_bytes=10**6, upload_path="/v1/documents"),
            user,
        )
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.fixture
def counter() -> Counter:
    return Counter()


KEYED = {"Idempotency-Key": "k1"}


def keyed_scope() -> Scope:
    principal = Principal("main", "anna", frozenset(), LabelScale().lowest)
    return {
        "type": "http",
        "method": "POST",
        "path": "/v1/keys",
        "query_string": b"",
        "headers": [(b"idempotency-key", b"k")],
        "state": {"caller": Caller(principal, Role.READER, uuid4())},
    }


async def test_without_a_key_every_request_is_carried_out(counter: Counter) -> None:
    async with counter.client() as http:
        assert [(await http.post("/v1/keys")).json()["n"] for _ in range(2)] == [1, 2]


async def test_a_repeat_gets_the_first_reply_and_nothing_is_done_again(counter: Counter) -> None:
    async with counter.client() as http:
        first = await http.post("/v1/documents", files=[("files", ("a", b"1"))], headers=KEYED)
        again = await http.post("/v1/documents", files=[("files", ("a", b"1"))], headers=KEYED)
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (202, {"n": 1, "files": 1})
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert counter.done == 1


async def test_forms_whose_boundary_differs_are_the_same_request(counter: Counter) -> None:
    async with counter.client() as http:
        for boundary in ("aaaa", "bbbbbb"):
            head = 'Content-Disposition: form-data; name="files"; filename="a"'
            body = f"--{boundary}\r\n{head}\r\n\r\n1\r\n--{boundary}--\r\n"
            kind = f"multipart/form-data; boundary={boundary}"
            reply = await http.post("/v1/documents", content=body.encode(), headers={**KEYED, "content-type": kind})
            assert reply.json() == {"n": 1, "files": 1}


async def test_the_same_key_with_another_request_is_refused(counter: Counter) -> None:
    async with counter.client() as http:
        await http.post("/v1/keys", json={"user": "a"}, headers=KEYED)
        other_body = await http.post("/v1/keys", json={"user": "b"}, headers=KEYED)
        other_path = await http.post("/text", json={"user": "a"}, headers=KEYED)
    for reply in (other_body, other_path):
        assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_mismatch")
    assert counter.done == 1


async def test_another_user_s_key_of_the_same_name_is_another_key(counter: Counter) -> None:
    async with counter.client("anna") as anna, counter.client("ben") as ben:
        assert (await anna.post("/v1/keys", headers=KEYED)).json()["n"] == 1
        assert (await ben.post("/v1/keys", headers=KEYED)).json()["n"] == 2


async def test_what_is_shown_once_is_not_remembered(counter: Counter) -> None:
    async with counter.client() as http:
        assert (await http.post("/v1/keys", headers=KEYED)).json() == {"n": 1, "key": "secret"}
        assert (await http.post("/v1/keys", headers=KEYED)).json() == {"n": 1, "key": None}
    assert b"secret" not in counter.replies.replies["anna", "k1"].body


async def test_a_repeat_while_the_first_still_runs_is_told_to_wait(counter: Counter) -> None:
    counter.gate.clear()
    async with counter.client() as http:
        first = asyncio.create_task(http.post("/v1/keys", headers=KEYED))
        await asyncio.sleep(0.05)
        meanwhile = await http.post("/v1/keys", headers=KEYED)
        counter.gate.set()
        assert (await first).status_code == 201
    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "still_running")
    assert meanwhile.headers["retry-after"]


@pytest.mark.parametrize("path", ["/fails", "/text", "/nothing-there"])
async def test_only_a_success_in_json_is_remembered(counter: Counter, path: str) -> None:
    async with counter.client() as http:
        await http.post(path, headers=KEYED)
        await http.post(path, headers=KEYED)
    assert counter.replies.replies == {}


async def test_questions_and_searches_are_carried_out_anew_for_rights_may_have_changed(counter: Counter) -> None:
    async with counter.client() as http:
        assert [(await http.post("/v1/search", headers=KEYED)).json()["n"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_key_of_a_silly_length_is_refused(counter: Counter, key: str) -> None:
    async with counter.client() as http:
        reply = await http.post("/v1/keys", headers={"Idempotency-Key": key})
    assert reply.status_code == 422


async def test_a_body_over_the_limit_is_refused_with_a_key_as_well(counter: Counter) -> None:
    async def pieces():  # type: ignore[no-untyped-def]
        for _ in range(30):
            yield b"x" * 65_536

    async with counter.client() as http:
        reply = await http.post("/v1/keys", content=pieces(), headers=KEYED)
    assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")
    assert counter.replies.replies == {}


async def test_who_hangs_up_before_the_end_of_the_body_has_asked_nothing(counter: Counter) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = keyed_scope()
    await Idempotency(counter.app, replies=counter.replies)(scope, receive, send)
    assert (sent, counter.done, counter.replies.replies) == ([], 0, {})


async def test_after_the_body_the_application_hears_the_client_itself(counter: Counter) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(3):
            heard.append((await receive())["type"])

    messages = iter([{"type": "http.request", "body": b"x"}, {"type": "http.disconnect"}, {"type": "http.disconnect"}])

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None: ...

    scope = keyed_scope()
    await Idempotency(app, replies=counter.replies)(scope, receive, send)
    assert heard == ["http.request", "http.disconnect", "http.disconnect"]

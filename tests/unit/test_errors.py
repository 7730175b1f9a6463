import json
import re

import httpx
import pytest
import structlog
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

import ingest.errors
import retrieval.errors
import serving.errors
from api.errors import UnexpectedErrors, install, problem_of, status_of
from retrieval.errors import LastroError, NotFound, StoreUnavailable
from serving.errors import QuestionInvalid

MEMBERS = {"type", "title", "status", "detail", "code", "remedy"}
CANARY = "canary-7d1f"


class Body(BaseModel):
    number: int


def application() -> FastAPI:
    app = FastAPI()
    install(app)
    app.add_middleware(UnexpectedErrors)

    @app.get("/ours")
    async def ours() -> None:
        raise StoreUnavailable

    @app.get("/missing")
    async def missing() -> None:
        raise NotFound

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError(CANARY)

    @app.post("/body")
    async def body(given: Body) -> None: ...

    return app


async def get(path: str, method: str = "GET", **content: object) -> httpx.Response:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return await http.request(method, path, **content)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/ours", 503, "store_unavailable"),
        ("GET", "/missing", 404, "not_found"),
        ("GET", "/no-such-route", 404, "not_found"),
        ("DELETE", "/ours", 405, "method_not_allowed"),
        ("GET", "/crash", 500, "error"),
        ("POST", "/body", 422, "request_invalid"),
    ],
)
async def test_every_error_is_a_problem_document(method: str, path: str, status: int, code: str) -> None:
    reply = await get(path, method)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json().keys() == MEMBERS
    assert (reply.json()["status"], reply.json()["code"]) == (status, code)
    assert reply.json()["type"] == f"urn:lastro:error:{code}"
    assert reply.json()["remedy"]


async def test_an_unknown_path_looks_exactly_like_a_missing_thing() -> None:
    unknown, missing = await get("/no-such-route"), await get("/missing")
    assert unknown.content == missing.content
    assert unknown.headers == missing.headers


async def test_a_wrong_method_says_which_are_right() -> None:
    assert (await get("/ours", "DELETE")).headers["allow"] == "GET"


async def test_an_invalid_body_says_where_and_never_what() -> None:
    reply = await get("/body", "POST", json={"number": CANARY})
    assert "body.number" in reply.json()["detail"]
    assert CANARY not in reply.text


@pytest.mark.parametrize("body", [b"{", b'{"number": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", b"\xff\xfe"])
async def test_a_body_that_cannot_be_read_is_the_caller_s_mistake(body: bytes) -> None:
    reply = await get("/body", "POST", content=body, headers={"content-type": "application/json"})
    assert reply.status_code in {400, 422}
    assert reply.headers["content-type"] == "application/problem+json"


async def test_what_nobody_foresaw_is_logged_by_place_and_answered_without_its_text() -> None:
    structlog.reset_defaults()
    with capture_logs() as logs:
        reply = await get("/crash")
    assert CANARY not in reply.text
    assert CANARY not in json.dumps(logs, default=str)
    assert logs[-1]["event"] == "request_crashed"
    assert logs[-1]["error"] == "RuntimeError"
    assert any("test_errors.py" in place for place in logs[-1]["where"])


@pytest.mark.parametrize("error", [RuntimeError("x"), NotFound()])
async def test_a_response_that_had_begun_gets_no_second_one(error: Exception) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    sent: list[str] = []

    async def send(message: Message) -> None:
        sent.append(message["type"])

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await UnexpectedErrors(broken)({"type": "http", "path": "/"}, receive, send)
    assert sent == ["http.response.start"]


async def test_one_of_our_errors_from_a_middleware_is_answered_as_well() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise StoreUnavailable

    transport = httpx.ASGITransport(UnexpectedErrors(broken))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        reply = await http.get("/")
    assert (reply.status_code, reply.json()["code"]) == (503, "store_unavailable")


def every_error() -> list[type[LastroError]]:
    modules = (retrieval.errors, ingest.errors, serving.errors)
    found = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    return sorted((kind for kind in found if issubclass(kind, LastroError)), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_a_status_a_code_a_message_and_a_remedy(kind: type[LastroError]) -> None:
    document = json.loads(bytes(problem_of(kind()).body))
    assert 400 <= document["status"] < 600
    assert re.fullmatch(r"[a-z_]+", document["code"])
    assert document["detail"]
    assert document["remedy"]


def test_what_may_pass_by_itself_says_when_to_come_back() -> None:
    assert problem_of(StoreUnavailable()).headers["retry-after"] == "1"
    assert "retry-after" not in problem_of(QuestionInvalid()).headers
    assert status_of(QuestionInvalid()) == 422

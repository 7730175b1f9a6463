import asyncio

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import install
from api.limits import JSON_BYTES, BodyLimit, Deadline, Shedding


async def length(request: Request) -> JSONResponse:
    return JSONResponse({"bytes": len(await request.body())})


def client(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def limited() -> ASGIApp:
    app = FastAPI(routes=[Route("/{path:path}", length, methods=["POST", "GET"])])
    install(app)
    return BodyLimit(app, upload_bytes=3 * JSON_BYTES, upload_path="/v1/documents")


@pytest.mark.parametrize(("path", "size", "status"), [
    ("/v1/search", 10, 200),
    ("/v1/search", JSON_BYTES, 200),
    ("/v1/search", JSON_BYTES + 1, 413),
    ("/v1/documents", JSON_BYTES + 1, 200),
    ("/v1/documents", 3 * JSON_BYTES + 1, 413),
])  # fmt: skip
async def test_a_body_over_the_limit_of_its_path_is_refused(path: str, size: int, status: int) -> None:
    async with client(limited()) as http:
        announced = await http.post(path, content=b"x" * size)

        async def pieces():  # type: ignore[no-untyped-def]
            for start in range(0, size, 65_536):
                yield b"x" * min(65_536, size - start)

        streamed = await http.post(path, content=pieces())
    assert (announced.status_code, streamed.status_code) == (status, status)
    if status == 413:
        assert announced.json()["code"] == streamed.json()["code"] == "body_too_large"


@pytest.mark.parametrize("announced", [str(JSON_BYTES + 1), "-5", "many", "1e3"])
async def test_an_announced_length_over_the_limit_is_refused_before_anything_is_read(announced: str) -> None:
    reads = 0
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal reads
        reads += 1
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": "/v1/search",
        "method": "POST",
        "headers": [(b"content-length", announced.encode())],
    }
    await limited()(scope, receive, send)
    assert sent[0]["status"] == 413
    assert reads == 0


async def test_what_is_not_http_passes_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> Message:
        return {}

    for wrapped in (
        BodyLimit(app, upload_bytes=1, upload_path="/"),
        Shedding(app, limit=0, running=lambda _: None),
        Deadline(app, seconds=0.0),
    ):
        await wrapped({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"] * 3


async def test_more_requests_than_the_limit_are_sent_away_at_once_with_a_time_to_come_back() -> None:
    gate = asyncio.Event()
    counts: list[int] = []

    async def wait(request: Request) -> JSONResponse:
        await gate.wait()
        return JSONResponse({})

    routes = [Route("/slow", wait), Route("/healthz", length)]
    app = Shedding(Starlette(routes=routes), limit=2, running=counts.append)
    async with client(app) as http:
        running = [asyncio.create_task(http.get("/slow")) for _ in range(2)]
        await asyncio.sleep(0.05)
        shed = await http.get("/slow")
        health = await http.get("/healthz")
        gate.set()
        finished = await asyncio.gather(*running)
        later = await http.get("/slow")
    assert (shed.status_code, shed.json()["code"], shed.headers["retry-after"]) == (503, "overloaded", "1")
    assert health.status_code == 200
    assert [reply.status_code for reply in (*finished, later)] == [200, 200, 200]
    assert max(counts) == 2
    assert counts[-1] == 0


async def test_a_request_that_takes_too_long_is_ended() -> None:
    cancelled = asyncio.Event()

    async def slow(request: Request) -> JSONResponse:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        return JSONResponse({})

    async with client(Deadline(Starlette(routes=[Route("/", slow)]), seconds=0.05)) as http:
        reply = await http.get("/")
    assert (reply.status_code, reply.json()["code"]) == (503, "request_timed_out")
    assert cancelled.is_set()


async def test_a_response_that_had_begun_is_cut_off_and_not_answered_twice() -> None:
    async def pieces():  # type: ignore[no-untyped-def]
        yield b"begun"
        await asyncio.sleep(60)

    async def streaming(request: Request) -> StreamingResponse:
        return StreamingResponse(pieces())

    async with client(Deadline(Starlette(routes=[Route("/", streaming)]), seconds=0.05)) as http:
        with pytest.raises(TimeoutError):
            await http.get("/")


async def test_a_time_out_inside_the_work_is_not_mistaken_for_the_deadline() -> None:
    async def broken(request: Request) -> JSONResponse:
        raise TimeoutError("of something else")

    async with client(Deadline(Starlette(routes=[Route("/", broken)]), seconds=5)) as http:
        with pytest.raises(TimeoutError, match="of something else"):
            await http.get("/")

import json
from collections.abc import Callable

import httpx
import pytest

from api.client import Client, Refused, Upload

PROBLEM = {"code": "not_found", "detail": "There is no such thing.", "remedy": "Check the id."}


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client(httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://server"))


async def test_what_is_asked_comes_back_as_an_object() -> None:
    seen: list[tuple[str, str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, str(request.url), request.content))
        return httpx.Response(200, json={"ok": True})

    server = client(answer)
    assert await server.get("/v1/x", source="a b", cursor=None) == {"ok": True}
    assert await server.post("/v1/x", {"a": 1}) == {"ok": True}
    assert await server.put("/v1/x", {"b": 2}) == {"ok": True}
    await server.delete("/v1/x")
    assert await server.content("/v1/x", format="text") == b'{"ok":true}'
    assert [(method, url) for method, url, _ in seen] == [
        ("GET", "http://server/v1/x?source=a+b"),
        ("POST", "http://server/v1/x"),
        ("PUT", "http://server/v1/x"),
        ("DELETE", "http://server/v1/x"),
        ("GET", "http://server/v1/x?format=text"),
    ]
    assert json.loads(seen[1][2]) == {"a": 1}


async def test_files_go_with_their_names_and_repeated_fields() -> None:
    bodies: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content.decode())
        return httpx.Response(202, json={"jobs": []})

    uploads = [Upload("pasta/férias.txt", b"texto"), Upload("b.bin", b"x")]
    await client(answer).upload(uploads, {"label": "internal", "readers": ["everyone", "group:hr"]})
    assert 'name="files"; filename="pasta/férias.txt"' in bodies[0]
    assert bodies[0].count('name="readers"') == 2
    assert "text/plain" in bodies[0]
    assert "application/octet-stream" in bodies[0]


async def test_a_list_is_read_to_its_end() -> None:
    pages = {None: (["a", "b"], "1"), "1": (["c"], "2"), "2": ([], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        items, cursor = pages[request.url.params.get("cursor")]
        assert request.url.params["state"] == "done"
        return httpx.Response(200, json={"items": items, "next": cursor})

    assert [item async for item in client(answer).all_of("/v1/jobs", state="done")] == ["a", "b", "c"]


async def test_a_problem_is_told_with_its_code_and_remedy() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, json=PROBLEM, headers={"content-type": "application/problem+json"})

    with pytest.raises(Refused, match="no such thing") as failure:
        await client(answer).get("/v1/x")
    error = failure.value
    assert (error.status, error.code, error.remedy) == (404, "not_found", "Check the id.")


async def test_an_answer_of_something_else_than_lastro_is_told_without_its_text() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(502, text="<html>proxy</html>")

    for ask in (client(answer).get("/v1/x"), client(answer).ready()):
        with pytest.raises(Refused, match="Bad Gateway") as failure:
            await ask
        assert "html" not in failure.value.message


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Refused, match="http://server does not answer") as failure:
        await client(answer).get("/v1/x")
    assert (failure.value.status, failure.value.code) == (503, "server_unreachable")


@pytest.mark.parametrize("status", [200, 503])
async def test_readiness_is_told_whichever_it_is(status: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"status": "x", "checks": {}})

    assert await client(answer).ready() == {"status": "x", "checks": {}}

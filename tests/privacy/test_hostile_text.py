"""Text that is none, and places outside of time: refused with a reason, wherever callers may write, never a crash."""

import base64
import json
from typing import Any
from uuid import uuid4

import pytest

from api.auth import Role

NO_TEXT = ["\ud800", "a\udfffb", "\x00", "canary\x00x"]
PAST_THE_ENDS = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00", "2026-01-01", "now"]


@pytest.mark.parametrize("text", NO_TEXT, ids=ascii)
async def test_characters_that_are_no_text_are_refused_in_every_field(house: Any, text: str) -> None:
    document, _ = await house.add("anna", "A note of the house.")
    access = f"/v1/documents/{document}/access"
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/answers", {"question": f"Where is the note {text}?"}),
        ("POST", "/v1/answers", {"question": "Where?", "conversation_id": text}),
        ("POST", "/v1/search", {"query": f"note {text}"}),
        ("POST", "/v1/search", {"query": "note", "filters": {"sources": [text]}}),
        ("POST", "/v1/search", {"query": "note", "filters": {"media_types": [text]}}),
        ("POST", "/v1/search", {"query": "note", "filters": {"uri_prefix": text}}),
        ("PUT", access, {"label": text, "readers": ["user:anna"]}),
        ("PUT", access, {"label": "public", "readers": [f"user:{text}", "user:anna"]}),
        ("POST", "/v1/keys", {"user": f"a{text}b"}),
        ("POST", "/v1/keys", {"user": "ben", "groups": [f"a{text}b"]}),
        ("POST", "/v1/keys", {"user": "ben", "clearance": text}),
    ]
    async with house.client(await house.key("anna", Role.ADMINISTRATOR)) as client:
        before = (await client.get(f"/v1/documents/{document}")).json()
        for method, path, body in bodies:
            content = json.dumps(body).encode()
            reply = await client.request(method, path, content=content, headers={"content-type": "application/json"})
            assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json"), (path, body)
        assert (await client.get(f"/v1/documents/{document}")).json() == before
        assert [user["user"] for user in (await client.get("/v1/users")).json()["items"]] == ["anna"]


@pytest.mark.parametrize("name", ["user:\x00", "group:a\nb", "user:\x1b[2J", "group:\x7f"], ids=ascii)
async def test_readers_of_an_upload_hold_no_control_characters(house: Any, name: str) -> None:
    async with house.client(await house.key("anna", Role.CONTRIBUTOR)) as client:
        reply = await client.post("/v1/documents", files={"files": ("a.txt", b"x")}, data={"readers": name + "x"})
    assert reply.status_code == 422


async def test_a_document_has_no_more_readers_than_the_index_can_carry(house: Any) -> None:
    document, _ = await house.add("anna", "A note of the house.")
    async with house.client(await house.key("anna", Role.CONTRIBUTOR)) as client:
        for count, status in ((1_000, 200), (1_001, 422)):
            body = {"label": "public", "readers": ["user:anna", *(f"user:{n}" for n in range(count - 1))]}
            assert (await client.put(f"/v1/documents/{document}/access", json=body)).status_code == status
        many = {"readers": ",".join(f"user:{n}" for n in range(1_001))}
        assert (await client.post("/v1/documents", files={"files": ("a.txt", b"x")}, data=many)).status_code == 422


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/jobs", "/v1/keys"])
@pytest.mark.parametrize("moment", [*PAST_THE_ENDS, "", "\x00"], ids=ascii)
async def test_a_cursor_that_nobody_gave_out_is_no_page(house: Any, path: str, moment: str) -> None:
    cursor = base64.urlsafe_b64encode(f"{moment} {uuid4()}".encode()).decode()
    async with house.client(await house.key("anna", Role.ADMINISTRATOR)) as client:
        reply = await client.get(path, params={"cursor": cursor})
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


async def test_a_filter_with_more_names_than_a_statement_takes_does_no_harm(house: Any) -> None:
    await house.add("anna", "A note of the house.")
    body = {"query": "note", "filters": {"sources": ["anna/uploads", *(str(n) for n in range(40_000))]}}
    async with house.client(await house.key("anna")) as client:
        reply = await client.post("/v1/search", json=body)
        assert reply.status_code in {200, 422}
        assert (await client.post("/v1/search", json={"query": "note"})).json()["passages"]

"""Every operation that the server offers, and what it takes to use it. A new route without a row here fails."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.auth import Role

OPEN = None
RIGHTS: dict[tuple[str, str], Role | None] = {
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/metrics"): Role.READER,
    ("GET", "/docs"): Role.READER,
    ("GET", "/v1/me"): Role.READER,
    ("POST", "/v1/answers"): Role.READER,
    ("POST", "/v1/search"): Role.READER,
    ("GET", "/v1/documents"): Role.READER,
    ("POST", "/v1/documents"): Role.CONTRIBUTOR,
    ("GET", "/v1/documents/{document_id}"): Role.READER,
    ("DELETE", "/v1/documents/{document_id}"): Role.CONTRIBUTOR,
    ("PUT", "/v1/documents/{document_id}/access"): Role.CONTRIBUTOR,
    ("GET", "/v1/documents/{document_id}/content"): Role.READER,
    ("GET", "/v1/jobs"): Role.READER,
    ("GET", "/v1/jobs/{job_id}"): Role.READER,
    ("GET", "/v1/jobs/{job_id}/events"): Role.READER,
    ("POST", "/v1/jobs/{job_id}/retry"): Role.CONTRIBUTOR,
    ("POST", "/v1/jobs/{job_id}/cancel"): Role.CONTRIBUTOR,
    ("GET", "/v1/keys"): Role.ADMINISTRATOR,
    ("POST", "/v1/keys"): Role.ADMINISTRATOR,
    ("DELETE", "/v1/keys/{key_id}"): Role.ADMINISTRATOR,
    ("GET", "/v1/users"): Role.ADMINISTRATOR,
    ("PUT", "/v1/users/{name}/active"): Role.ADMINISTRATOR,
}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/answers"): {"json": {"question": "Where?"}},
    ("POST", "/v1/search"): {"json": {"query": "Where?"}},
    ("POST", "/v1/documents"): {"files": {"files": ("a.txt", b"Text of a file.")}},
    ("PUT", "/v1/documents/{document_id}/access"): {"json": {"label": "public", "readers": []}},
    ("POST", "/v1/keys"): {"json": {"user": "new"}},
    ("PUT", "/v1/users/{name}/active"): {"json": {"active": True}},
}
GUARDED = sorted((operation for operation, role in RIGHTS.items() if role is not OPEN), key=str)


def filled(path: str) -> str:
    return (
        path.replace("{name}", "nobody")
        .replace("{document_id}", str(uuid4()))
        .replace("{job_id}", str(uuid4()))
        .replace("{key_id}", str(uuid4()))
    )


async def call(client: httpx.AsyncClient, operation: tuple[str, str], **headers: str) -> httpx.Response:
    method, path = operation
    return await client.request(method, filled(path), headers=headers, **BODIES.get(operation, {}))


async def test_every_operation_has_a_row_and_every_row_an_operation(server: Any) -> None:
    schema = server.app.openapi()
    offered = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}
    assert offered == set(RIGHTS)


@pytest.mark.parametrize("operation", GUARDED, ids=str)
async def test_without_a_valid_key_every_operation_answers_the_same_401(
    server: Any, operation: tuple[str, str]
) -> None:
    anna = await server.key("anna", role=Role.ADMINISTRATOR)
    revoked = await server.key("ben", role=Role.ADMINISTRATOR)
    suspended = await server.key("carla", role=Role.ADMINISTRATOR)
    await server.revoke(revoked)
    await server.parts.accounts.set_active("carla", active=False)
    carriers = [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer lastro_unknown"},
        {"authorization": f"Basic {anna}"},
        {"authorization": anna},
        {"x-api-key": anna},
        {"authorization": f"Bearer {revoked}"},
        {"authorization": f"Bearer {suspended}"},
    ]
    async with server.client() as client:
        replies = [await call(client, operation, **headers) for headers in carriers]
    assert {reply.status_code for reply in replies} == {401}
    assert len({reply.content for reply in replies}) == 1
    assert len({json.dumps(dict(reply.headers)) for reply in replies}) == 1


@pytest.mark.parametrize("operation", GUARDED, ids=str)
async def test_the_next_lower_role_is_refused_and_the_right_one_is_not(server: Any, operation: tuple[str, str]) -> None:
    needed = RIGHTS[operation]
    assert needed is not None
    async with server.client(await server.key("right", role=needed)) as client:
        reply = await call(client, operation)
        assert reply.status_code not in {401, 403}, reply.text
    if needed > Role.READER:
        async with server.client(await server.key("lower", role=Role(needed - 1))) as client:
            reply = await call(client, operation)
            assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed")


async def test_paths_that_do_not_exist_are_not_told_apart_without_a_key(server: Any) -> None:
    async with server.client() as client:
        known, unknown = await client.get("/v1/me"), await client.get("/v1/nothing")
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


IDENTIFIED = sorted((operation for operation in RIGHTS if "_id}" in operation[1]), key=str)


@pytest.mark.parametrize("operation", IDENTIFIED, ids=str)
async def test_a_foreign_thing_and_a_missing_one_get_the_same_answer(server: Any, operation: tuple[str, str]) -> None:
    foreign = await server.everything_of("owner")
    method, path = operation
    if "key_id" in path:
        pytest.skip("keys belong to administrators alike")
    async with server.client(await server.key("stranger", role=Role.CURATOR)) as client:
        known = path.format(document_id=foreign.document_id, job_id=foreign.job_id)
        replies = [
            await client.request(method, target, **BODIES.get(operation, {})) for target in (known, filled(path))
        ]
    assert {reply.status_code for reply in replies} == {404}
    assert replies[0].content == replies[1].content
    assert dict(replies[0].headers) == dict(replies[1].headers)


@pytest.mark.parametrize("path", ["/v1/documents/not-an-id", "/v1/jobs/not-an-id", "/v1/documents/not-an-id/content"])
async def test_an_id_that_is_none_is_a_mistake_of_the_caller(server: Any, path: str) -> None:
    async with server.client(await server.key("anna")) as client:
        reply = await client.get(path)
    assert (reply.status_code, reply.json()["code"]) == (422, "request_invalid")

"""Every way in that is none, on every operation the server offers; and what the ways in do not open."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.app import create_app
from api.auth import Role, digest_of_key

OPEN = {"/healthz", "/readyz"}
SECRET = "The canary7531x sings at noon in the north office."
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/answers"): {"json": {"question": "When does the canary sing in the north office?"}},
    ("POST", "/v1/search"): {"json": {"query": "canary7531x"}},
    ("POST", "/v1/documents"): {"files": {"files": ("note.txt", b"Another text.")}},
    ("PUT", "/v1/documents/{document_id}/access"): {"json": {"label": "public", "readers": ["everyone"]}},
    ("POST", "/v1/keys"): {"json": {"user": "mallory", "role": "administrator"}},
    ("PUT", "/v1/users/{name}/active"): {"json": {"active": False}},
}
# What only looks at things, and what every reader may do.
HARMLESS_POSTS = {"/v1/answers", "/v1/search"}


def operations(house: Any) -> list[tuple[str, str]]:
    paths = create_app(house.parts).openapi()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods if path not in OPEN]
    return [*found, ("GET", "/openapi.json"), ("GET", "/nothing-here"), ("OPTIONS", "/v1/search")]


def filled(path: str, **names: str) -> str:
    known = {"document_id": str(uuid4()), "job_id": str(uuid4()), "key_id": str(uuid4()), "name": "anna", **names}
    return path.format(**known)


async def call(client: httpx.AsyncClient, operation: tuple[str, str], path: str = "", **extra: Any) -> httpx.Response:
    return await client.request(operation[0], path or filled(operation[1]), **BODIES.get(operation, {}), **extra)


def same(replies: list[httpx.Response]) -> httpx.Response:
    """All of them are the same to the last byte, headers included."""
    assert len({(one.status_code, one.content, json.dumps(dict(one.headers))) for one in replies}) == 1
    return replies[0]


def not_a_key(good: str, other: str) -> Iterator[dict[str, Any]]:
    """Requests that carry a valid key, but not in the one place and form for it."""
    for name in ("x-api-key", "api-key", "x-authorization", "proxy-authorization", "x-forwarded-user", "token"):
        yield {"headers": {name: good}}
        yield {"headers": {name: f"Bearer {good}"}}
    for name in ("key", "api_key", "access_token", "authorization", "token"):
        yield {"params": {name: good}}
        yield {"headers": {"cookie": f"{name}={good}"}}
    forms = ["Bearer: {}", "Bearer\t{}", "Bearer  {}", "Bearer {} x", "Bearer {},{}", "Bearer", "{}", "Token {}"]
    forms += ['Bearer "{}"', "Bearer key={}", "Basic {}", "Bearer Bearer {}", "bearer,Bearer {}", "Bearer {}\u00a0"]
    for form in forms:
        yield {"headers": [(b"authorization", form.format(good, good).encode("latin-1"))]}
    yield {"headers": [("authorization", f"Bearer {good.upper()}")]}
    yield {"headers": [("authorization", f"Bearer {good[:-1]}")]}
    yield {"headers": [("authorization", f"Bearer {digest_of_key(good)}")]}
    for pair in ((good, "lastro_x"), ("lastro_x", good), (good, other), (good, good)):
        yield {"headers": [("authorization", f"Bearer {key}") for key in pair]}


async def test_every_way_in_but_the_one_is_answered_alike_on_every_operation(house: Any) -> None:
    anna, revoked = await house.key("anna", Role.ADMINISTRATOR), await house.key("anna", Role.ADMINISTRATOR)
    suspended = await house.key("carla", Role.ADMINISTRATOR)
    await house.revoke(revoked)
    await house.accounts.set_active("carla", active=False)
    requests = [{}, *({"headers": {"authorization": f"Bearer {key}"}} for key in ("lastro_x", revoked, suspended))]
    requests += not_a_key(anna, await house.key("ben", Role.ADMINISTRATOR))
    async with house.client() as client:
        replies = []
        for operation in operations(house):
            replies += [await call(client, operation, **request) for request in requests]
        bearer = {"authorization": f"bearer {anna}"}
        assert (await client.get("/v1/me", headers=bearer)).status_code == 200, "schemes have no case (RFC 9110)"
    assert same(replies).status_code == 401
    assert replies[0].headers["www-authenticate"] == "Bearer"


async def test_a_key_dies_with_the_very_next_request_and_the_user_with_all_of_theirs(house: Any) -> None:
    one, two = await house.key("anna"), await house.key("anna")
    async with house.client(one) as first, house.client(two) as second:
        assert (await first.get("/v1/me")).status_code == (await second.get("/v1/me")).status_code == 200
        await house.revoke(one)
        assert [(await client.get("/v1/me")).status_code for client in (first, second)] == [401, 200]
        await house.accounts.set_active("anna", active=False)
        assert [(await client.get("/v1/me")).status_code for client in (first, second)] == [401, 401]
        # A new key for somebody who is suspended does not let them in again.
        async with house.client(await house.key("anna", Role.ADMINISTRATOR)) as third:
            assert (await third.get("/v1/me")).status_code == 401


@pytest.mark.parametrize("role", [Role.READER, Role.CURATOR, Role.ADMINISTRATOR])
async def test_a_foreign_id_and_a_missing_one_are_the_same_to_every_role(house: Any, role: Role) -> None:
    document, job = await house.add("owner", SECRET)
    asked = [one for one in operations(house) if "{document_id}" in one[1] or "{job_id}" in one[1]]
    assert len(asked) >= 8
    async with house.client(await house.key("stranger", role)) as client:
        for operation in asked:
            foreign = await call(client, operation, filled(operation[1], document_id=document, job_id=job))
            missing = await call(client, operation)
            reply = same([foreign, missing])
            assert reply.status_code == (404 if operation[0] == "GET" or role > Role.READER else 403), operation
            malformed = await call(client, operation, filled(operation[1], document_id="x", job_id="x"))
            assert malformed.status_code in {422, 403}
        versions = [
            (await client.get(f"/v1/documents/{one}/content", params=query))
            for one in (document, uuid4())
            for query in ({}, {"format": "text"}, {"version": "sha256:" + "0" * 64}, {"version": "../x"})
        ]
        assert same(versions).status_code == 404
    async with house.client(await house.key("owner")) as owner:
        assert (await owner.get(f"/v1/documents/{document}")).status_code == 200, "nothing happened to it"
        assert (await owner.get(f"/v1/jobs/{job}")).json()["state"] == "done"


async def test_a_reader_changes_nothing_even_of_what_they_may_read(house: Any) -> None:
    document, _ = await house.add("owner", SECRET, label="public", readers="everyone")
    changing = [one for one in operations(house) if one[0] not in {"GET", "HEAD", "OPTIONS"}]
    async with house.client(await house.key("reader")) as client:
        before = (await client.get(f"/v1/documents/{document}")).json()
        for operation in changing:
            if operation[1] not in HARMLESS_POSTS:
                reply = await call(client, operation, filled(operation[1], document_id=document, name="owner"))
                assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed"), operation
        assert (await client.get(f"/v1/documents/{document}")).json() == before
        assert len((await client.get("/v1/documents")).json()["items"]) == 1
    assert await house.accounts.user("mallory") is None
    assert (await house.accounts.user("owner")).active


async def test_a_contributor_changes_their_own_documents_only(house: Any) -> None:
    document, _ = await house.add("owner", SECRET, label="public", readers="everyone")
    async with house.client(await house.key("other", Role.CONTRIBUTOR)) as client:
        path = f"/v1/documents/{document}"
        relabel = await client.put(f"{path}/access", json={"label": "public", "readers": ["user:other"]})
        assert [relabel.status_code, (await client.delete(path)).status_code] == [403, 403]
        # Nor can they overwrite it by using its name, or the name of its source.
        for source in ({}, {"source": "owner/uploads"}, {"source": "../owner/uploads"}):
            reply = await client.post("/v1/documents", files={"files": ("note.txt", b"Overwritten.")}, data=source)
            assert reply.status_code == 202
        await house.work()
        assert (await client.get(f"{path}/content")).content == SECRET.encode()


async def test_who_may_do_most_reads_no_more_for_it(house: Any) -> None:
    document, job = await house.add("owner", SECRET)
    async with house.client(await house.key("root", Role.ADMINISTRATOR)) as client:
        answers = [
            await call(client, one, filled(one[1], document_id=document, job_id=job))
            for one in operations(house)
            if one[0] == "GET" or one[1] in HARMLESS_POSTS
        ]
        seen = "".join(answer.text for answer in answers)
    for told in ("canary7531x", document, job, "note.txt"):
        assert told not in seen
    async with house.client(await house.key("owner")) as owner:
        assert "canary7531x" in (await owner.post("/v1/search", json={"query": "canary7531x"})).text


@pytest.mark.parametrize("acting", ["owner", "root", "", "nobody", "owner, root"])
async def test_only_the_local_token_speaks_for_others(house: Any, acting: str) -> None:
    await house.key("owner")
    root, token = await house.key("root", Role.ADMINISTRATOR), await house.key("local", Role.ADMINISTRATOR)
    async with house.client(root, local_digest=digest_of_key(token)) as client:
        refused = await client.get("/v1/me", headers={"lastro-as": acting})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    async with house.client(root, local_digest="") as client:
        assert (await client.get("/v1/me", headers={"lastro-as": acting})).status_code == 403
    async with house.client(token, local_digest=digest_of_key(token)) as client:
        allowed = await client.get("/v1/me", headers={"lastro-as": acting})
        assert allowed.status_code == (200 if acting in {"owner", "root"} else 403)
        twice = await client.get("/v1/me", headers=[("lastro-as", "owner"), ("lastro-as", "root")])
        assert twice.status_code == 401


async def test_the_local_token_speaks_with_the_others_rights_not_its_own(house: Any) -> None:
    document, _ = await house.add("owner", SECRET)
    token = await house.key("local", Role.ADMINISTRATOR)
    await house.key("reader")
    async with house.client(token, local_digest=digest_of_key(token)) as client:
        as_reader, as_owner = {"lastro-as": "reader"}, {"lastro-as": "owner"}
        assert (await client.get("/v1/keys", headers=as_reader)).status_code == 403
        assert (await client.get(f"/v1/documents/{document}", headers=as_reader)).status_code == 404
        assert (await client.get(f"/v1/documents/{document}", headers=as_owner)).status_code == 200
        await house.accounts.set_active("owner", active=False)
        assert (await client.get(f"/v1/documents/{document}", headers=as_owner)).status_code == 403


async def test_a_web_socket_is_not_a_way_round_the_check(house: Any) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    for path in ("/v1/me", "/v1/search", "/metrics"):
        scope = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "subprotocols": [], "state": {}}
        await create_app(house.parts)(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"] * 3

from typing import Any
from uuid import uuid4

import pytest

from api.auth import Role


@pytest.fixture
async def admin(server: Any) -> Any:
    async with server.client(await server.key("root", role=Role.ADMINISTRATOR)) as client:
        yield client


async def test_a_key_that_is_made_lets_its_user_in_with_these_rights(server: Any, admin: Any) -> None:
    body = {"user": "anna@example.com", "groups": ["hr", "sales"], "clearance": "confidential", "role": "curator"}
    made = await admin.post("/v1/keys", json=body)
    assert made.status_code == 201
    async with server.client(made.json()["key"]) as anna:
        assert (await anna.get("/v1/me")).json() == {
            "user": "anna@example.com", "tenant": "main", "groups": ["hr", "sales"], "clearance": "confidential",
            "role": "curator",
        }  # fmt: skip


async def test_unsaid_rights_are_the_lowest(server: Any, admin: Any) -> None:
    made = (await admin.post("/v1/keys", json={"user": "anna"})).json()
    async with server.client(made["key"]) as anna:
        me = (await anna.get("/v1/me")).json()
    assert (me["groups"], me["clearance"], me["role"]) == ([], "public", "reader")


@pytest.mark.parametrize("body", [
    {}, {"user": ""}, {"user": "a b"}, {"user": "a/b"}, {"user": "a,b"}, {"user": "x" * 201},
    {"user": "a", "role": "god"}, {"user": "a", "groups": ["x,y"]}, {"user": "a", "groups": [""]},
    {"user": "a", "clearance": "top"}, {"user": "a", "x": 1},
])  # fmt: skip
async def test_names_and_rights_that_cannot_be_are_refused(admin: Any, body: Any) -> None:
    assert (await admin.post("/v1/keys", json=body)).status_code == 422


async def test_keys_are_listed_without_their_secrets_and_revoked_by_id(server: Any, admin: Any) -> None:
    made = (await admin.post("/v1/keys", json={"user": "anna"})).json()
    listed = await admin.get("/v1/keys")
    assert made["key"] not in listed.text
    entry = next(item for item in listed.json()["items"] if item["id"] == made["id"])
    assert (entry["user"], entry["hint"], entry["revoked"]) == ("anna", made["key"][-4:], None)
    async with server.client(made["key"]) as anna:
        assert (await anna.get("/v1/me")).status_code == 200
        assert (await admin.delete(f"/v1/keys/{made['id']}")).status_code == 204
        assert (await anna.get("/v1/me")).status_code == 401
    assert (await admin.delete(f"/v1/keys/{uuid4()}")).status_code == 404


async def test_a_suspended_user_is_out_at_once_and_back_when_resumed(server: Any, admin: Any) -> None:
    made = (await admin.post("/v1/keys", json={"user": "anna"})).json()
    async with server.client(made["key"]) as anna:
        assert (await admin.put("/v1/users/anna/active", json={"active": False})).json()["active"] is False
        assert (await anna.get("/v1/me")).status_code == 401
        users = (await admin.get("/v1/users")).json()["items"]
        assert next(user for user in users if user["user"] == "anna")["active"] is False
        await admin.put("/v1/users/anna/active", json={"active": True})
        assert (await anna.get("/v1/me")).status_code == 200
    assert (await admin.put("/v1/users/nobody/active", json={"active": True})).status_code == 404


async def test_a_repeated_request_for_a_key_does_not_show_the_key_again(admin: Any) -> None:
    replies = [
        (await admin.post("/v1/keys", json={"user": "anna"}, headers={"Idempotency-Key": "k"})).json() for _ in range(2)
    ]
    assert replies[0]["key"].startswith("lastro_")
    assert replies[1] == {**replies[0], "key": None}


async def test_the_local_token_may_act_as_another_user_and_no_other_key_may(server: Any, admin: Any) -> None:
    await admin.post("/v1/keys", json={"user": "anna", "groups": ["hr"]})
    async with server.client(server.token) as local:
        me = (await local.get("/v1/me", headers={"Lastro-As": "anna"})).json()
        assert (me["user"], me["groups"], me["role"]) == ("anna", ["hr"], "reader")
        assert (await local.get("/v1/keys", headers={"Lastro-As": "anna"})).status_code == 403
        assert (await local.get("/v1/me", headers={"Lastro-As": "nobody"})).status_code == 403
    assert (await admin.get("/v1/me", headers={"Lastro-As": "anna"})).status_code == 403

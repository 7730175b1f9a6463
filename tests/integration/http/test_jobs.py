import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from api.auth import Role

GOOD = b"Leave policy. Every employee has 25 days of paid leave a year."


async def hand_in(client: Any, name: str, data: bytes) -> dict[str, Any]:
    reply = await client.post(
        "/v1/documents", files={"files": (name, data)}, data={"label": "public", "readers": "everyone"}
    )
    return dict(reply.json()["jobs"][0])


async def test_a_job_ends_done_with_its_document(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        job = await hand_in(anna, "a.txt", GOOD)
        await server.work()
        done = (await anna.get(f"/v1/jobs/{job['id']}")).json()
        assert (done["state"], done["step"], done["error"]) == ("done", "finished", None)
        assert (await anna.get(f"/v1/documents/{done['document_id']}")).status_code == 200
        assert done["chunks"] >= 1


async def test_a_job_that_failed_says_why_and_what_to_do(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        job = await hand_in(anna, "empty.txt", b"")
        await server.work()
        failed = (await anna.get(f"/v1/jobs/{job['id']}")).json()
    assert failed["state"] == "failed"
    assert failed["document_id"] is None
    assert failed["error"].keys() == {"code", "message", "remedy"}
    assert failed["error"]["code"] == "empty_file"


async def test_jobs_are_listed_newest_first_by_state_and_everybody_sees_their_own(server: Any) -> None:
    async with (
        server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna,
        server.client(await server.key("ben", role=Role.ADMINISTRATOR)) as ben,
    ):
        good = await hand_in(anna, "a.txt", GOOD)
        bad = await hand_in(anna, "b.txt", b"")
        await server.work()
        listed = (await anna.get("/v1/jobs")).json()
        assert {job["id"] for job in listed["items"]} == {good["id"], bad["id"]}
        assert listed["next"] is None
        failed = (await anna.get("/v1/jobs", params={"state": "failed"})).json()["items"]
        assert [job["id"] for job in failed] == [bad["id"]]
        page = (await anna.get("/v1/jobs", params={"limit": 1})).json()
        rest = (await anna.get("/v1/jobs", params={"limit": 1, "cursor": page["next"]})).json()
        assert {page["items"][0]["id"], rest["items"][0]["id"]} == {good["id"], bad["id"]}
        assert (await ben.get("/v1/jobs")).json()["items"] == []
        assert (await ben.get(f"/v1/jobs/{good['id']}")).status_code == 404


@pytest.mark.parametrize("parameters", [{"state": "odd"}, {"limit": 0}, {"limit": 201}, {"limit": "x"}])
async def test_a_list_of_nonsense_is_refused(server: Any, parameters: Any) -> None:
    async with server.client(await server.key("anna")) as anna:
        assert (await anna.get("/v1/jobs", params=parameters)).status_code == 422


async def test_a_job_that_waits_can_be_cancelled_and_carried_out_after_all(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        job = await hand_in(anna, "a.txt", GOOD)
        cancelled = await anna.post(f"/v1/jobs/{job['id']}/cancel")
        assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
        await server.work()
        assert (await anna.get("/v1/documents")).json()["items"] == []
        retried = await anna.post(f"/v1/jobs/{job['id']}/retry")
        assert (retried.status_code, retried.json()["state"]) == (202, "queued")
        await server.work()
        assert (await anna.get(f"/v1/jobs/{job['id']}")).json()["state"] == "done"


async def test_a_job_s_events_come_until_it_is_over(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        job = await hand_in(anna, "a.txt", GOOD)
        watching = asyncio.create_task(anna.get(f"/v1/jobs/{job['id']}/events"))
        await asyncio.sleep(0.05)
        await server.work()
        reply = await watching
    assert reply.headers["content-type"].startswith("text/event-stream")
    frames = [frame.split("\n") for frame in reply.text.strip().split("\n\n")]
    states = [json.loads(data.removeprefix("data: "))["state"] for name, data in frames if name == "event: job"]
    assert states[0] == "queued"
    assert states[-1] == "done"


async def test_events_of_what_is_not_there_are_not_found(server: Any) -> None:
    async with server.client(await server.key("anna")) as anna:
        reply = await anna.get(f"/v1/jobs/{uuid4()}/events")
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")

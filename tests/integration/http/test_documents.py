from typing import Any
from uuid import UUID

import httpx
import pytest

from api.auth import Role

TEXT = b"Leave policy. Every employee has 25 days of paid leave a year. Requests go to the team lead."


async def hand_in(client: httpx.AsyncClient, name: str = "people/leave.txt", data: bytes = TEXT, **fields: Any) -> Any:
    reply = await client.post("/v1/documents", files={"files": (name, data)}, data=fields)
    assert reply.status_code == 202, reply.text
    return reply.json()["jobs"]


async def added(server: Any, client: httpx.AsyncClient, **fields: Any) -> str:
    job = (await hand_in(client, **fields))[0]
    await server.work()
    done = (await client.get(f"/v1/jobs/{job['id']}")).json()
    assert done["state"] == "done", done
    return str(done["document_id"])


async def test_what_is_handed_in_becomes_a_document_that_can_be_found(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        jobs = await hand_in(anna, label="public", readers=["everyone"])
        assert (jobs[0]["file"], jobs[0]["state"], jobs[0]["uri"]) == ("leave.txt", "queued", "people/leave.txt")
        await server.work()
        items = (await anna.get("/v1/documents")).json()
        assert items["next"] is None
        document = items["items"][0]
        assert (document["uri"], document["label"], document["readers"]) == ("people/leave.txt", "public", ["everyone"])
        assert (document["source"], document["added_by"]) == ("anna/uploads", "anna")
        found = (await anna.post("/v1/search", json={"query": "paid leave"})).json()["passages"]
    assert found[0]["document_id"] == document["id"]
    assert found[0]["text"].encode() in TEXT
    assert found[0].keys() == {
        "document_id", "version", "title", "uri", "page", "section", "start", "end", "text", "score", "label",
    }  # fmt: skip


async def test_many_files_become_as_many_jobs_in_their_order(server: Any) -> None:
    names = [f"{n}.txt" for n in range(7)]
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        files = [("files", (name, f"Text {name} of a file.".encode())) for name in names]
        reply = await anna.post("/v1/documents", files=files, data={"label": "public", "readers": "everyone"})
        assert [job["uri"] for job in reply.json()["jobs"]] == names


async def test_without_label_and_readers_only_the_uploader_may_read_if_they_are_cleared(server: Any) -> None:
    cleared = await server.key("anna", role=Role.CONTRIBUTOR, clearance="restricted")
    async with server.client(cleared) as anna, server.client(await server.key("ben", clearance="restricted")) as ben:
        document = await added(server, anna)
        shown = (await anna.get(f"/v1/documents/{document}")).json()
        assert (shown["label"], shown["readers"]) == ("restricted", ["user:anna"])
        assert (await ben.get(f"/v1/documents/{document}")).status_code == 404


@pytest.mark.parametrize(("fields", "code"), [
    ({"label": "top-secret"}, "unknown_label"),
    ({"readers": "all"}, "request_invalid"),
    ({"source": "\x07"}, "request_invalid"),
])  # fmt: skip
async def test_what_is_not_a_label_a_reader_or_a_source_is_refused(server: Any, fields: Any, code: str) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        reply = await anna.post("/v1/documents", files={"files": ("a.txt", TEXT)}, data=fields)
        assert (reply.status_code, reply.json()["code"]) == (422, code)
        assert (await anna.get("/v1/jobs")).json()["items"] == []


async def test_a_form_without_files_is_refused(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        reply = await anna.post("/v1/documents", data={"label": "public"})
    assert (reply.status_code, reply.json()["code"]) == (422, "request_invalid")


async def test_a_name_that_leads_elsewhere_is_only_a_name(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        jobs = await hand_in(anna, "../../etc/passwd.txt", label="public", readers="everyone")
    assert jobs[0]["uri"] == "etc/passwd.txt"


async def test_two_users_with_the_same_file_have_two_documents(server: Any) -> None:
    open_to_all = {"label": "public", "readers": "everyone"}
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        hers = await added(server, anna, **open_to_all)
    async with server.client(await server.key("ben", role=Role.CONTRIBUTOR)) as ben:
        his = await added(server, ben, source="uploads", **open_to_all)
        assert his != hers
        assert len((await ben.get("/v1/documents")).json()["items"]) == 2
        mine = (await ben.get("/v1/documents", params={"source": "ben/uploads"})).json()["items"]
    assert [document["id"] for document in mine] == [his]


async def test_a_list_is_paged_to_its_end(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        for n in range(5):
            await hand_in(anna, f"{n}.txt", label="public", readers="everyone")
        await server.work()
        seen: list[str] = []
        cursor: str | None = None
        while True:
            parameters: dict[str, str | int] = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await anna.get("/v1/documents", params=parameters)).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
    assert len(seen) == len(set(seen)) == 5


async def test_text_and_original_come_as_downloads_and_quotes_are_slices(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        document = await added(server, anna, label="public", readers="everyone")
        path = f"/v1/documents/{document}/content"
        original = await anna.get(path)
        version = (await anna.get(f"/v1/documents/{document}")).json()["version"]
        text = await anna.get(path, params={"format": "text", "version": version})
        passage = (await anna.post("/v1/search", json={"query": "paid leave"})).json()["passages"][0]
        missing = await anna.get(path, params={"version": "sha256:" + "0" * 64})
        odd = await anna.get(path, params={"format": "pdf"})
    assert original.content == TEXT
    assert text.text[passage["start"] : passage["end"]] == passage["text"]
    for reply in (original, text):
        assert reply.headers["content-disposition"].startswith("attachment; filename*=UTF-8''leave.txt")
        assert reply.headers["x-content-type-options"] == "nosniff"
    assert missing.status_code == 404
    assert odd.status_code == 422


async def test_a_new_version_replaces_the_old_one_and_a_citation_of_the_old_can_be_opened(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        document = await added(server, anna, label="public", readers="everyone")
        old = (await anna.get(f"/v1/documents/{document}")).json()["version"]
        changed = await added(
            server, anna, data=b"Leave policy. Now there are 30 days.", label="public", readers="everyone"
        )
        assert changed == document
        assert (await anna.get(f"/v1/documents/{document}")).json()["version"] != old
        reply = await anna.get(f"/v1/documents/{document}/content", params={"version": old})
    assert reply.content == TEXT


async def test_access_changes_act_on_the_next_request(server: Any) -> None:
    async with (
        server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna,
        server.client(await server.key("ben", groups=["hr"])) as ben,
    ):
        document = await added(server, anna, label="public", readers=["user:anna"])
        assert (await ben.get(f"/v1/documents/{document}")).status_code == 404
        body = {"label": "public", "readers": ["user:anna", "group:hr"]}
        changed = await anna.put(f"/v1/documents/{document}/access", json=body)
        assert changed.json()["readers"] == ["group:hr", "user:anna"]
        assert (await ben.get(f"/v1/documents/{document}")).status_code == 200
        assert (await ben.post("/v1/search", json={"query": "paid leave"})).json()["passages"]
        await anna.put(f"/v1/documents/{document}/access", json={"label": "public", "readers": ["user:anna"]})
        assert (await ben.get(f"/v1/documents/{document}")).status_code == 404
        assert (await ben.post("/v1/search", json={"query": "paid leave"})).json()["passages"] == []


@pytest.mark.parametrize("body", [{"label": "public"}, {"readers": []}, {"label": "public", "readers": [], "x": 1}, {}])
async def test_access_must_be_said_in_full(server: Any, body: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        document = await added(server, anna, label="public", readers="everyone")
        assert (await anna.put(f"/v1/documents/{document}/access", json=body)).status_code == 422


async def test_an_empty_list_of_readers_closes_a_document_to_all_but_the_one_who_says_it(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        document = await added(server, anna, label="public", readers="everyone")
        reply = await anna.put(f"/v1/documents/{document}/access", json={"label": "public", "readers": []})
    assert reply.json()["readers"] == ["user:anna"]


async def test_what_is_deleted_is_gone_at_once(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        document = await added(server, anna, label="public", readers="everyone")
        assert (await anna.delete(f"/v1/documents/{document}")).status_code == 204
        for path in ("", "/content"):
            assert (await anna.get(f"/v1/documents/{document}{path}")).status_code == 404
        assert (await anna.post("/v1/search", json={"query": "paid leave"})).json()["passages"] == []
        assert (await anna.delete(f"/v1/documents/{document}")).status_code == 404


async def test_contributors_change_their_own_documents_and_curators_all_they_can_read(server: Any) -> None:
    async with (
        server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna,
        server.client(await server.key("ben", role=Role.CONTRIBUTOR)) as ben,
        server.client(await server.key("carla", role=Role.CURATOR)) as carla,
    ):
        document = await added(server, anna, label="public", readers="everyone")
        body = {"label": "public", "readers": ["everyone"]}
        for refused in (
            await ben.delete(f"/v1/documents/{document}"),
            await ben.put(f"/v1/documents/{document}/access", json=body),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        assert (await carla.put(f"/v1/documents/{document}/access", json=body)).status_code == 200
        assert (await carla.delete(f"/v1/documents/{document}")).status_code == 204


async def test_an_upload_that_is_repeated_with_its_key_makes_no_second_job(server: Any) -> None:
    async with server.client(await server.key("anna", role=Role.CONTRIBUTOR)) as anna:
        replies = [
            await anna.post("/v1/documents", files={"files": ("a.txt", TEXT)}, headers={"Idempotency-Key": "once"})
            for _ in range(2)
        ]
        jobs = (await anna.get("/v1/jobs")).json()["items"]
    assert replies[0].json() == replies[1].json()
    assert [UUID(job["id"]) for job in jobs] == [UUID(replies[0].json()["jobs"][0]["id"])]

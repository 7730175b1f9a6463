"""Requests that cost more than they should, over a real connection: refused early, in time, and without a trace."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn

from api import app as application
from api.auth import Role
from api.sections import ServerSettings
from api.settings import Settings
from ingest.adapters.memory import MemoryJobQueue
from ingest.intake import Intake
from retrieval.access import LabelScale
from retrieval.adapters.folder_originals import FolderOriginals

JSON = {"content-type": "application/json"}


class Site:
    """The application behind a real socket."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key
        self.url = f"http://127.0.0.1:{port}"

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20, trust_env=False) as made:
            yield made

    async def raw(self, head: str, *pieces: bytes, pause: float = 0.0) -> tuple[bytes, int]:
        """What comes back to these bytes, and how many pieces of the body were sent until then."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        auth = f"Authorization: Bearer {self.key}\r\nHost: test\r\n"
        writer.write((head + "\r\n" + auth + "\r\n").encode())
        answer, sent = bytearray(), 0
        reading = asyncio.create_task(gather_in(answer, reader))
        try:
            for piece in pieces:
                if reading.done():
                    break
                writer.write(piece)
                await writer.drain()
                sent += 1
                await asyncio.sleep(pause)
            await asyncio.wait_for(reading, 10)
        except ConnectionError:
            await reading
        writer.close()
        return bytes(answer), sent


async def gather_in(answer: bytearray, reader: asyncio.StreamReader) -> None:
    """Everything up to the end of the connection, however it ends."""
    with suppress(ConnectionError):
        while piece := await reader.read(2**16):
            answer += piece


@asynccontextmanager
async def site(server: Any, folder: Path, **limits: Any) -> AsyncIterator[Site]:
    """Serve on a free port of this machine, with these limits; files go to `folder`."""
    jobs, queue = server.parts.jobs, MemoryJobQueue()
    scale = LabelScale()
    intake = Intake(jobs=jobs, queue=queue, originals=FolderOriginals(folder), scale=scale, clock=now, new_id=uuid4)
    settings = Settings(server=ServerSettings(**limits))
    app = application.create_app(replace(server.parts, settings=settings, intake=intake))
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1, timeout_keep_alive=1
    )
    running = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        serving = asyncio.create_task(running.serve(sockets=[sock]))
        while not running.started:  # noqa: ASYNC110 uvicorn offers nothing to wait for
            await asyncio.sleep(0.01)
        yield Site(sock.getsockname()[1], await server.key("anna", role=Role.CONTRIBUTOR, clearance="restricted"))
        running.should_exit = True
        await serving


def now() -> datetime:
    return datetime.now(UTC)


def code(reply: httpx.Response) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status_code, reply.json()["code"]


def files_in(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


@pytest.mark.parametrize(("path", "limit"), [("/v1/documents", 2 * 2**20), ("/v1/search", 2**20)])
async def test_a_body_that_is_announced_too_large_is_refused_unread(
    server: Any, tmp_path: Path, path: str, limit: int
) -> None:
    async with site(server, tmp_path / "data", max_body_mb=2) as here:
        answer, sent = await here.raw(f"POST {path} HTTP/1.1\r\nContent-Length: {limit + 1}", pause=0.0)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"body_too_large" in answer
        assert sent == 0
        answer, _ = await here.raw(f"POST {path} HTTP/1.1\r\nContent-Length: {'9' * 30}")
        assert answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


@pytest.mark.parametrize("keyed", ["", "\r\nIdempotency-Key: one"])
@pytest.mark.parametrize("path", ["/v1/documents", "/v1/search"])
async def test_a_body_of_unknown_length_is_cut_off_where_the_limit_is(
    server: Any, tmp_path: Path, path: str, keyed: str
) -> None:
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    head = f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=x{keyed}"
    async with site(server, tmp_path / "data", max_body_mb=1) as here:
        begin = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
        first = f"{len(begin):x}\r\n".encode() + begin + b"\r\n"
        answer, sent = await here.raw(head, first, *[piece] * 1_000, pause=0.002)
        assert answer.startswith(b"HTTP/1.1 413"), answer[:80]
        assert sent < 500
        assert files_in(tmp_path / "data") == 0


async def test_without_a_key_no_byte_of_a_body_is_read(server: Any, tmp_path: Path) -> None:
    async with site(server, tmp_path / "data") as here:
        here.key = "lastro_unknown"
        answer, sent = await here.raw("POST /v1/documents HTTP/1.1\r\nContent-Length: 100000000")
    assert answer.startswith(b"HTTP/1.1 401")
    assert sent == 0


async def test_a_body_that_trickles_ends_with_the_request_deadline(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "GRACE_SECONDS", 0.1)
    async with site(server, tmp_path / "data", request_seconds=0.4) as here:
        begun = time.monotonic()
        head = "POST /v1/search HTTP/1.1\r\nContent-Length: 1000\r\nContent-Type: application/json"
        answer, sent = await here.raw(head, *[b"x"] * 200, pause=0.05)
        assert time.monotonic() - begun < 3
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"request_timed_out" in answer
        assert sent < 100, "the connection ends, whatever else would come"


async def test_questions_that_ask_nothing_or_too_much(server: Any, tmp_path: Path) -> None:
    async with site(server, tmp_path / "data") as here, here.client() as client:
        for question, stream in [("", False), (" \n\t ", False), ("x" * 8_001, False), ("", True), ("x" * 8_001, True)]:
            reply = await client.post("/v1/answers", json={"question": question, "stream": stream})
            assert code(reply) == (422, "question_invalid")
        for question in ("?!", "… — ,;:", "🙂", "x" * 8_000):
            reply = await client.post("/v1/answers", json={"question": question})
            assert (reply.status_code, reply.json()["status"]) == (200, "refused")
        for query in ("", "x" * 8_001):
            assert code(await client.post("/v1/search", json={"query": query})) == (422, "request_invalid")


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 900_000,
        b'{"query":' * 90_000,
        b'{"query": "' + b"\xff\xfe" + b'"}',
        b'{"query": "\x00"}',
        b'{"query": "\\u0000"}',
        b'{"query": "\\ud800"}',
        b'{"query": "x", "limit": ' + b"9" * 5_000 + b"}",
        b'{"query": "x", "limit": NaN}',
        b'{"query": "x", "limit": 1e999}',
        b'{"query": "x", "query_": 1}',
        b"null",
        b"",
    ],
    ids=range(12),
)
async def test_json_that_is_none_or_too_deep_is_refused_and_the_server_lives(
    server: Any, tmp_path: Path, content: bytes
) -> None:
    async with site(server, tmp_path / "data") as here, here.client() as client:
        reply = await client.post("/v1/search", content=content, headers=JSON)
        assert code(reply)[0] in {400, 422}
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the parser drops a file it was amid
async def test_a_form_of_ten_thousand_parts_stores_nothing(server: Any, tmp_path: Path) -> None:
    async with site(server, tmp_path / "data") as here, here.client() as client:
        files = [("files", (f"{n}.txt", b"x")) for n in range(10_000)]
        assert code(await client.post("/v1/documents", files=files)) == (400, "bad_request")
        fields = [("readers", (None, "everyone")) for _ in range(10_000)]
        assert code(await client.post("/v1/documents", files=fields)) == (400, "bad_request")
        assert (
            code(await client.post("/v1/documents", files={"files": ("a", b"x")}, data={"label": "x" * 2**21}))[0]
            == 400
        )
        assert (await client.get("/v1/jobs")).json()["items"] == []
    assert files_in(tmp_path / "data") == 0


NAMES = [
    "../../x", "..\\..\\x", "/etc/passwd", "C:\\windows\\x", "..", ".", "/", "a/../../../x", "%2e%2e/x",
    "\u202etxt.exe",
    "CON", "~root", "a\nb", "a\rb", "x" * 4_096, "é/ção.txt", "....//x", " ", "$(touch x)", "a;b", "\ufeffx",
    "файл.txt",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
async def test_a_file_name_is_never_a_path(server: Any, tmp_path: Path, name: str) -> None:
    data = tmp_path / "root" / "a" / "b" / "data"
    begin = b'--x\r\nContent-Disposition: form-data; name="files"; filename="'
    body = begin + name.encode().replace(b"\n", b"\x0b").replace(b"\r", b"\x00") + b'"\r\n\r\nText\r\n--x--\r\n'
    async with site(server, data) as here, here.client() as client:
        head = {"content-type": "multipart/form-data; boundary=x"}
        reply = await client.post("/v1/documents", content=body, headers=head)
        assert reply.status_code in {202, 400, 422}
        jobs = reply.json().get("jobs", [])
    for job in jobs:
        assert not job["uri"].startswith("/")
        assert ".." not in job["uri"].split("/")
        assert job["uri"].isprintable()
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and data not in path.parents]
    assert {path.name.split(".")[0] for path in outside} <= {"lastro"}
    assert files_in(data) == len(jobs)
    assert all(set(path.name) <= set("0123456789abcdef") for path in data.rglob("*"))


async def test_an_unknown_label_is_told_the_scale(server: Any, tmp_path: Path) -> None:
    async with site(server, tmp_path / "data") as here, here.client() as client:
        files = {"files": ("a.txt", b"x")}
        reply = await client.post("/v1/documents", files=files, data={"label": "top-secret"})
        assert code(reply) == (422, "unknown_label")
        assert "public, internal, confidential, restricted" in reply.json()["detail"]
        assert (await client.get("/v1/jobs")).json()["items"] == []
    assert files_in(tmp_path / "data") == 0


async def test_more_requests_than_can_run_are_sent_away_at_once(server: Any, tmp_path: Path) -> None:
    async with site(server, tmp_path / "data", max_requests=2) as here, here.client() as client:
        head = "POST /v1/search HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9"
        slow = [asyncio.create_task(here.raw(head, *[b"x"] * 9, pause=0.2)) for _ in range(2)]
        await asyncio.sleep(0.4)
        begun = time.monotonic()
        replies = await asyncio.gather(*(client.get("/v1/me") for _ in range(8)))
        assert time.monotonic() - begun < 1
        assert {code(reply) for reply in replies} == {(503, "overloaded")}
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in replies)
        assert (await client.get("/healthz")).status_code == 200
        assert [answer[:12] for answer, _ in await asyncio.gather(*slow)] == [b"HTTP/1.1 422"] * 2
        assert (await client.get("/v1/me")).status_code == 200, "there is room again"


async def test_who_hangs_up_in_the_middle_leaves_room_for_others(server: Any, tmp_path: Path) -> None:
    async with site(server, tmp_path / "data", max_requests=2) as here, here.client() as client:
        for _ in range(6):
            _, writer = await asyncio.open_connection("127.0.0.1", here.port)
            head = f"POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {here.key}\r\n"
            writer.write(head.encode() + b"Idempotency-Key: a\r\nContent-Length: 900\r\n\r\nabc")
            await writer.drain()
            writer.close()
            await asyncio.sleep(0.1)
        assert (await client.get("/v1/me")).status_code == 200
        files = {"files": ("a.txt", b"x")}
        assert (await client.post("/v1/documents", files=files, headers={"idempotency-key": "a"})).status_code == 202


async def test_a_keyed_upload_is_carried_out_once_however_often_and_together_it_comes(
    server: Any, tmp_path: Path
) -> None:
    async with site(server, tmp_path / "data") as here, here.client() as client:

        async def upload(text: bytes) -> httpx.Response:
            headers = {"idempotency-key": "upload-1"}
            return await client.post("/v1/documents", files={"files": ("a.txt", text)}, headers=headers)

        together = await asyncio.gather(*(upload(b"one") for _ in range(6)))
        assert {reply.status_code for reply in together} <= {202, 409}
        assert len({reply.text for reply in together if reply.status_code == 202}) == 1
        again = await upload(b"one")
        assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
        assert code(await upload(b"two")) == (422, "idempotency_mismatch")
        assert len((await client.get("/v1/jobs")).json()["items"]) == 1

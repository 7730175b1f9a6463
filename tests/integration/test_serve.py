"""The tree of `lastro serve`: one server a folder, started again when killed, drained when told to stop."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest

from api.folder import DataFolder

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.xdist_group("server"), pytest.mark.timeout(300)]

LASTRO = [sys.executable, "-P", "-m", "api.cli"]
TEXT = b"# Leave policy\n\nEvery employee has 25 days of paid leave a year."
QUESTION = {"question": "How many days of paid leave does every employee have?"}
PATIENCE_SECONDS = 60.0


class SlowModel(BaseHTTPRequestHandler):
    """A model server that says the right thing, slowly."""

    def do_GET(self) -> None:
        self._reply(json.dumps({"object": "list", "data": [{"id": "slow", "object": "model"}]}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for word in ("Every employee has ", "25 days of paid leave a year ", "[1]."):
            time.sleep(1.0)
            self._event({"choices": [{"index": 0, "delta": {"content": word}}]})
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, data: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps({"id": "1", "model": "slow", **data}).encode() + b"\n\n")
        self.wfile.flush()

    def _reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def slow_model() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowModel)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except (httpx.HTTPError, psutil.Error):
            pass
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what}")


class Home:
    """A data folder and what runs in it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LASTRO_")}
        self.folder = folder
        self.environment = {**kept, "LASTRO_SERVER__PORT": "0", "LASTRO_LLM__KIND": "extractive", **settings}
        made = subprocess.run(
            [*LASTRO, "init", "--json"], cwd=folder, env=self.environment, capture_output=True, check=True
        )
        self.key = json.loads(made.stdout)["admin_key"]

    @contextmanager
    def running(self) -> Iterator["Running"]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*LASTRO, "serve"], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Lastro is ready at "), (self.folder / "log").read_text()[-3000:]
            running = Running(self, process, line.split()[-1])
            try:
                yield running
            finally:
                children = running.children() if process.poll() is None else []
                process.kill()
                process.wait()
                process.stdout.close()
                psutil.wait_procs(children, timeout=PATIENCE_SECONDS)


class Running:
    """A server and its processes."""

    def __init__(self, home: Home, process: "subprocess.Popen[str]", url: str) -> None:
        self.home, self.process, self.url = home, process, url

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.home.key}"}, timeout=60)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, name: str) -> psutil.Process:
        """The index, worker or api."""
        words = {"index": "retrieval.adapters.edge_process"}.get(name, name)
        found: psutil.Process = until(
            lambda: next((child for child in self.children() if words in child.cmdline()), None), name
        )
        return found

    def ready(self) -> bool:
        return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200

    def add(self) -> None:
        with self.client() as client:
            fields = {"label": "public", "readers": "everyone"}
            job = client.post("/v1/documents", files={"files": ("leave.md", TEXT)}, data=fields).json()["jobs"][0]["id"]
            until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "done", "the job is done")


@pytest.fixture
def home(tmp_path: Path, model_cache: Path) -> Home:
    if not model_cache.exists():
        pytest.skip("the embedder was not fetched: lastro models pull embedder")
    return Home(tmp_path)


def run(home: Home, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {**home.environment, **more}
    return subprocess.run(
        [*LASTRO, *words], cwd=home.folder, env=environment, capture_output=True, text=True, check=False
    )


def test_one_server_a_folder_commands_find_it_and_it_ends_cleanly(home: Home) -> None:
    with home.running() as running:
        second = run(home, "serve")
        assert second.returncode == 4
        assert "Another Lastro process" in second.stderr
        told = json.loads(run(home, "status", "--json").stdout)
        assert (told["server"], told["url"], told["status"]) == ("running", running.url, "ready")
        taken = {"LASTRO_SERVER__PORT": running.url.rsplit(":")[-1], "LASTRO_DATA_DIR": "other"}
        assert run(home, "init", **taken).returncode == 0
        refused = run(home, "serve", **taken)
        assert refused.returncode == 1
        assert "Cannot listen" in refused.stderr
        children = running.children()
        assert len(children) >= 3
        running.process.terminate()
        assert running.process.wait(timeout=PATIENCE_SECONDS) == 0
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert DataFolder(home.folder / "lastro-data").server() is None


def test_what_is_killed_comes_back_and_when_the_supervisor_is_killed_all_go(home: Home) -> None:
    with home.running() as running:
        running.add()
        for name in ("api", "worker", "index"):
            before = running.child(name)
            before.kill()
            until(lambda name=name, before=before: running.child(name).pid != before.pid, f"another {name}")
            until(running.ready, f"ready after the {name} died")
        running.add()
        children = running.children()
        running.process.kill()
        running.process.wait()
        gone, alive = psutil.wait_procs(children, timeout=PATIENCE_SECONDS)
        assert not alive
        assert len(gone) >= 3
    with home.running() as again, again.client() as client:
        assert client.post("/v1/answers", json=QUESTION).json()["status"] == "answered"


async def test_a_stream_tells_tokens_as_they_come_and_a_running_answer_is_finished_before_the_server_stops(
    tmp_path: Path, model_cache: Path
) -> None:
    if not model_cache.exists():
        pytest.skip("the embedder was not fetched: lastro models pull embedder")
    with slow_model() as url:
        home = Home(tmp_path, LASTRO_LLM__KIND="openai-compatible", LASTRO_LLM__URL=url)
        with home.running() as running:
            await asyncio.to_thread(running.add)
            headers = {"Authorization": f"Bearer {home.key}"}
            async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=60) as client:
                came = await events_of(client)
                asking = asyncio.create_task(client.post("/v1/answers", json=QUESTION))
                await asyncio.sleep(1.5)
                running.process.terminate()
                reply = await asking
            assert reply.status_code == 200
            assert "25 days" in reply.json()["answer"]
            assert await asyncio.to_thread(running.process.wait, PATIENCE_SECONDS) == 0
    names = [name for _, name in came]
    assert (names[0], names[-1]) == ("passages", "answer")
    tokens = [moment for moment, name in came if name == "token"]
    assert len(tokens) >= 2
    assert tokens[-1] - tokens[0] > 0.5


async def events_of(client: httpx.AsyncClient) -> list[tuple[float, str]]:
    """When which event came."""
    came: list[tuple[float, str]] = []
    async with client.stream("POST", "/v1/answers", json={**QUESTION, "stream": True}) as reply:
        async for line in reply.aiter_lines():
            if line.startswith("event: "):
                came.append((time.monotonic(), line.removeprefix("event: ")))
    return came

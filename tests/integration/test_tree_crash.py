"""kill -9 of any process in the server's tree while documents come in: none lost, none twice, none half there."""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.xdist_group("server")]

LASTRO = [sys.executable, "-P", "-m", "api.cli"]
DOCUMENTS_A_ROUND = 12
PATIENCE_SECONDS = 90.0


def text_of(round_number: int, n: int) -> bytes:
    """A document with a word that no other has."""
    body = " ".join(f"Paragraph {k} of instruction {round_number}-{n} says how the pump is cleaned." for k in range(60))
    return f"# Instruction {round_number}-{n}\n\nThe code word is zebra{round_number}x{n}.\n\n{body}\n".encode()


class Tree:
    """A running `lastro serve` that is killed piece by piece."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            port = listening.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LASTRO_")}
        self.environment = {**kept, "LASTRO_SERVER__PORT": str(port), "LASTRO_LLM__KIND": "extractive"}
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None
        made = subprocess.run(
            [*LASTRO, "init", "--json"], cwd=folder, env=self.environment, capture_output=True, check=True
        )
        self.key = json.loads(made.stdout)["admin_key"]

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*LASTRO, "serve"], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        self.wait(lambda: httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=60)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=20)

    def processes(self) -> list[psutil.Process]:
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def kill_one(self, chance: random.Random) -> str:
        """kill -9 of one of them; the whole tree is started again if it was the root."""
        victim = chance.choice(self.processes())
        name = " ".join(victim.cmdline()[-4:])
        victim.kill()
        if self.process and victim.pid == self.process.pid:
            self.process.wait()
            time.sleep(1.0)
            self.start()
        return name

    def wait(self, condition: Any) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                if found := condition():
                    return found
            except (httpx.TransportError, psutil.NoSuchProcess):
                pass
            time.sleep(0.2)
        log = (self.folder / "server.log").read_text(errors="replace")[-4000:]
        raise AssertionError(f"it did not come about in {PATIENCE_SECONDS} s\n{log}")


@pytest.fixture
def tree(tmp_path: Path, model_cache: Path) -> Iterator[Tree]:
    if not model_cache.exists():
        pytest.skip("the embedder was not fetched: lastro models pull embedder")
    started = Tree(tmp_path)
    started.start()
    yield started
    started.stop()


def send(tree: Tree, round_number: int) -> list[str]:
    """Upload one round's documents; a request that died is repeated with the same Idempotency-Key."""

    def attempt() -> list[str]:
        files = [("files", (f"r{round_number}/{n}.md", text_of(round_number, n))) for n in range(DOCUMENTS_A_ROUND)]
        with tree.client() as client:
            reply = client.post(
                "/v1/documents",
                files=files,
                data={"label": "internal", "readers": "everyone"},
                headers={"Idempotency-Key": f"round-{round_number}"},
            )
        return [job["id"] for job in reply.json()["jobs"]] if reply.status_code == 202 else []

    return list(tree.wait(attempt))


def settled(tree: Tree, jobs: list[str]) -> list[dict[str, Any]]:
    """The jobs once all of them are final."""

    def attempt() -> list[dict[str, Any]]:
        with tree.client() as client:
            states = [client.get(f"/v1/jobs/{job}").json() for job in jobs]
        return states if all(state.get("state") in {"done", "failed"} for state in states) else []

    return list(tree.wait(attempt))


def check_everything(tree: Tree, rounds: int) -> None:
    """Each document is there once, whole and findable, and catalogue and index agree."""
    with tree.client() as client:
        documents, cursor = [], None
        while True:
            page = client.get("/v1/documents", params={"limit": 100, **({"cursor": cursor} if cursor else {})}).json()
            documents += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        uris = sorted(document["uri"] for document in documents)
        assert uris == sorted(f"r{r}/{n}.md" for r in range(rounds) for n in range(DOCUMENTS_A_ROUND))
        for r in range(rounds):
            for n in (0, DOCUMENTS_A_ROUND - 1):
                found = client.post("/v1/search", json={"query": f"code word zebra{r}x{n}", "limit": 3}).json()[
                    "passages"
                ]
                assert any(f"zebra{r}x{n}." in passage["text"] for passage in found), (r, n)
    tree.stop()  # the doctor looks at a data folder that nobody has open
    doctor = subprocess.run(
        [*LASTRO, "doctor", "--json"], cwd=tree.folder, env=tree.environment, capture_output=True, check=False
    )
    assert doctor.returncode == 0, doctor.stdout
    assert json.loads(doctor.stdout)["differences"] == []


def crash_rounds(tree: Tree, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    print(f"seed {seed}")
    for round_number in range(rounds):
        jobs = send(tree, round_number)
        time.sleep(chance.uniform(0.0, 1.5))
        print(f"round {round_number}: killed {tree.kill_one(chance)}")
        states = settled(tree, jobs)
        assert [job["state"] for job in states] == ["done"] * DOCUMENTS_A_ROUND, states
    check_everything(tree, rounds)


@pytest.mark.timeout(400)
def test_three_kills_lose_nothing(tree: Tree) -> None:
    crash_rounds(tree, 3, seed=20261124)


@pytest.mark.crash
@pytest.mark.timeout(3000)
def test_twenty_kills_lose_nothing(tree: Tree) -> None:
    crash_rounds(tree, 20, seed=random.SystemRandom().randrange(10**9))

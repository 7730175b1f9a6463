"""The processes, run inside the test: a tree until a signal, an api and a worker until their parent dies."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from api.folder import DataFolder, NotInitialised
from api.processes import address_of, listen, until_ready
from api.settings import Settings, load_settings
from api.wiring import entry
from api.wiring.setup import AlreadyInitialised
from api.wiring.tree import index
from retrieval.errors import DataFolderInUse

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.xdist_group("server"), pytest.mark.timeout(300)]


@pytest.fixture
def settings(tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    if not model_cache.exists():
        pytest.skip("the embedder was not fetched: lastro models pull embedder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LASTRO_SERVER__PORT", "0")
    monkeypatch.setenv("LASTRO_LLM__KIND", "extractive")
    return load_settings()


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A supervisor's end of standard input: close it, and the supervisor is dead."""
    read, write = os.pipe()
    with os.fdopen(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield write


async def test_a_tree_says_that_it_is_ready_and_ends_at_a_signal(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotInitialised):
        await entry.serve(settings)
    await entry.initialise(settings)
    with pytest.raises(AlreadyInitialised):
        await entry.initialise(settings)
    serving = asyncio.create_task(entry.serve(settings))
    folder = DataFolder(settings.data_dir)
    async with asyncio.timeout(120):
        while folder.server() is None:  # noqa: ASYNC110 another process announces it
            await asyncio.sleep(0.05)
        url = str(folder.server())
        await until_ready(url)
        with pytest.raises(DataFolderInUse):
            await entry.serve(settings)
        await asyncio.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
    assert f"Lastro is ready at {url}\n" in capfd.readouterr().out
    assert folder.server() is None


@asynccontextmanager
async def initialised(settings: Settings) -> AsyncIterator[DataFolder]:
    await entry.initialise(settings)
    folder = DataFolder(settings.data_dir)
    async with index(settings, folder):
        yield folder


async def test_an_api_answers_until_its_parent_dies(settings: Settings, parent: int) -> None:
    async with initialised(settings) as folder:
        listener = listen("127.0.0.1", 0)
        url = address_of(listener)
        serving = asyncio.create_task(entry.serve_api(settings, supervised=True, listener=listener.detach()))
        async with asyncio.timeout(120):
            await until_ready(url)
            headers = {"authorization": f"Bearer {folder.token()}"}
            async with httpx.AsyncClient(base_url=url, headers=headers) as client:
                assert (await client.get("/v1/me")).json()["user"] == "admin"
                assert "server" not in (await client.get("/healthz")).headers
            os.close(parent)
            await serving


async def test_a_worker_works_until_its_parent_dies(
    settings: Settings, parent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    niceness: list[int] = []
    monkeypatch.setattr(os, "nice", lambda more: niceness.append(more) or more)
    async with initialised(settings):
        working = asyncio.create_task(entry.serve_worker(settings, supervised=True))
        await asyncio.sleep(1.0)
        assert not working.done()
        os.close(parent)
        async with asyncio.timeout(120):
            await working
    assert niceness == [5]

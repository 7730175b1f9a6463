import asyncio
from typing import Any

import pytest

from api.auth import Role
from retrieval.errors import StoreUnavailable


async def test_alive_and_ready_need_no_key(server: Any) -> None:
    async with server.client() as client:
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        ready = await client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert set(ready.json()["checks"].values()) == {"ok"}


async def fails() -> None:
    raise StoreUnavailable


async def hangs() -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize(("check", "state"), [(fails, "store_unavailable"), (hangs, "timed_out")])
async def test_a_part_that_does_not_work_makes_the_server_unready_but_not_dead(
    server: Any, check: Any, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.health.CHECK_SECONDS", 0.05)
    async with server.client(checks={"index": check}) as client:
        ready = await client.get("/readyz")
        assert (await client.get("/healthz")).status_code == 200
    assert (ready.status_code, ready.json()) == (503, {"status": "not_ready", "checks": {"index": state}})
    assert ready.headers["retry-after"] == "1"


async def test_the_page_of_routes_lists_them_all_and_loads_nothing(server: Any) -> None:
    async with server.client(await server.key("anna")) as client:
        page = await client.get("/docs")
        schema = (await client.get("/openapi.json")).json()
    for path in schema["paths"]:
        assert path.replace("{", "{") in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text


@pytest.mark.parametrize("path", ["/healthz", "/v1/me", "/docs", "/nothing"])
async def test_every_response_has_the_protective_headers(server: Any, path: str) -> None:
    async with server.client(await server.key("anna", role=Role.READER)) as client:
        headers = (await client.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


async def test_figures_hold_no_names(server: Any) -> None:
    async with server.client(await server.key("anna")) as client:
        await client.get("/v1/documents", params={"source": "canary-source"})
        text = (await client.get("/metrics")).text
    assert 'route="/v1/documents"' in text
    assert "canary" not in text
    assert "anna" not in text

"""A prompt goes to the configured model server and nowhere else: no proxy of the environment, no redirect."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from serving.adapters.openai_compatible import OpenAICompatibleModel, Timeouts
from serving.errors import ModelRejected, ModelUnavailable
from serving.model import DraftEnd, Message, Prompt

SECRET = "the merger closes on 14 May"
PROMPT = Prompt("Q?", "en", (), (Message("user", SECRET),))
QUICK = Timeouts(2.0, 2.0, 3.0)
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


class Recorder:
    """A server on loopback that keeps every byte it gets and answers as told."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.received = b""
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0
        )
        self.received += head + await reader.readexactly(length)
        writer.write(self.replies.pop(0) if self.replies else b"HTTP/1.1 500 X\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Recorder"]:
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self


def reply(body: str, kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 200 X\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}".encode()


MODELS = reply(json.dumps({"data": [{"id": "m"}]}))
DRAFT = reply('data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n', "text/event-stream")


async def test_a_proxy_of_the_environment_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Recorder().listening() as proxy, Recorder(MODELS, DRAFT).listening() as server:
        for name in PROXIES:
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        model = OpenAICompatibleModel(f"http://127.0.0.1:{server.port}", "m", timeouts=QUICK)
        deltas = [delta async for delta in model.draft(PROMPT)]
        await model.close()
    assert isinstance(deltas[-1], DraftEnd)
    assert SECRET.encode() in server.received
    assert proxy.received == b""


async def test_credentials_of_the_environment_are_not_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ana password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with Recorder(MODELS, DRAFT).listening() as server:
        model = OpenAICompatibleModel(f"http://127.0.0.1:{server.port}", "m", timeouts=QUICK)
        [_ async for _ in model.draft(PROMPT)]
        await model.close()
    assert b"authorization" not in server.received.lower()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_takes_neither_prompt_nor_key_anywhere(status: int) -> None:
    async with Recorder().listening() as elsewhere:
        away = (
            f"HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:{elsewhere.port}/\r\nconnection: close\r\n\r\n".encode()
        )
        async with Recorder(MODELS, away).listening() as server:
            model = OpenAICompatibleModel(f"http://127.0.0.1:{server.port}", "m", api_key="key", timeouts=QUICK)
            with pytest.raises(ModelRejected):
                [_ async for _ in model.draft(PROMPT)]
            await model.close()
    assert elsewhere.received == b""


async def test_no_prompt_is_sent_to_a_server_that_does_not_serve_the_model() -> None:
    async with Recorder(reply('{"data": [{"id": "other"}]}')).listening() as server:
        model = OpenAICompatibleModel(f"http://127.0.0.1:{server.port}", "m", timeouts=QUICK)
        with pytest.raises(Exception, match="serves other"):
            [_ async for _ in model.draft(PROMPT)]
        await model.close()
    assert SECRET.encode() not in server.received


async def test_a_failure_says_nothing_of_the_prompt() -> None:
    async with Recorder(MODELS).listening() as server:
        model = OpenAICompatibleModel(f"http://127.0.0.1:{server.port}", "m", timeouts=QUICK)
        with pytest.raises(ModelUnavailable) as caught:
            [_ async for _ in model.draft(PROMPT)]
        await model.close()
    assert "merger" not in f"{caught.value.message}{caught.value.hint}"

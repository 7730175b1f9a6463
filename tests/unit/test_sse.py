import asyncio
import json
from collections.abc import AsyncGenerator

from api.schemas.answers import TokenEvent
from api.sse import error_event, event, with_pulse
from retrieval.errors import StoreUnavailable


def test_an_event_is_a_name_and_json_on_one_line() -> None:
    assert event("token", TokenEvent(text="two\nlines")) == b'event: token\ndata: {"text":"two\\nlines"}\n\n'


def test_an_error_is_the_problem_document() -> None:
    name, data = error_event(StoreUnavailable()).decode().strip().split("\n")
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["code"] == "store_unavailable"


async def test_a_comment_keeps_a_quiet_line_open() -> None:
    async def events() -> AsyncGenerator[bytes]:
        yield b"first"
        await asyncio.sleep(0.05)
        yield b"second"

    seen = [piece async for piece in with_pulse(events(), seconds=0.02)]
    assert seen[0] == b"first"
    assert seen[-1] == b"second"
    assert set(seen[1:-1]) == {b": still here\n\n"}


async def test_who_stops_listening_stops_the_work() -> None:
    stopped = asyncio.Event()

    async def events() -> AsyncGenerator[bytes]:
        try:
            yield b"first"
            await asyncio.sleep(60)
        finally:
            stopped.set()

    listening = with_pulse(events())
    async for _ in listening:
        break
    await listening.aclose()  # type: ignore[attr-defined]
    assert stopped.is_set()

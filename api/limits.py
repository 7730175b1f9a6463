"""What one request may cost: bytes before they are read, time, and how many run at once.

Overload is shed at once with a time to come back; nothing queues without bound.
"""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BodyTooLarge, Overloaded, RequestTimedOut, problem_of

ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz", "/metrics"})
JSON_BYTES = 2**20


class BodyLimit:
    """Refuses a body that is too large: by its announced length unread, else as soon as it is passed."""

    def __init__(self, app: ASGIApp, *, upload_bytes: int, upload_path: str) -> None:
        self.app = app
        self.upload_bytes = upload_bytes
        self.upload_path = upload_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with a counted body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.upload_bytes if scope["path"] == self.upload_path else JSON_BYTES
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > limit:
            await BodyTooLarge(limit).answer()(scope, receive, send)
            return
        try:
            await self.app(scope, counted(receive, limit), send)
        except BodyTooLarge as error:
            await error.answer()(scope, receive, send)


def counted(receive: Receive, limit: int) -> Receive:
    """The same channel, which raises once more than `limit` bytes came through."""
    received = 0

    async def channel() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise BodyTooLarge(limit)
        return message

    return channel


class Shedding:
    """Lets a fixed number of requests run and sends the others away at once; health is always answered."""

    def __init__(self, app: ASGIApp, *, limit: int, running: Callable[[int], None]) -> None:
        self.app = app
        self.limit = limit
        self.report = running
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on if there is room."""
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self.app(scope, receive, send)
            return
        if self.running >= self.limit:
            await problem_of(Overloaded())(scope, receive, send)
            return
        self.running += 1
        self.report(self.running)
        try:
            await self.app(scope, receive, send)
        finally:
            self.running -= 1
            self.report(self.running)


class Deadline:
    """Ends what takes too long: with a problem document, or by cutting off what was already begun."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with a clock running."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(self.seconds) as clock:
                await self.app(scope, receive, watch)
        except TimeoutError:
            if started or not clock.expired():
                raise
            answer = problem_of(RequestTimedOut())
            # Who sends a body too slowly would otherwise hold the connection for as long as they like.
            answer.headers["Connection"] = "close"
            await answer(scope, receive, send)

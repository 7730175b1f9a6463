"""`Idempotency-Key`: a POST that is sent twice, because the first answer was lost, is carried out once.

Only what changes something is remembered. Questions and searches may be repeated without harm, and a remembered answer
would show text that was deleted or closed to the reader in between.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import IO, Protocol

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import Caller
from api.errors import IdempotencyMismatch, RequestInvalid, StillRunning, problem_of

HEADER = "idempotency-key"
REPLAYED = "Idempotency-Replayed"
MAX_KEY = 200
IN_MEMORY = 2**20
PIECE = 2**16
HARMLESS = frozenset({"/v1/answers", "/v1/search"})
# What is shown once is not kept: a repeat gets the rest of the reply.
SHOWN_ONCE = {"/v1/keys": "key"}
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a request; `status` 0 while it is being carried out."""

    fingerprint: str
    status: int
    body: bytes


class Replies(Protocol):
    """Where outcomes are remembered, by user and key."""

    async def begin(self, user: str, key: str, fingerprint: str) -> Reply | None:
        """Claim the key; None if it is free, else what became of its first request."""

    async def finish(self, user: str, key: str, reply: Reply) -> None:
        """Remember the outcome."""

    async def forget(self, user: str, key: str) -> None:
        """Free the key: the request failed and may be repeated."""


class Idempotency:
    """Carries out each keyed POST once and repeats its reply."""

    def __init__(self, app: ASGIApp, *, replies: Replies) -> None:
        self.app = app
        self.replies = replies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what has no key; claim, carry out and remember what has one."""
        key = Headers(scope=scope).get(HEADER) if scope["type"] == "http" and scope["method"] == "POST" else None
        caller = scope.get("state", {}).get("caller")
        if key is None or scope["path"] in HARMLESS or not isinstance(caller, Caller):
            await self.app(scope, receive, send)
            return
        if not 0 < len(key) <= MAX_KEY:
            await problem_of(RequestInvalid("An Idempotency-Key has 1 to 200 characters."))(scope, receive, send)
            return
        with SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            if not await keep(receive, body):
                return
            fingerprint = fingerprint_of(scope, body)
            user = caller.principal.user
            earlier = await self.replies.begin(user, key, fingerprint)
            if earlier is not None:
                await repeat(earlier, fingerprint)(scope, receive, send)
                return
            await self._first(scope, replayed(body, receive), send, Claim(user, key, fingerprint))

    async def _first(self, scope: Scope, receive: Receive, send: Send, claim: "Claim") -> None:
        outcome = Outcome(send)
        try:
            await self.app(scope, receive, outcome.watch)
        finally:
            reply = outcome.reply(claim.fingerprint, SHOWN_ONCE.get(scope["path"]))
            if reply is None:
                await self.replies.forget(claim.user, claim.key)
            else:
                await self.replies.finish(claim.user, claim.key, reply)


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that is being carried out for the first time."""

    user: str
    key: str
    fingerprint: str


class Outcome:
    """Watches a response go by and keeps it."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.status = 0
        self.kind = ""
        self.body = b""
        self.whole = False

    async def watch(self, message: Message) -> None:
        """Pass a message on and remember it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.kind = Headers(raw=message["headers"]).get("content-type", "")
        else:
            self.body += message.get("body", b"")
            self.whole = not message.get("more_body", False)
        await self.send(message)

    def reply(self, fingerprint: str, hidden: str | None) -> Reply | None:
        """What to remember: a success in JSON, without what is shown once; None for all else."""
        if not self.whole or not 200 <= self.status < 300 or not self.kind.startswith(JSON_TYPE):
            return None
        body = self.body
        if hidden is not None:
            body = json.dumps({**json.loads(body), hidden: None}).encode()
        return Reply(fingerprint, self.status, body)


async def keep(receive: Receive, body: IO[bytes]) -> bool:
    """Read the body into the file; False when the client hung up before its end."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        body.write(message.get("body", b""))
        more = message.get("more_body", False)
    return True


def fingerprint_of(scope: Scope, body: IO[bytes]) -> str:
    """Path, query and body, without the boundary of a form's parts: clients choose a new one each time."""
    boundary = Headers(scope=scope).get("content-type", "").partition("boundary=")[2].strip('"').encode()
    digest = sha256(f"{scope['path']}?{scope['query_string'].decode('latin-1')}\n".encode())
    body.seek(0)
    for line in body:
        digest.update(line.replace(boundary, b"") if boundary else line)
    body.seek(0)
    return digest.hexdigest()


def replayed(body: IO[bytes], receive: Receive) -> Receive:
    """The kept body as a channel; after its end the client's own channel, which tells when it hangs up."""
    over = False

    async def channel() -> Message:
        nonlocal over
        if over:
            return await receive()
        piece = body.read(PIECE)
        over = len(piece) < PIECE
        return {"type": "http.request", "body": piece, "more_body": not over}

    return channel


def repeat(earlier: Reply, fingerprint: str) -> Response:
    """The reply to a request that was sent before."""
    if earlier.fingerprint != fingerprint:
        return problem_of(IdempotencyMismatch())
    if earlier.status == 0:
        return problem_of(StillRunning())
    return Response(earlier.body, earlier.status, {REPLAYED: "true"}, media_type=JSON_TYPE)

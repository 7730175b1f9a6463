"""The FastAPI application, put together from parts that the wiring made."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from api.auth import Authenticator, SignIn
from api.errors import UnexpectedErrors
from api.idempotency import Idempotency
from api.limits import BodyLimit, Deadline, Shedding
from api.parts import Parts
from api.routes import answers, docs, documents, health, jobs, keys, me, search
from api.telemetry import RequestLog

UPLOAD_PATH = "/v1/documents"
GRACE_SECONDS = 5.0  # a stream ends itself at its deadline, with an event; this is for what does not

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class SecurityHeaders:
    """The same protective headers on every response; nothing is kept by a cache unless a route says so."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and add the headers."""

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                extra = [(name, value) for name, value in HEADERS if name not in present]
                if b"cache-control" not in present:
                    extra.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await self.app(scope, receive, add)


def create_app(parts: Parts) -> FastAPI:
    """The application. The middlewares read from the inside out: the last one added sees a request first."""
    app = FastAPI(title="Lastro", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.parts = parts
    for noun in (answers, search, documents, jobs, keys, me, health, docs):
        app.include_router(noun.router)
    errors.install(app)
    limits = parts.settings.server
    app.add_middleware(Idempotency, replies=parts.replies)
    app.add_middleware(BodyLimit, upload_bytes=limits.max_body_mb * 2**20, upload_path=UPLOAD_PATH)
    authenticator = Authenticator(parts.accounts, parts.scale, local_digest=parts.local_digest)
    app.add_middleware(SignIn, authenticator=authenticator)
    app.add_middleware(Deadline, seconds=limits.request_seconds + GRACE_SECONDS)
    app.add_middleware(Shedding, limit=limits.max_requests, running=parts.metrics.running.set)
    app.add_middleware(UnexpectedErrors)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog, metrics=parts.metrics)
    return app

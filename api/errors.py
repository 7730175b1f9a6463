"""Every error as `application/problem+json` (RFC 9457) with a stable `code` and what to do about it.

A foreign thing and a missing one get the same bytes. What nobody foresaw is a 500 without a word of the cause: its
text may hold a document's.
"""

import traceback
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.errors import UnreadableDocument
from retrieval.errors import (
    IndexDamaged,
    LastroError,
    ModelFileDamaged,
    NotFound,
    PermanentFailure,
    StoreRefused,
    TemporaryFailure,
    UnknownLabel,
    WrongEmbedder,
)
from serving.errors import ModelRejected, QuestionInvalid, WrongModel

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 1


class NotSignedIn(PermanentFailure):
    """There is no valid key with this request."""

    code = "not_signed_in"
    remedy = "Send `Authorization: Bearer KEY`; an administrator makes keys with `lastro keys create`."


class NotAllowed(PermanentFailure):
    """Your role does not allow this."""

    code = "not_allowed"
    remedy = "Ask an administrator for a key with a higher role."


class RequestInvalid(PermanentFailure):
    """The request is not valid."""

    code = "request_invalid"
    remedy = "Correct the request; `/docs` shows what each route takes."


class IdempotencyMismatch(PermanentFailure):
    """This Idempotency-Key was used with another request."""

    code = "idempotency_mismatch"
    remedy = "Use a new Idempotency-Key for each different request."


class StillRunning(TemporaryFailure):
    """The first request with this Idempotency-Key is still being carried out."""

    code = "still_running"
    remedy = "Repeat the request in a moment."


class Overloaded(TemporaryFailure):
    """The server has as many requests as it can carry."""

    code = "overloaded"
    remedy = "Repeat the request after the time in `Retry-After`."


class RequestTimedOut(TemporaryFailure):
    """The request took longer than allowed."""

    code = "request_timed_out"
    remedy = "Repeat it, or raise `server.request_seconds`."


class BodyTooLarge(HTTPException):
    """The body is larger than allowed: by its announced length, or as it turned out while it was read."""

    def __init__(self, limit: int) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {limit} bytes.")

    def answer(self) -> Response:
        """The problem document; the connection ends, for the rest of the body is not read."""
        remedy = "Send less at a time, or raise `server.max_body_mb`."
        return problem(self.status_code, "body_too_large", self.detail, remedy, Connection="close")


# The first class of an error's ancestry that stands here decides.
STATUS: dict[type[LastroError], int] = {
    NotSignedIn: 401,
    NotAllowed: 403,
    NotFound: 404,
    StillRunning: 409,
    RequestInvalid: 422,
    IdempotencyMismatch: 422,
    UnknownLabel: 422,
    QuestionInvalid: 422,
    UnreadableDocument: 422,
    WrongModel: 503,
    ModelRejected: 503,
    WrongEmbedder: 503,
    StoreRefused: 503,
    IndexDamaged: 503,
    ModelFileDamaged: 503,
    TemporaryFailure: 503,
    LastroError: 500,
}

# What the framework itself raises: code and remedy by status.
FRAMEWORK: dict[int, tuple[str, str]] = {
    400: ("bad_request", "Correct the request; `/docs` shows what each route takes."),
    404: ("not_found", NotFound.remedy),
    405: ("method_not_allowed", "`/docs` shows the methods of each route."),
    415: ("unsupported_media_type", "Send JSON, or multipart for files."),
    422: (RequestInvalid.code, RequestInvalid.remedy),
}


def status_of(error: LastroError) -> int:
    """The HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(status: int, code: str, detail: str, remedy: str, **headers: str) -> JSONResponse:
    """A problem document."""
    content = {
        "type": f"urn:lastro:error:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "remedy": remedy,
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse(content, status, named, media_type="application/problem+json")


def problem_of(error: LastroError) -> JSONResponse:
    """The problem document of one of our errors."""
    status = status_of(error)
    headers = {"WWW_Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    if isinstance(error, TemporaryFailure):
        headers["Retry_After"] = str(RETRY_AFTER_SECONDS)
    return problem(status, error.code, error.message, error.hint, **headers)


async def on_lastro_error(request: Request, error: Exception) -> Response:
    """One of our own errors."""
    if not isinstance(error, LastroError):
        raise error
    if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_failed", path=route_of(request.scope), code=error.code)
    return problem_of(error)


async def on_framework_error(request: Request, error: Exception) -> Response:
    """What the framework refuses: unknown paths, methods, bodies that are not what they say."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem_of(NotFound())
    if isinstance(error, BodyTooLarge):
        return error.answer()
    code, remedy = FRAMEWORK.get(error.status_code, ("error", LastroError.remedy))
    allow = {"Allow": (error.headers or {})["Allow"]} if error.headers and "Allow" in error.headers else {}
    return problem(error.status_code, code, str(error.detail), remedy, **allow)


async def on_invalid_request(request: Request, error: Exception) -> Response:
    """A request that does not fit the route's schema: says where and why, never what was sent."""
    if not isinstance(error, RequestValidationError):
        raise error
    places = (f"{'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}" for entry in error.errors())
    return problem_of(RequestInvalid("; ".join(places)))


def route_of(scope: Scope) -> str:
    """The route's pattern, never the path itself: ids and names stay out of logs and metrics."""
    route = scope.get("route")
    return str(getattr(route, "path", "unmatched"))


class UnexpectedErrors:
    """Turns what nobody foresaw into a 500 that says nothing, and into a log line that says where."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and answer for what fails."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except LastroError as error:
            if not started:
                await problem_of(error)(scope, receive, send)
        except Exception as error:  # noqa: BLE001 the outermost loop of a request
            frames = traceback.extract_tb(error.__traceback__)[-6:]
            where = [f"{frame.filename}:{frame.lineno}" for frame in frames]
            log.error("request_crashed", path=route_of(scope), error=type(error).__name__, where=where)
            if scope["type"] == "http" and not started:
                answer = problem(500, "error", "Something went wrong in Lastro.", LastroError.remedy)
                await answer(scope, receive, send)


def install(app: FastAPI) -> None:
    """Answer with problem documents from now on."""
    app.add_exception_handler(LastroError, on_lastro_error)
    app.add_exception_handler(HTTPException, on_framework_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)

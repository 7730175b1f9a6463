"""Whether the server lives, whether it can serve, and its figures. Alive and ready are different questions."""

import asyncio

import structlog
from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from api.auth import Reader
from api.parts import Wired
from retrieval.errors import LastroError

log = structlog.get_logger()
router = APIRouter(tags=["health"])

CHECK_SECONDS = 2.0


@router.get("/healthz")
async def healthz() -> JSONResponse:
    """The process runs and answers."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz")
async def readyz(parts: Wired) -> JSONResponse:
    """Questions can be answered: every part that this needs answers by itself. 503 when one does not."""
    states: dict[str, str] = {}
    for name, check in parts.checks.items():
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await check()
            states[name] = "ok"
        except TimeoutError:
            states[name] = "timed_out"
        except LastroError as error:
            states[name] = error.code
    ready = all(state == "ok" for state in states.values())
    if not ready:
        log.warning("not_ready", **states)
    content = {"status": "ready" if ready else "not_ready", "checks": states}
    return JSONResponse(content, 200 if ready else 503, {} if ready else {"Retry-After": "1"})


@router.get("/metrics")
async def metrics(parts: Wired, caller: Reader) -> Response:
    """Figures for Prometheus; give it a key of its own with the role reader."""
    return Response(parts.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

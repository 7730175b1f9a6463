"""`GET /docs`: every route on one page that needs nothing from another server and runs no script."""

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from api.auth import Reader

router = APIRouter(tags=["docs"])

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Lastro: HTTP</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}}
code{{background:#f2f2f2;padding:.1em .3em}}dt{{margin-top:1.2rem;font-weight:600}}</style>
<h1>Lastro: HTTP</h1><p>Every route wants <code>Authorization: Bearer KEY</code>.
The schema is at <code>/openapi.json</code>.</p>
<dl>{entries}</dl></html>"""


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request, caller: Reader) -> HTMLResponse:
    """The routes with what they do and what they take."""
    schema = request.app.openapi()
    entries = "".join(entry(path, method, operation) for path, method, operation in operations(schema))
    return HTMLResponse(PAGE.format(entries=entries))


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def entry(path: str, method: str, operation: dict[str, Any]) -> str:
    """One operation as HTML."""
    names = ", ".join(f"<code>{escape(parameter['name'])}</code>" for parameter in operation.get("parameters", ()))
    bodies = operation.get("requestBody", {}).get("content", {})
    taken = "; ".join([f"takes {names}" if names else "", *(f"body {escape(kind)}" for kind in bodies)]).strip("; ")
    about = escape(operation.get("description", ""))
    return f"<dt><code>{method} {escape(path)}</code></dt><dd>{about}{f'<br>{taken}' if taken else ''}</dd>"

"""What commands print and how they end: one JSON document or text for people; progress and errors elsewhere."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.client import Refused
from api.folder import NotInitialised
from api.sections import SettingsInvalid
from retrieval.errors import DataFolderInUse, LastroError, NotFound, TemporaryFailure, UnknownLabel

FAILED, WRONG_USAGE, NOT_ALLOWED, UNAVAILABLE = 1, 2, 3, 4
BY_STATUS = {400: WRONG_USAGE, 422: WRONG_USAGE, 401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_ALLOWED, 429: UNAVAILABLE}
BY_ERROR: dict[type[LastroError], int] = {
    NotFound: NOT_ALLOWED,
    SettingsInvalid: WRONG_USAGE,
    UnknownLabel: WRONG_USAGE,
    NotInitialised: FAILED,
    DataFolderInUse: UNAVAILABLE,
    TemporaryFailure: UNAVAILABLE,
    LastroError: FAILED,
}

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def run(work: Callable[[], Awaitable[T]], *, as_json: bool) -> T:
    """Carry out a command; an error is told with its remedy and ends the process with the right code."""
    try:
        return asyncio.run(awaited(work))
    except Refused as error:
        tell(error.code, error.message, error.remedy, as_json=as_json)
        raise typer.Exit(UNAVAILABLE if error.status >= 500 else BY_STATUS.get(error.status, FAILED)) from error
    except LastroError as error:
        tell(error.code, error.message, error.hint, as_json=as_json)
        raise typer.Exit(exit_code(error)) from error


async def awaited(work: Callable[[], Awaitable[T]]) -> T:
    """The awaitable as the coroutine that `asyncio.run` wants."""
    return await work()


def exit_code(error: LastroError) -> int:
    """The exit code of one of our errors: the first class of its ancestry that stands in the table decides."""
    return next(BY_ERROR[kind] for kind in type(error).__mro__ if kind in BY_ERROR)


def tell(code: str, message: str, remedy: str, *, as_json: bool) -> None:
    """Say what went wrong: on standard error for people, as the one document for programs."""
    if as_json:
        show_json({"error": {"code": code, "message": message, "remedy": remedy}})
    err.print(message, markup=False, style=None if as_json else "red")
    if remedy:
        err.print(remedy, markup=False)


def show_json(document: object) -> None:
    """The one document on standard output."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")
    sys.stdout.flush()


def table(title: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """A table for people; through a pipe, lines with tabs between the cells, which nothing cuts or folds."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not out.is_terminal:
        for line in [list(columns), *cells]:
            sys.stdout.write("\t".join(" ".join(cell.split()) for cell in line) + "\n")
        return
    shown = Table(title=title or None, box=None, header_style="bold", pad_edge=False)
    for place, column in enumerate(columns):
        shown.add_column(column, overflow="fold", no_wrap=place == 0)
    for line in cells:
        shown.add_row(*map(Text, line))
    out.print(shown)

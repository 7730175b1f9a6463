"""`lastro serve`, `lastro api` and `lastro worker`: the processes themselves."""

import asyncio
import sys
from typing import Annotated

import typer

from api.commands.output import FAILED, err, exit_code
from api.logs import configure_logs
from api.processes import CANNOT_START
from api.settings import load_settings
from api.wiring import entry
from retrieval.errors import LastroError, PermanentFailure

Supervised = Annotated[bool, typer.Option("--supervised", hidden=True)]


def serve() -> None:
    """Run everything: index, worker and api, started again when they die, stopped cleanly by Ctrl-C or SIGTERM."""
    try:
        settings = load_settings()
        configure_logs(settings.log_level, process="serve")
        asyncio.run(entry.serve(settings))
    except LastroError as error:
        err.print(error.message, markup=False)
        err.print(error.hint, markup=False)
        raise typer.Exit(exit_code(error)) from error


def api(supervised: Supervised = False, listener: Annotated[int | None, typer.Option(hidden=True)] = None) -> None:
    """Run the HTTP server alone, for set-ups where Qdrant, the database and workers run elsewhere."""
    try:
        settings = load_settings()
        configure_logs(settings.log_level, process="api")
        asyncio.run(entry.serve_api(settings, supervised=supervised, listener=listener))
    except LastroError as error:
        raise typer.Exit(give_up(error, supervised=supervised)) from error


def worker(supervised: Supervised = False) -> None:
    """Run a worker alone: any number of them share the queue."""
    try:
        settings = load_settings()
        configure_logs(settings.log_level, process="worker")
        asyncio.run(entry.serve_worker(settings, supervised=supervised))
    except LastroError as error:
        raise typer.Exit(give_up(error, supervised=supervised)) from error


def give_up(error: LastroError, *, supervised: bool) -> int:
    """Say why, and tell a supervisor whether starting again could help."""
    sys.stderr.write(f"{error.message} {error.hint}\n")
    if not supervised:
        return exit_code(error)
    return CANNOT_START if isinstance(error, PermanentFailure) else FAILED

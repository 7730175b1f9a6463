"""The doors of the wiring for the command line. What lies behind is imported when a door is used: a command that only
talks to a running server starts in a third of a second.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from api.found import Found, Unreadable
from api.settings import Settings

if TYPE_CHECKING:
    from api.wiring.models import ModelStore
    from retrieval.evaluation import RetrievalFigures
    from retrieval.model import Language, ParsedDocument
    from retrieval.upkeep import Difference


@asynccontextmanager
async def embedded_application(settings: Settings, *, working: bool) -> AsyncIterator[ASGIApp]:
    """The application in this process, with a worker if it is wanted. Raises NotInitialised, DataFolderInUse."""
    from api.wiring.application import embedded

    async with embedded(settings, working=working) as app:
        yield app


async def initialise(settings: Settings) -> str:
    """Make the data folder and the first administrator; the administrator's key. Raises AlreadyInitialised."""
    from api.wiring.setup import initialise as make

    return await make(settings)


async def differences(settings: Settings, *, repair: bool) -> Sequence["Difference"]:
    """Where catalogue, index and files disagree, repaired if wanted. Raises DataFolderInUse."""
    from api.wiring.setup import differences as find

    return await find(settings, repair=repair)


async def serve(settings: Settings) -> None:
    """The whole tree, until a signal."""
    from api.wiring.tree import serve_tree

    await serve_tree(settings)


async def serve_api(settings: Settings, *, supervised: bool, listener: int | None) -> None:
    """The HTTP server, until a signal."""
    from api.wiring.processes import serve_api as run

    await run(settings, supervised=supervised, listener=listener)


async def serve_worker(settings: Settings, *, supervised: bool) -> None:
    """A worker, until a signal."""
    from api.wiring.processes import serve_worker as run

    await run(settings, supervised=supervised)


async def parsed(settings: Settings, data: bytes, name: str) -> "ParsedDocument":
    """What the parser sees. Raises an UnreadableDocument."""
    from api.wiring.parsing import parser

    reader = parser(settings)
    try:
        return await reader.parse(data, name)
    finally:
        await reader.close()


def model_store(settings: Settings, *, told: bool = False) -> "ModelStore":
    """The model files, with progress on standard error if it is to be told."""
    from api.wiring.models import ModelStore, to_stderr

    return ModelStore(settings, to_stderr if told else None)


def files_under(paths: Sequence[Path], settings: Settings) -> AsyncIterator[Found | Unreadable]:
    """The files of folders, with the access that the folders say."""
    from api.wiring.sources import files_under as walk

    return walk(paths, settings)


async def measured_retrieval(
    settings: Settings, folder: Path, *, split: str, language: "Language | None", limit: int | None
) -> "RetrievalFigures":
    """How well the library finds on a BEIR collection. Raises PermanentFailure when the folder is none."""
    from api.wiring.measuring import measure_retrieval

    return await measure_retrieval(settings, folder, split=split, language=language, limit=limit)

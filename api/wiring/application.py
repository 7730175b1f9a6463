"""The whole application from settings: for the api process, for a worker, and for a command that runs by itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import uuid4

from starlette.types import ASGIApp

from api.accounts import Accounts
from api.app import create_app
from api.auth import digest_of_key
from api.folder import DataFolder
from api.parts import Parts
from api.replies import SqlReplies
from api.settings import Settings
from api.wiring.chat import chat_model, warmed
from api.wiring.encoders import Encoders, encoders
from api.wiring.instants import COMMAND_PATIENCE_SECONDS, now
from api.wiring.parsing import parser
from api.wiring.stores import database, job_queue, vectors
from api.wiring.tree import index
from ingest.adapters.sql_jobs import SqlJobLog
from ingest.intake import Intake
from ingest.pipeline import Pipeline
from ingest.ports import JobLog, JobQueue, Parser
from ingest.retries import RetryPolicy
from ingest.worker import Worker
from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.folder_parsed import FolderParsedTexts
from retrieval.adapters.sql_catalogue import SqlCatalogue
from retrieval.adapters.sql_database import Database
from retrieval.library import Library
from retrieval.ports import VectorStore
from serving.answering import Answering, AnsweringSettings
from serving.ports import ChatModel


@dataclass(frozen=True, slots=True)
class Stock:
    """What every process of an application has."""

    settings: Settings
    database: Database
    encoders: Encoders
    vectors: VectorStore
    library: Library
    originals: FolderOriginals
    jobs: JobLog
    queue: JobQueue
    intake: Intake


@asynccontextmanager
async def stock(settings: Settings, socket_path: Path | None) -> AsyncIterator[Stock]:
    """Database, encoders and the opened library; all closed again, whatever happens."""
    async with AsyncExitStack() as stack:
        tables = database(settings)
        stack.push_async_callback(tables.close)
        await tables.migrate()
        made = await encoders(settings)
        stack.push_async_callback(made.embedder.close)
        folder = settings.data_dir.absolute()
        originals, store = FolderOriginals(folder / "originals"), vectors(settings, socket_path)
        library = Library(
            catalogue=SqlCatalogue(tables, settings.scale, now),
            vectors=store,
            originals=originals,
            parsed_texts=FolderParsedTexts(folder / "parsed"),
            embedder=made.embedder,
            sparse=made.sparse,
            detector=made.detector,
            translator=made.translator,
            scale=settings.scale,
        )
        stack.push_async_callback(library.close)
        await library.open()
        jobs = SqlJobLog(tables, settings.scale)
        queue = job_queue(settings)
        stack.push_async_callback(queue.close)
        intake = Intake(jobs=jobs, queue=queue, originals=originals, scale=settings.scale, clock=now, new_id=uuid4)
        yield Stock(settings, tables, made, store, library, originals, jobs, queue, intake)


@asynccontextmanager
async def chat(settings: Settings) -> AsyncIterator[ChatModel]:
    """The language model; its process, if it has one, goes with it."""
    model = await chat_model(settings)
    try:
        yield model
    finally:
        await model.close()


def parts_of(held: Stock, model: ChatModel) -> Parts:
    """What the routes work with, on this stock."""
    settings, made = held.settings, held.encoders
    answering = Answering(
        library=held.library,
        local=model,
        scale=settings.scale,
        detector=made.detector,
        translator=made.translator,
        clock=time.monotonic,
        new_id=uuid4,
        settings=AnsweringSettings(
            draft_seconds=settings.llm.timeout_seconds,
            min_confidence=settings.answers.min_confidence,
            embedder=made.embedder.identity.name,
        ),
    )
    token = DataFolder(settings.data_dir).token()
    accounts = Accounts(held.database, clock=now)
    return Parts(
        settings=settings,
        scale=settings.scale,
        library=held.library,
        answering=answering,
        intake=held.intake,
        jobs=held.jobs,
        accounts=accounts,
        replies=replies(held),
        checks=checks(held, accounts),
        local_digest=digest_of_key(token) if token else "",
    )


def replies(held: Stock) -> SqlReplies:
    """What became of requests that may be repeated."""
    return SqlReplies(held.database, clock=now, longest_request=2 * held.settings.server.request_seconds)


def checks(held: Stock, accounts: Accounts) -> dict[str, Callable[[], Awaitable[object]]]:
    """What must work so that questions can be answered."""
    embedder = held.encoders.embedder
    return {
        "database": lambda: accounts.users(limit=1),
        "index": held.vectors.count,
        "embedder": lambda: embedder.embed_queries(["ready"]),
    }


@asynccontextmanager
async def worker_of(held: Stock) -> AsyncIterator[Worker]:
    """What carries out jobs, on this stock; its parser's children go with it."""
    reader = parser(held.settings)
    pipeline = Pipeline(
        jobs=held.jobs,
        originals=held.originals,
        parser=reader,
        chunker=held.encoders.chunker(),
        library=held.library,
        clock=now,
        retries=RetryPolicy(now, Random()),  # noqa: S311 it spreads retries, it guards nothing
    )
    async with closing(reader):
        yield Worker(pipeline=pipeline, intake=held.intake, queue=held.queue)


@asynccontextmanager
async def closing(parser: Parser) -> AsyncIterator[None]:
    """Close the parser in the end."""
    try:
        yield
    finally:
        await parser.close()


@asynccontextmanager
async def api_parts(settings: Settings, socket_path: Path | None) -> AsyncIterator[Parts]:
    """The api process: answers, searches, takes documents in; the first question finds everything loaded."""
    async with stock(settings, socket_path) as held, chat(settings) as model, background(warmed(model)):
        await held.encoders.embedder.embed_queries(["ready"])
        if socket_path is not None:
            # One process alone answers for an embedded index: what it had begun when it died, nobody will finish.
            await replies(held).forget_unfinished()
        yield parts_of(held, model)


@asynccontextmanager
async def worker(settings: Settings, socket_path: Path | None) -> AsyncIterator[Worker]:
    """A worker process."""
    async with stock(settings, socket_path) as held, worker_of(held) as made:
        yield made


@asynccontextmanager
async def embedded(settings: Settings, *, working: bool) -> AsyncIterator[ASGIApp]:
    """Everything in this process but the index, for one command. Raises NotInitialised, DataFolderInUse."""
    folder = DataFolder(settings.data_dir)
    with folder.locked(COMMAND_PATIENCE_SECONDS):
        async with (
            index(settings, folder) as socket_path,
            stock(settings, socket_path) as held,
            chat(settings) as model,
            AsyncExitStack() as stack,
        ):
            if working:
                made = await stack.enter_async_context(worker_of(held))
                await stack.enter_async_context(background(made.run()))
            yield create_app(parts_of(held, model))


@asynccontextmanager
async def background(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Work that goes on meanwhile and is stopped in the end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})

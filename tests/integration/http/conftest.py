"""The whole application on the real database and the twins of everything that needs model files or other processes."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from api.accounts import Accounts
from api.app import create_app
from api.auth import Role, User, digest_of_key
from api.parts import Parts
from api.replies import SqlReplies
from api.settings import Settings
from ingest.adapters.memory import MemoryJobLog, MemoryJobQueue
from ingest.adapters.memory_parser import MemoryParser
from ingest.chunking import StructureChunker
from ingest.intake import Intake
from ingest.pipeline import Pipeline
from ingest.retries import RetryPolicy
from ingest.worker import Worker
from retrieval.access import LabelScale
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.memory import MemoryCatalogue, MemoryOriginals, MemoryParsedTexts
from retrieval.adapters.memory_encoders import MemoryEmbedder, WordTokenizer
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.sql_database import Database
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.library import Library
from serving.adapters.extractive import ExtractiveModel
from serving.answering import Answering, AnsweringSettings

SCALE = LabelScale()


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Owned:
    """What a user has."""

    document_id: str
    job_id: str


class Server:
    """An application without a network: clients for any key, and a worker that works when told to."""

    def __init__(self, parts: Parts, worker: Worker, token: str) -> None:
        self.parts = parts
        self.worker = worker
        self.token = token
        self.app: FastAPI = create_app(parts)

    @asynccontextmanager
    async def client(self, key: str | None = None, **changed: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(replace(self.parts, **changed)) if changed else self.app
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers, timeout=30) as made:
            yield made

    async def key(
        self, user: str, *, groups: list[str] | None = None, clearance: str = "public", role: Role = Role.READER
    ) -> str:
        row = User("main", user, frozenset(groups or ()), clearance, role)
        return (await self.parts.accounts.create_key(row))[1]

    async def revoke(self, key: str) -> None:
        found = await self.parts.accounts.by_key(digest_of_key(key))
        assert found is not None
        await self.parts.accounts.revoke(found[0])

    async def work(self) -> None:
        """Carry out what waits."""
        for job in await self.parts.jobs.unfinished():
            await self.worker.carry_out(UUID(str(job)))

    async def everything_of(self, user: str) -> Owned:
        """A document and a job that nobody else may see."""
        async with self.client(await self.key(user, role=Role.CONTRIBUTOR, clearance="restricted")) as client:
            reply = await client.post("/v1/documents", files={"files": ("secret.txt", b"A secret of the owner.")})
            job = reply.json()["jobs"][0]["id"]
            await self.work()
            return Owned((await client.get(f"/v1/jobs/{job}")).json()["document_id"], job)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once: each test gets a copy."""
    path = tmp_path_factory.mktemp("database") / "lastro.db"

    async def make() -> None:
        database = Database.in_file(path)
        await database.migrate()
        await database.close()

    asyncio.run(make())
    return path


@pytest.fixture
async def server(tmp_path: Path, empty_database: Path) -> AsyncIterator[Server]:
    shutil.copy(empty_database, tmp_path / "lastro.db")
    database = Database.in_file(tmp_path / "lastro.db")
    originals, detector = MemoryOriginals(), WordEvidenceDetector()
    library = Library(
        catalogue=MemoryCatalogue(SCALE, now),
        vectors=MemoryVectorStore(),
        originals=originals,
        parsed_texts=MemoryParsedTexts(),
        embedder=MemoryEmbedder(),
        sparse=Bm25Encoder(),
        detector=detector,
        translator=None,
        scale=SCALE,
    )
    await library.open()
    jobs, queue = MemoryJobLog(), MemoryJobQueue()
    intake = Intake(jobs=jobs, queue=queue, originals=originals, scale=SCALE, clock=now, new_id=uuid4)
    answering = Answering(
        library=library,
        local=ExtractiveModel(),
        scale=SCALE,
        detector=detector,
        clock=time.monotonic,
        new_id=uuid4,
        settings=AnsweringSettings(embedder="memory-words"),
    )
    pipeline = Pipeline(
        jobs=jobs,
        originals=originals,
        parser=MemoryParser(),
        chunker=StructureChunker(WordTokenizer(), detector),
        library=library,
        clock=now,
        retries=RetryPolicy(now, Random(1)),
    )
    accounts = Accounts(database, clock=now)
    admin = User("main", "admin", frozenset(), "restricted", Role.ADMINISTRATOR)
    _, token = await accounts.create_key(admin)
    parts = Parts(
        settings=Settings(),
        scale=SCALE,
        library=library,
        answering=answering,
        intake=intake,
        jobs=jobs,
        accounts=accounts,
        replies=SqlReplies(database, clock=now, longest_request=60),
        checks={"nothing": lambda: asyncio.sleep(0)},
        local_digest=digest_of_key(token),
    )
    yield Server(parts, Worker(pipeline=pipeline, intake=intake, queue=queue), token)
    await library.close()
    await database.close()

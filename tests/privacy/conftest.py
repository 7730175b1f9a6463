"""The whole application on the real database and the real folders, without model files and without other processes."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.accounts import Accounts
from api.app import create_app
from api.auth import Role, User, digest_of_key
from api.parts import Parts
from api.replies import SqlReplies
from api.settings import Settings
from ingest.adapters.memory import MemoryJobQueue
from ingest.adapters.memory_parser import MemoryParser
from ingest.adapters.sql_jobs import SqlJobLog
from ingest.chunking import StructureChunker
from ingest.intake import Intake
from ingest.pipeline import Pipeline
from ingest.retries import RetryPolicy
from ingest.worker import Worker
from retrieval.access import LabelScale
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.folder_parsed import FolderParsedTexts
from retrieval.adapters.memory_encoders import MemoryEmbedder, WordTokenizer
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.sql_catalogue import SqlCatalogue
from retrieval.adapters.sql_database import Database
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.library import Library
from serving.adapters.extractive import ExtractiveModel
from serving.answering import Answering, AnsweringSettings

SCALE = LabelScale()


def now() -> datetime:
    return datetime.now(UTC)


class House:
    """An application without a network: clients for any key, and a worker that works when told to."""

    def __init__(self, folder: Path, database: Database, vectors: MemoryVectorStore) -> None:
        self.folder = folder
        self.vectors = vectors
        self.originals = FolderOriginals(folder / "originals")
        self.library = Library(
            catalogue=SqlCatalogue(database, SCALE, now),
            vectors=vectors,
            originals=self.originals,
            parsed_texts=FolderParsedTexts(folder / "parsed"),
            embedder=MemoryEmbedder(),
            sparse=Bm25Encoder(),
            detector=WordEvidenceDetector(),
            translator=None,
            scale=SCALE,
        )
        self.jobs, queue = SqlJobLog(database, SCALE), MemoryJobQueue()
        intake = Intake(jobs=self.jobs, queue=queue, originals=self.originals, scale=SCALE, clock=now, new_id=uuid4)
        self.accounts = Accounts(database, clock=now)
        self.worker = Worker(pipeline=self._pipeline(), intake=intake, queue=queue)
        self.parts = Parts(
            settings=Settings(),
            scale=SCALE,
            library=self.library,
            answering=self.answering(ExtractiveModel()),
            intake=intake,
            jobs=self.jobs,
            accounts=self.accounts,
            replies=SqlReplies(database, clock=now, longest_request=60),
            checks={},
        )

    def _pipeline(self) -> Pipeline:
        return Pipeline(
            jobs=self.jobs,
            originals=self.originals,
            parser=MemoryParser(),
            chunker=StructureChunker(WordTokenizer(), WordEvidenceDetector()),
            library=self.library,
            clock=now,
            retries=RetryPolicy(now, Random(1)),
        )

    def answering(self, model: Any) -> Answering:
        return Answering(
            library=self.library,
            local=model,
            scale=SCALE,
            detector=WordEvidenceDetector(),
            clock=time.monotonic,
            new_id=uuid4,
            settings=AnsweringSettings(embedder="memory-words"),
        )

    @asynccontextmanager
    async def client(self, key: str | None = None, **changed: Any) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(create_app(replace(self.parts, **changed)))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers, timeout=30) as made:
            yield made

    async def key(
        self, user: str, role: Role = Role.READER, *, groups: tuple[str, ...] = (), clearance: str = "restricted"
    ) -> str:
        return (await self.accounts.create_key(User("main", user, frozenset(groups), clearance, role)))[1]

    async def revoke(self, key: str) -> None:
        found = await self.accounts.by_key(digest_of_key(key))
        assert found is not None
        await self.accounts.revoke(found[0])

    async def work(self) -> None:
        """Carry out what waits."""
        for job in await self.jobs.unfinished():
            await self.worker.carry_out(job)

    async def add(self, user: str, text: str, name: str = "note.txt", **form: Any) -> tuple[str, str]:
        """A document of that user and its job: their ids."""
        async with self.client(await self.key(user, Role.CONTRIBUTOR)) as client:
            reply = await client.post("/v1/documents", files={"files": (name, text.encode())}, data=form)
            assert reply.status_code == 202, reply.text
            job = reply.json()["jobs"][0]["id"]
            await self.work()
            return (await client.get(f"/v1/jobs/{job}")).json()["document_id"], job


@pytest.fixture
def vectors() -> MemoryVectorStore:
    """The index; a test may put another one in its place."""
    return MemoryVectorStore()


@pytest.fixture
async def house(tmp_path: Path, vectors: MemoryVectorStore) -> AsyncIterator[House]:
    database = Database.in_file(tmp_path / "lastro.db")
    await database.migrate()
    made = House(tmp_path, database, vectors)
    await made.library.open()
    yield made
    await made.library.close()

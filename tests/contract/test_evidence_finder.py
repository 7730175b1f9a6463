"""What answering expects of a library, tried on the one in memory and on the real one over parts in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import pytest

from retrieval.access import EVERYONE, Access, LabelScale, Principal
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.folder_parsed import FolderParsedTexts
from retrieval.adapters.memory_encoders import MemoryEmbedder
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.sql_catalogue import SqlCatalogue
from retrieval.adapters.sql_database import Database
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.errors import NotFound
from retrieval.library import Library
from retrieval.model import (
    Chunk,
    DocumentVersion,
    Page,
    ParsedDocument,
    SearchFilters,
    chunk_id,
    digest_of,
    document_id,
)
from serving.adapters.memory import MemoryLibrary, StoredText
from serving.ports import EvidenceFinder

SCALE = LabelScale()
ANA = Principal("main", "ana", frozenset({"hr"}), SCALE.label("confidential"))
BEN = Principal("main", "ben", frozenset(), SCALE.label("internal"))
EVE = Principal("other", "eve", frozenset({"hr"}), SCALE.highest)
OPEN = Access("main", frozenset({EVERYONE}), SCALE.label("internal"))
CLOSED = Access("main", frozenset({"group:hr"}), SCALE.label("confidential"))
LEAVE = "Every employee has 25 days of annual leave.\n\nLeave is asked for 30 days ahead."
PAY = "The annual bonus of managers is paid in March."
NO_FILTERS = SearchFilters()


class Filled(Protocol):
    """A library with a way to put a document in and to take it out again."""

    finder: EvidenceFinder

    async def add(self, uri: str, text: str, access: Access) -> UUID:
        """One passage for each paragraph."""

    async def remove(self, document: UUID) -> None:
        """As a user with every right does."""


class InMemory:
    def __init__(self) -> None:
        self.library = MemoryLibrary()
        self.finder: EvidenceFinder = self.library

    async def add(self, uri: str, text: str, access: Access) -> UUID:
        stored = StoredText(uri, ParsedDocument(text, "text/plain", pages=(Page(1, 0, len(text)),)), access)
        self.library.documents.append(stored)
        return stored.id

    async def remove(self, document: UUID) -> None:
        self.library.documents = [one for one in self.library.documents if one.id != document]


class Real:
    def __init__(self, library: Library) -> None:
        self.library = library
        self.finder: EvidenceFinder = library

    async def add(self, uri: str, text: str, access: Access) -> UUID:
        document, digest = document_id(access.tenant, "files", uri), digest_of(text.encode())
        version = DocumentVersion(document, digest, "files", uri, "", "text/plain", len(text), access)
        chunks, start = [], 0
        for n, part in enumerate(text.split("\n\n")):
            end = start + len(part)
            chunks.append(Chunk(chunk_id(document, digest, n), document, digest, n, start, end, part))
            start = end + 2
        await self.library.write(version, ParsedDocument(text, "text/plain", pages=(Page(1, 0, len(text)),)), chunks)
        return document

    async def remove(self, document: UUID) -> None:
        await self.library.delete(document, reader=ANA)


@asynccontextmanager
async def in_memory(_: Path) -> AsyncIterator[Filled]:
    yield InMemory()


@asynccontextmanager
async def real(folder: Path) -> AsyncIterator[Filled]:
    database = Database.in_file(folder / "lastro.db")
    await database.migrate()
    library = Library(
        catalogue=SqlCatalogue(database, SCALE, lambda: datetime.now(UTC)),
        vectors=MemoryVectorStore(),
        originals=FolderOriginals(folder / "originals"),
        parsed_texts=FolderParsedTexts(folder / "parsed"),
        embedder=MemoryEmbedder(),
        sparse=Bm25Encoder(),
        detector=WordEvidenceDetector(),
        translator=None,
        scale=SCALE,
    )
    await library.open()
    yield Real(library)
    await library.close()


@pytest.fixture(params=[in_memory, real], ids=lambda make: make.__name__)
async def filled(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Filled]:
    make: Callable[[Path], object] = request.param
    async with make(tmp_path) as library:  # type: ignore[attr-defined]
        yield library


async def found(filled: Filled, question: str, reader: Principal, limit: int = 10, **filters: str) -> list[str]:
    evidence = await filled.finder.evidence(question, reader=reader, filters=SearchFilters(**filters), limit=limit)  # type: ignore[arg-type]
    return [passage.chunk.text for passage in evidence.passages]


async def test_the_best_passages_come_first_and_are_slices_of_the_stored_text(filled: Filled) -> None:
    await filled.add("leave.txt", LEAVE, OPEN)
    evidence = await filled.finder.evidence("days of annual leave", reader=ANA, filters=NO_FILTERS, limit=10)
    best = evidence.passages[0]
    parsed = await filled.finder.parsed(best.chunk.document_id, best.chunk.version, reader=ANA)
    assert best.chunk.text == LEAVE.split("\n\n", maxsplit=1)[0] == parsed.text[best.chunk.start : best.chunk.end]
    assert [one.score for one in evidence.passages] == sorted((one.score for one in evidence.passages), reverse=True)
    assert not evidence.may_leave


async def test_pages_come_with_the_stored_text(filled: Filled) -> None:
    document = await filled.add("leave.txt", LEAVE, OPEN)
    assert (await filled.finder.parsed(document, None, reader=ANA)).pages == (Page(1, 0, len(LEAVE)),)


async def test_nobody_finds_what_they_may_not_read(filled: Filled) -> None:
    await filled.add("pay.txt", PAY, CLOSED)
    assert await found(filled, "annual bonus of managers", ANA) == [PAY]
    assert await found(filled, "annual bonus of managers", BEN) == []
    assert await found(filled, "annual bonus of managers", EVE) == []


@pytest.mark.parametrize("reader", [BEN, EVE])
async def test_a_foreign_text_and_a_missing_one_are_alike(filled: Filled, reader: Principal) -> None:
    document = await filled.add("pay.txt", PAY, CLOSED)
    version = digest_of(PAY.encode())
    with pytest.raises(NotFound) as foreign:
        await filled.finder.parsed(document, version, reader=reader)
    with pytest.raises(NotFound) as missing:
        await filled.finder.parsed(UUID(int=1), version, reader=reader)
    assert foreign.value.message == missing.value.message


async def test_what_was_removed_is_gone_for_search_and_for_citations(filled: Filled) -> None:
    document = await filled.add("leave.txt", LEAVE, OPEN)
    await filled.remove(document)
    assert await found(filled, "annual leave", ANA) == []
    with pytest.raises(NotFound):
        await filled.finder.parsed(document, digest_of(LEAVE.encode()), reader=ANA)


async def test_another_version_is_not_the_one_asked_for(filled: Filled) -> None:
    document = await filled.add("leave.txt", LEAVE, OPEN)
    with pytest.raises(NotFound):
        await filled.finder.parsed(document, digest_of(b"another"), reader=ANA)


async def test_the_limit_and_the_filters_hold(filled: Filled) -> None:
    await filled.add("hr/leave.txt", LEAVE, OPEN)
    await filled.add("pay/leave.txt", PAY, OPEN)
    assert len(await found(filled, "annual leave days bonus", ANA, limit=1)) == 1
    assert set(await found(filled, "annual leave days bonus", ANA, uri_prefix="pay/")) == {PAY}


async def test_an_empty_library_finds_nothing(filled: Filled) -> None:
    assert await found(filled, "annual leave", ANA) == []

"""Any story gives the same state in a database as in the twin in memory, seen by every kind of reader."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.access import Access, LabelScale, Principal
from retrieval.adapters.memory import MemoryCatalogue
from retrieval.adapters.sql_catalogue import SqlCatalogue
from retrieval.adapters.sql_database import Database, address
from retrieval.adapters.sql_migrations import migrate
from retrieval.errors import LastroError
from retrieval.model import Chunk, DocumentVersion, SearchFilters, chunk_id, digest_of, document_id
from retrieval.ports import Catalogue

SCALE = LabelScale(("low", "middle", "high"))
TENANTS = ("acme", "other")
URIS = ("a", "b/c", "B/c")
CONTENTS = (b"one", b"two", b"three")
READERS = [
    Principal("acme", "ana", frozenset({"hr"}), SCALE.highest),
    Principal("acme", "bob", frozenset(), SCALE.lowest),
    Principal("acme", "", frozenset({"hr"}), SCALE.highest),
    Principal("other", "ana", frozenset({"hr", "it"}), SCALE.label("middle")),
]

tenants = st.sampled_from(TENANTS)
accesses = st.builds(
    lambda tenant, readers, label: Access(tenant, readers, SCALE.label(label)),
    tenants,
    st.frozensets(st.sampled_from(["everyone", "group:hr", "group:it", "user:ana", "user:bob"]), max_size=3),
    st.sampled_from(SCALE.names),
)


@dataclass(frozen=True)
class Commit:
    """Make a version current."""

    uri: str
    content: bytes
    access: Access
    chunks: int
    language: str

    async def __call__(self, catalogue: Catalogue) -> object:
        document = document_id(self.access.tenant, "files", self.uri)
        digest = digest_of(self.content)
        version = DocumentVersion(document, digest, "files", self.uri, "T", "text/plain", 1, self.access)
        return await catalogue.commit_version(
            version, chunks_of(document, digest, self.chunks, self.language), parsed=f"p{self.content!r}", pages=1
        )


@dataclass(frozen=True)
class Change:
    """Delete a document, or give it another access."""

    tenant: str
    uri: str
    reader: Principal
    access: Access | None

    async def __call__(self, catalogue: Catalogue) -> object:
        document = document_id(self.tenant, "files", self.uri)
        if self.access is None:
            return await catalogue.delete(document, reader=self.reader)
        return await catalogue.set_access(document, self.access, reader=self.reader)


steps = st.one_of(
    st.builds(
        Commit,
        st.sampled_from(URIS),
        st.sampled_from(CONTENTS),
        accesses,
        st.integers(0, 3),
        st.sampled_from(["en", "pt"]),
    ),
    st.builds(Change, tenants, st.sampled_from(URIS), st.sampled_from(READERS), st.none() | accesses),
)


def chunks_of(document: UUID, digest: str, count: int, language: str) -> list[Chunk]:
    return [
        Chunk(chunk_id(document, digest, n), document, digest, n, n, n + 1, f"{digest[:9]} {n}", language=language)  # type: ignore[arg-type]
        for n in range(count)
    ]


EVERY_CHUNK = [
    chunk_id(document_id(tenant, "files", uri), digest_of(content), n)
    for tenant in TENANTS
    for uri in URIS
    for content in CONTENTS
    for n in range(3)
]
FILTERS = [SearchFilters(), SearchFilters(uri_prefix="b"), SearchFilters(sources=frozenset({"files"}))]


class Ticking:
    """A clock that moves on each time it is read, alike for both catalogues as long as they read it alike."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now


async def outcome(step, catalogue: Catalogue) -> object:
    """What a step returned or how it failed."""
    try:
        return await step(catalogue)
    except LastroError as error:
        return type(error), error.message


async def pages(catalogue: Catalogue, reader: Principal, size: int) -> list[object]:
    found: list[object] = []
    cursor = None
    while True:
        page = await catalogue.list_documents(reader=reader, limit=size, cursor=cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


async def everything(catalogue: Catalogue) -> list[object]:
    """All that any reader and upkeep can see."""
    seen: list[object] = [await catalogue.versions(), set(await catalogue.files())]
    seen += [await catalogue.languages(tenant) for tenant in TENANTS]
    for reader in READERS:
        seen += [await catalogue.current(EVERY_CHUNK, reader=reader, filters=filters) for filters in FILTERS]
        seen.append(await catalogue.passages(dict.fromkeys(EVERY_CHUNK, 0.5), reader=reader))
        whole = await pages(catalogue, reader, 100)
        assert await pages(catalogue, reader, 1) == await pages(catalogue, reader, 2) == whole
        seen.append(whole)
    return seen


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("catalogue") / "template.db"
    migrate(address(f"sqlite:///{file}"), patience_seconds=5)
    return file


@asynccontextmanager
async def in_database(template: Path) -> AsyncIterator[SqlCatalogue]:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(template, Path(folder) / "lastro.db")
        catalogue = SqlCatalogue(Database.in_file(Path(folder) / "lastro.db"), SCALE, Ticking())
        try:
            yield catalogue
        finally:
            await catalogue.close()


@settings(max_examples=25, deadline=None)
@given(story=st.lists(steps, max_size=8))
async def test_a_story_ends_alike_in_memory_and_in_a_database(template: Path, story) -> None:
    memory = MemoryCatalogue(SCALE, Ticking())
    async with in_database(template) as database:
        for step in story:
            assert await outcome(step, database) == await outcome(step, memory)
        assert await everything(database) == await everything(memory)


@settings(max_examples=25, deadline=None)
@given(commits=st.lists(steps.filter(lambda step: isinstance(step, Commit)), min_size=1, max_size=5))
async def test_telling_the_last_commit_again_changes_nothing_but_what_it_returns(template: Path, commits) -> None:
    async with in_database(template) as database:
        for commit in commits:
            await commit(database)
        before = await everything(database)
        assert await commits[-1](database) is None
        assert await everything(database) == before

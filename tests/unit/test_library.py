"""The library's story on its twins: writing, searching, opening, closing access."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from retrieval.access import Access, LabelScale, Principal
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.memory import MemoryCatalogue, MemoryOriginals, MemoryParsedTexts
from retrieval.adapters.memory_encoders import MemoryEmbedder
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.errors import DiskFull, NotFound, PermanentFailure, StoreUnavailable, WrongEmbedder
from retrieval.library import Library
from retrieval.model import Chunk, DocumentVersion, Page, ParsedDocument, chunk_id, digest_of, document_id

SCALE = LabelScale()
OPEN = Access("acme", frozenset({"everyone"}), SCALE.lowest)
ANA = Principal("acme", "ana", frozenset({"hr"}), SCALE.highest)
BOB = Principal("acme", "bob", frozenset(), SCALE.lowest)
VACATION = "Employees get thirty days of paid vacation a year.\nUnused days expire in March."


@dataclass
class Parts:
    """A library on its twins, and the twins."""

    catalogue: MemoryCatalogue = field(default_factory=lambda: MemoryCatalogue(SCALE, lambda: datetime.now(UTC)))
    vectors: MemoryVectorStore = field(default_factory=MemoryVectorStore)
    originals: MemoryOriginals = field(default_factory=MemoryOriginals)
    parsed_texts: MemoryParsedTexts = field(default_factory=MemoryParsedTexts)
    embedder: MemoryEmbedder = field(default_factory=MemoryEmbedder)

    def library(self) -> Library:
        return Library(
            catalogue=self.catalogue,
            vectors=self.vectors,
            originals=self.originals,
            parsed_texts=self.parsed_texts,
            embedder=self.embedder,
            sparse=Bm25Encoder(),
            detector=WordEvidenceDetector(),
            translator=None,
            scale=SCALE,
        )


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
async def library(parts: Parts) -> Library:
    library = parts.library()
    await library.open()
    return library


Written = tuple[DocumentVersion, ParsedDocument, list[Chunk]]


def a_document(text: str = VACATION, uri: str = "hr/vacation.txt", access: Access = OPEN) -> Written:
    """One passage for each line."""
    document = document_id(access.tenant, "files", uri)
    version = DocumentVersion(
        document, digest_of(text.encode()), "files", uri, "Guide", "text/plain", len(text), access
    )
    chunks, start = [], 0
    for n, line in enumerate(text.splitlines()):
        identity = chunk_id(document, version.digest, n)
        chunks.append(Chunk(identity, document, version.digest, n, start, start + len(line), line, version.title))
        start += len(line) + 1
    return version, ParsedDocument(text, "text/plain", "Guide", pages=(Page(1, 0, len(text)),)), chunks


async def texts(library: Library, question: str, reader: Principal = ANA, limit: int = 10) -> list[str]:
    return [passage.chunk.text for passage in await library.search(question, reader=reader, limit=limit)]


async def test_what_is_written_is_found_best_first_with_where_it_stands(library: Library) -> None:
    version, parsed, chunks = a_document()
    await library.write(version, parsed, chunks)
    first, second = await library.search("When do unused days expire?", reader=ANA)
    assert first.chunk == chunks[1]
    assert (first.uri, first.source, first.access) == ("hr/vacation.txt", "files", OPEN)
    assert first.score == 1.0
    assert first.score > second.score
    assert first.dense_score > second.dense_score
    assert first.sparse_score > second.sparse_score
    assert parsed.text[first.chunk.start : first.chunk.end] == first.chunk.text
    entry = await library.document(version.document_id, reader=ANA)
    assert (entry.chunks, entry.pages) == (2, 1)
    assert [one.version for one in (await library.list_documents(reader=ANA)).items] == [version]


async def test_the_limit_is_kept(library: Library) -> None:
    await library.write(*a_document("\n".join(f"days of kind {n}" for n in range(20))))
    assert len(await texts(library, "days", limit=3)) == 3
    assert await texts(library, "days", limit=0) == []


@pytest.mark.parametrize("question", ["", "  \n "])
async def test_an_empty_question_finds_nothing(library: Library, question: str) -> None:
    await library.write(*a_document())
    assert await texts(library, question) == []


async def test_a_question_of_stop_words_is_answered_by_its_vector_alone(library: Library) -> None:
    await library.write(*a_document())
    found = await library.search("the of and", reader=ANA)
    assert len(found) == 2
    assert all(passage.sparse_score == 0.0 for passage in found)


async def test_a_reader_without_a_name_does_not_even_reach_the_store(parts: Parts, library: Library) -> None:
    await library.write(*a_document())
    await parts.vectors.close()
    assert await texts(library, "days", replace(ANA, user="")) == []
    with pytest.raises(StoreUnavailable):
        await texts(library, "days")


async def test_a_new_version_takes_the_place_of_the_old_one(parts: Parts, library: Library) -> None:
    old, _, _ = first = a_document()
    await library.write(*first)
    new, _, _ = second = a_document("Employees get twenty days of vacation.")
    await library.write(*second)
    assert await texts(library, "vacation days") == ["Employees get twenty days of vacation."]
    assert await parts.vectors.count() == 1
    assert await library.stored_text(old.document_id, old.digest, reader=ANA) == VACATION
    assert await library.stored_text(new.document_id, new.digest, reader=ANA) == second[1].text


async def test_writing_again_changes_nothing(parts: Parts, library: Library) -> None:
    written = a_document()
    await library.write(*written)
    before = await library.search("vacation", reader=ANA)
    await library.write(*written)
    assert await library.search("vacation", reader=ANA) == before
    assert await parts.vectors.count() == 2


async def test_long_documents_are_indexed_whole(parts: Parts, library: Library) -> None:
    await library.write(*a_document("\n".join(f"paragraph number {n}" for n in range(150))))
    assert await parts.vectors.count() == 150
    assert await texts(library, "paragraph number 149", limit=1) == ["paragraph number 149"]


class FullVectors(MemoryVectorStore):
    """Takes one batch, then its disk is full."""

    batches = 0

    async def upsert(self, points) -> None:
        self.batches += 1
        if self.batches > 1:
            raise DiskFull
        await super().upsert(points)


async def test_a_write_that_fails_half_way_shows_nothing_and_can_be_repeated(parts: Parts) -> None:
    parts.vectors = FullVectors()
    library = parts.library()
    await library.open()
    written = a_document("\n".join(f"paragraph number {n}" for n in range(100)))
    with pytest.raises(DiskFull):
        await library.write(*written)
    assert await texts(library, "paragraph") == []
    with pytest.raises(NotFound):
        await library.document(written[0].document_id, reader=ANA)
    parts.vectors.batches = -10
    await library.write(*written)
    assert len(await texts(library, "paragraph")) == 10


class LastingVectors(MemoryVectorStore):
    """A store that is down for every change but new points."""

    async def remove(self, document, *, keep_version=None) -> None:
        raise StoreUnavailable

    async def relabel(self, document, access) -> None:
        raise StoreUnavailable


async def test_a_document_is_deleted_even_while_the_store_is_down(parts: Parts, library: Library) -> None:
    version, _, _ = written = a_document()
    await library.write(*written)
    parts.vectors.__class__ = LastingVectors
    await library.delete(version.document_id, reader=ANA)
    assert await texts(library, "vacation") == []
    with pytest.raises(NotFound):
        await library.document(version.document_id, reader=ANA)


async def test_closing_access_holds_even_while_the_store_is_down_and_says_so(parts: Parts, library: Library) -> None:
    version, _, _ = written = a_document()
    await library.write(*written)
    parts.vectors.__class__ = LastingVectors
    with pytest.raises(StoreUnavailable):
        await library.set_access(version.document_id, replace(OPEN, readers=frozenset({"user:ana"})), reader=ANA)
    assert await texts(library, "vacation", BOB) == []
    assert len(await texts(library, "vacation", ANA)) == 2


async def test_opening_access_lets_others_find_it(library: Library) -> None:
    version, _, _ = written = a_document(access=replace(OPEN, readers=frozenset({"group:hr"})))
    await library.write(*written)
    assert await texts(library, "vacation", BOB) == []
    await library.set_access(version.document_id, OPEN, reader=ANA)
    assert len(await texts(library, "vacation", BOB)) == 2


async def test_originals_and_texts_open_for_readers_alone(parts: Parts, library: Library) -> None:
    version, parsed, chunks = a_document(access=replace(OPEN, readers=frozenset({"group:hr"})))
    await parts.originals.put(VACATION.encode())
    await library.write(version, parsed, chunks)
    document = version.document_id
    assert await library.original(document, None, reader=ANA) == VACATION.encode()
    assert await library.original(document, version.digest, reader=ANA) == VACATION.encode()
    assert await library.parsed(document, None, reader=ANA) == parsed
    for call in (
        library.original(document, None, reader=BOB),
        library.parsed(document, version.digest, reader=BOB),
        library.stored_text(document, version.digest, reader=BOB),
        library.delete(document, reader=BOB),
        library.set_access(document, OPEN, reader=BOB),
        library.original(document, "sha256:other", reader=ANA),
        library.original(uuid4(), None, reader=ANA),
    ):
        with pytest.raises(NotFound):
            await call


async def test_another_embedder_is_refused_by_catalogue_and_index(parts: Parts, library: Library) -> None:
    parts.embedder = MemoryEmbedder(name="another")
    with pytest.raises(WrongEmbedder):
        await parts.library().open()
    fresh = Parts(vectors=parts.vectors, embedder=parts.embedder)
    with pytest.raises(WrongEmbedder):
        await fresh.library().open()


async def test_a_document_cannot_leave_its_tenant(library: Library) -> None:
    version, _, _ = written = a_document()
    await library.write(*written)
    with pytest.raises(PermanentFailure):
        await library.set_access(version.document_id, replace(OPEN, tenant="other"), reader=ANA)


class SlowVectors(MemoryVectorStore):
    """Lets others run in the middle of every change."""

    async def upsert(self, points) -> None:
        await super().upsert(points)
        await asyncio.sleep(0)

    async def remove(self, document, *, keep_version=None) -> None:
        await asyncio.sleep(0)
        await super().remove(document, keep_version=keep_version)


async def test_writers_of_one_document_take_turns_and_leave_it_whole(parts: Parts) -> None:
    parts.vectors = SlowVectors()
    library = parts.library()
    await library.open()
    versions = [a_document("\n".join(f"vacation rule {n} of state {m}" for n in range(70))) for m in range(4)]
    await asyncio.gather(*(library.write(*written) for written in versions))
    assert await parts.vectors.count() == 70
    states = {text.rsplit(" ", 1)[-1] for text in await texts(library, "vacation rule", limit=70)}
    assert len(states) == 1


async def test_during_a_new_version_s_arrival_readers_see_all_old_or_all_new(parts: Parts) -> None:
    parts.vectors = SlowVectors()
    library = parts.library()
    await library.open()
    versions = [a_document("\n".join(f"vacation rule {n} of state {m}" for n in range(5))) for m in range(2)]
    await library.write(*versions[0])
    writing = True

    async def look() -> set[frozenset[str]]:
        seen = set()
        while writing:
            seen.add(frozenset(await texts(library, "vacation rule")))
            await asyncio.sleep(0)
        return seen

    looking = asyncio.gather(*(look() for _ in range(3)))
    for n in range(1, 8):
        await library.write(*versions[n % 2])
    writing = False
    seen = set().union(*await looking)
    assert seen == {frozenset(chunk.text for chunk in chunks) for _, _, chunks in versions}


async def test_closing_twice_is_harmless(library: Library) -> None:
    await library.close()
    await library.close()

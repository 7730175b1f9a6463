"""The library on the parts it has in production: SQLite, the index process, files; closed and opened again."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retrieval.access import Access, LabelScale, Principal
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.edge_supervisor import EdgeProcess
from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.folder_parsed import FolderParsedTexts
from retrieval.adapters.memory_encoders import MemoryEmbedder, MemoryTranslator
from retrieval.adapters.qdrant_edge import EdgeVectorStore
from retrieval.adapters.sql_catalogue import SqlCatalogue
from retrieval.adapters.sql_database import Database
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.errors import NotFound, PermanentFailure
from retrieval.library import Library
from retrieval.model import (
    Chunk,
    DocumentVersion,
    IndexIdentity,
    Language,
    ParsedDocument,
    SearchFilters,
    chunk_id,
    digest_of,
)
from retrieval.model import document_id as id_of
from retrieval.upkeep import Difference, Fault

SCALE = LabelScale()
OPEN = Access("acme", frozenset({"everyone"}), SCALE.lowest)
ANA = Principal("acme", "ana", frozenset({"hr"}), SCALE.highest)
BOB = Principal("acme", "bob", frozenset(), SCALE.lowest)
WORDS = {"vacation": "férias", "days": "dias", "how": "como", "are": "são", "the": "os", "of": "de", "staff": "equipe"}


class House:
    """The parts in one data folder; `open` gives a library on them, as a new process would."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.socket = folder / "s"

    async def open(self) -> Library:
        database = Database.in_file(self.folder / "lastro.db")
        await database.migrate()
        library = Library(
            catalogue=SqlCatalogue(database, SCALE, lambda: datetime.now(UTC)),
            vectors=EdgeVectorStore(self.socket),
            originals=FolderOriginals(self.folder / "originals"),
            parsed_texts=FolderParsedTexts(self.folder / "parsed"),
            embedder=MemoryEmbedder(),
            sparse=Bm25Encoder(),
            detector=WordEvidenceDetector(),
            translator=MemoryTranslator(WORDS),
            scale=SCALE,
        )
        self.stack.push_async_callback(library.close)
        await library.open()
        return library


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lastro-")))
        await stack.enter_async_context(EdgeProcess(folder / "index", folder / "s"))
        yield House(folder, stack)


async def write(
    library: Library, text: str, uri: str = "a.txt", access: Access = OPEN, language: Language = "en"
) -> DocumentVersion:
    document, digest = id_of(access.tenant, "files", uri), digest_of(text.encode())
    version = DocumentVersion(document, digest, "files", uri, "", "text/plain", len(text), access)
    chunk = Chunk(chunk_id(document, digest, 0), document, digest, 0, 0, len(text), text, language=language)
    await library.write(version, ParsedDocument(text, "text/plain"), [chunk])
    return version


async def uris(library: Library, question: str, reader: Principal = ANA, **filters: object) -> list[str]:
    found = await library.search(question, reader=reader, filters=SearchFilters(**filters))  # type: ignore[arg-type]
    return [passage.uri for passage in found]


async def test_what_was_written_is_there_for_the_next_process(house: House) -> None:
    library = await house.open()
    version = await write(library, "Unused vacation days expire in March.")
    await library.close()
    library = await house.open()
    (passage,) = await library.search("When do vacation days expire?", reader=ANA)
    text = await library.stored_text(version.document_id, version.digest, reader=ANA)
    assert (
        text[passage.chunk.start : passage.chunk.end] == passage.chunk.text == "Unused vacation days expire in March."
    )
    assert (passage.dense_score > 0, passage.sparse_score > 0, passage.score) == (True, True, 1.0)
    assert await library.document(version.document_id, reader=ANA)


async def test_a_question_in_one_language_finds_texts_in_both(house: House) -> None:
    library = await house.open()
    await write(library, "Vacation days of the staff.", "en.txt")
    await write(library, "Dias de férias da equipe.", "pt.txt", language="pt")
    await write(library, "Minutes of the meeting on parking in the last days of June.", "noise.txt")
    await write(library, "Ata da reunião sobre estacionamento nos últimos dias de junho.", "ruido.txt", language="pt")
    for question in ("How are the vacation days of the staff?", "Como são os dias de férias da equipe?"):
        assert set((await uris(library, question))[:2]) == {"en.txt", "pt.txt"}


async def test_revocation_deletion_and_new_versions_act_on_the_next_search(house: House) -> None:
    library = await house.open()
    version = await write(library, "Salary bands of the year.")
    assert await uris(library, "salary", BOB) == ["a.txt"]
    await library.set_access(version.document_id, replace(OPEN, readers=frozenset({"group:hr"})), reader=ANA)
    assert await uris(library, "salary", BOB) == []
    assert await uris(library, "salary", ANA) == ["a.txt"]
    await write(library, "Parking rules.", access=replace(OPEN, readers=frozenset({"group:hr"})))
    (passage,) = await library.search("salary", reader=ANA)
    assert passage.chunk.text == "Parking rules."
    await library.delete(version.document_id, reader=ANA)
    assert await uris(library, "parking", ANA) == []
    with pytest.raises(NotFound):
        await library.stored_text(version.document_id, version.digest, reader=ANA)


async def test_filters_are_the_catalogue_s(house: House) -> None:
    library = await house.open()
    for start in range(0, 120, 20):
        some = (write(library, f"parking rule number {n}", f"many/{n}.txt") for n in range(start, start + 20))
        await asyncio.gather(*some)
    await write(library, "a rule that is hardly about this", "few/one.txt")
    assert await uris(library, "parking rule number", uri_prefix="few/") == ["few/one.txt"]


async def test_many_documents_can_be_written_at_once(house: House) -> None:
    library = await house.open()
    await asyncio.gather(*(write(library, f"rule about item{n}", f"{n}.txt") for n in range(30)))
    assert [difference.what for difference in await library.differences()] == [Fault.ORIGINAL_MISSING] * 30
    for n in (0, 17, 29):
        assert (await uris(library, f"item{n}"))[0] == f"{n}.txt"


async def test_a_lost_index_is_written_anew_from_the_catalogue(house: House) -> None:
    library = await house.open()
    version = await write(library, "Parking is free.")
    await FolderOriginals(house.folder / "originals").put(b"Parking is free.")
    vectors = EdgeVectorStore(house.socket)
    await vectors.open(IndexIdentity(MemoryEmbedder().identity, Bm25Encoder().identity))
    await vectors.remove(version.document_id)
    await vectors.close()
    assert await uris(library, "parking") == []
    expected = [Difference(version.document_id, version.digest, Fault.POINTS_MISSING)]
    assert await library.repair() == expected
    assert await library.differences() == []
    assert await uris(library, "parking") == ["a.txt"]


async def test_a_damaged_original_is_reported_and_nothing_else_suffers(house: House) -> None:
    library = await house.open()
    version = await write(library, "Parking is free.")
    originals = FolderOriginals(house.folder / "originals")
    await originals.put(b"Parking is free.")
    originals.path(version.digest).write_bytes(b"Parking is dear.")
    with pytest.raises(PermanentFailure, match="damaged"):
        await library.original(version.document_id, None, reader=ANA)
    assert await uris(library, "parking") == ["a.txt"]

"""Every way in which catalogue, index and files can disagree, and its repair."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from retrieval.access import Access, LabelScale, Principal
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.memory import MemoryCatalogue, MemoryOriginals, MemoryParsedTexts
from retrieval.adapters.memory_encoders import MemoryEmbedder
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.library import Library
from retrieval.model import Chunk, DocumentVersion, ParsedDocument, chunk_id, digest_of, document_id
from retrieval.upkeep import Difference, Fault

SCALE = LabelScale()
OPEN = Access("acme", frozenset({"everyone"}), SCALE.lowest)
ANA = Principal("acme", "ana", frozenset(), SCALE.highest)
LINES = ["first line", "second line", "third line"]
TEXT = "\n".join(LINES)
DOCUMENT = document_id("acme", "files", "a.txt")
DIGEST = digest_of(TEXT.encode())


def chunks(lines: list[str], digest: str = DIGEST) -> list[Chunk]:
    return [
        Chunk(chunk_id(DOCUMENT, digest, n), DOCUMENT, digest, n, 0, len(line), line) for n, line in enumerate(lines)
    ]


def version(digest: str = DIGEST) -> DocumentVersion:
    return DocumentVersion(DOCUMENT, digest, "files", "a.txt", "", "text/plain", len(TEXT), OPEN)


class Rig:
    """A library with one written document."""

    def __init__(self) -> None:
        self.catalogue = MemoryCatalogue(SCALE, lambda: datetime.now(UTC))
        self.vectors = MemoryVectorStore()
        self.originals, self.parsed_texts = MemoryOriginals(), MemoryParsedTexts()
        self.library = Library(
            catalogue=self.catalogue,
            vectors=self.vectors,
            originals=self.originals,
            parsed_texts=self.parsed_texts,
            embedder=MemoryEmbedder(),
            sparse=Bm25Encoder(),
            detector=WordEvidenceDetector(),
            translator=None,
            scale=SCALE,
        )

    async def write(self, lines: list[str] = LINES, digest: str = DIGEST) -> None:
        parsed = ParsedDocument("\n".join(lines), "text/plain")
        await self.library.write(version(digest), parsed, chunks(lines, digest))

    async def found(self) -> list[str]:
        passages = await self.library.search("line", reader=ANA)
        return sorted(passage.chunk.text for passage in passages)


@pytest.fixture
async def rig() -> Rig:
    rig = Rig()
    await rig.library.open()
    await rig.originals.put(TEXT.encode())
    await rig.write()
    return rig


async def lose_the_points(rig: Rig) -> None:
    await rig.vectors.remove(DOCUMENT)


async def lose_some_points(rig: Rig) -> None:
    kept = list(rig.vectors._points.values())[:1]
    await rig.vectors.remove(DOCUMENT)
    await rig.vectors.upsert(kept)


async def leave_an_older_version(rig: Rig) -> None:
    points = list(rig.vectors._points.values())
    await rig.write(["another line"], digest_of(b"newer"))
    await rig.originals.put(b"newer")
    await rig.vectors.upsert(points)


async def leave_more_points_than_chunks(rig: Rig) -> None:
    parsed = await rig.parsed_texts.put(ParsedDocument(TEXT, "text/plain"))
    await rig.catalogue.commit_version(version(), chunks(LINES[:2]), parsed=parsed, pages=0)


async def leave_a_deleted_document(rig: Rig) -> None:
    await rig.catalogue.delete(DOCUMENT, reader=ANA)


MISSING, LEFT_OVER = Fault.POINTS_MISSING, Fault.POINTS_LEFT_OVER


@pytest.mark.parametrize(
    ("damage", "expected", "found"),
    [
        (lose_the_points, [Difference(DOCUMENT, DIGEST, MISSING)], LINES),
        (lose_some_points, [Difference(DOCUMENT, DIGEST, MISSING)], LINES),
        (leave_an_older_version, [Difference(DOCUMENT, DIGEST, LEFT_OVER)], ["another line"]),
        (
            leave_more_points_than_chunks,
            [Difference(DOCUMENT, DIGEST, LEFT_OVER), Difference(DOCUMENT, DIGEST, MISSING)],
            LINES[:2],
        ),
        (leave_a_deleted_document, [Difference(DOCUMENT, DIGEST, LEFT_OVER)], []),
    ],
)
async def test_what_the_index_has_too_little_or_too_much_is_found_and_repaired(
    rig: Rig, damage: Callable[[Rig], Awaitable[None]], expected: list[Difference], found: list[str]
) -> None:
    await damage(rig)
    assert await rig.library.differences() == expected
    assert await rig.library.repair() == expected
    assert await rig.library.differences() == []
    assert await rig.found() == sorted(found)


async def test_a_sound_library_has_no_differences(rig: Rig) -> None:
    assert await rig.library.differences() == []
    assert await rig.library.repair() == []
    assert await rig.found() == sorted(LINES)


async def test_missing_files_are_found_and_stay_missing_until_the_document_is_added_again(rig: Rig) -> None:
    _, parsed = await rig.catalogue.parsed_digest(DOCUMENT, None, reader=ANA)
    await rig.originals.delete(DIGEST)
    del rig.parsed_texts._parsed[parsed]
    expected = [
        Difference(DOCUMENT, DIGEST, Fault.ORIGINAL_MISSING),
        Difference(DOCUMENT, DIGEST, Fault.TEXT_MISSING),
    ]
    assert await rig.library.repair() == expected
    assert await rig.library.differences() == expected
    await rig.originals.put(TEXT.encode())
    await rig.write()
    assert await rig.library.differences() == []


async def test_files_of_older_versions_are_looked_for_too(rig: Rig) -> None:
    await rig.write(["another line"], digest_of(b"newer"))
    await rig.originals.put(b"newer")
    await rig.originals.delete(DIGEST)
    assert await rig.library.differences() == [Difference(DOCUMENT, DIGEST, Fault.ORIGINAL_MISSING)]

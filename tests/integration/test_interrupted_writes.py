"""A write that is cut off at any step leaves the old version or nothing, and repeating it completes it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from retrieval.access import Access, LabelScale, Principal
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.folder_parsed import FolderParsedTexts
from retrieval.adapters.memory_encoders import MemoryEmbedder
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.sql_catalogue import SqlCatalogue
from retrieval.adapters.sql_database import Database
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.library import Library
from retrieval.model import Chunk, DocumentVersion, ParsedDocument, chunk_id, digest_of, document_id

SCALE = LabelScale()
OPEN = Access("acme", frozenset({"everyone"}), SCALE.lowest)
ANA = Principal("acme", "ana", frozenset(), SCALE.highest)
DOCUMENT = document_id("acme", "files", "a.txt")
# More than one batch of points.
OLD = [f"old rule {n}" for n in range(70)]
NEW = [f"new rule {n}" for n in range(80)]


class PowerLoss(BaseException):
    """No handler catches it: the process is gone."""


class Fuse:
    """Blows when the last of its steps begins."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.seen: list[str] = []

    def pass_through(self, step: str) -> None:
        self.seen.append(step)
        self.left -= 1
        if self.left == 0:
            raise PowerLoss


class Fused:
    """A part whose every call first goes through the fuse."""

    def __init__(self, part: object, fuse: Fuse, names: tuple[str, ...]) -> None:
        self._part, self._fuse, self._names = part, fuse, names

    def __getattr__(self, name: str) -> object:
        method = getattr(self._part, name)
        if name not in self._names:
            return method

        async def through_the_fuse(*arguments: object, **named: object) -> object:
            self._fuse.pass_through(name)
            return await method(*arguments, **named)

        return through_the_fuse


class House:
    """What survives a process: the database file, the files, the index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vectors = MemoryVectorStore()

    async def library(self, fuse: Fuse) -> Library:
        database = Database.in_file(self.folder / "lastro.db")
        await database.migrate()
        library = Library(
            catalogue=Fused(SqlCatalogue(database, SCALE, lambda: datetime.now(UTC)), fuse, ("commit_version",)),  # type: ignore[arg-type]
            vectors=Fused(self.vectors, fuse, ("upsert", "flush", "remove")),  # type: ignore[arg-type]
            originals=FolderOriginals(self.folder / "originals"),
            parsed_texts=Fused(FolderParsedTexts(self.folder / "parsed"), fuse, ("put",)),  # type: ignore[arg-type]
            embedder=Fused(MemoryEmbedder(), fuse, ("embed_passages",)),  # type: ignore[arg-type]
            sparse=Bm25Encoder(),
            detector=WordEvidenceDetector(),
            translator=None,
            scale=SCALE,
        )
        await library.open()
        return library


async def write(library: Library, lines: list[str]) -> None:
    text = "\n".join(lines)
    digest = digest_of(text.encode())
    version = DocumentVersion(DOCUMENT, digest, "files", "a.txt", "", "text/plain", len(text), OPEN)
    chunks = [
        Chunk(chunk_id(DOCUMENT, digest, n), DOCUMENT, digest, n, 0, len(line), line) for n, line in enumerate(lines)
    ]
    await library.write(version, ParsedDocument(text, "text/plain"), chunks)


async def visible(library: Library) -> list[str]:
    found = await library.search("rule", reader=ANA, limit=100)
    return sorted(passage.chunk.text for passage in found)


WRITE = ["put", "embed_passages", "upsert", "embed_passages", "upsert", "flush", "commit_version", "remove"]


async def test_the_steps_of_a_write_are_these_in_this_order(tmp_path: Path) -> None:
    fuse = Fuse(-1)
    library = await House(tmp_path).library(fuse)
    await write(library, OLD)
    assert fuse.seen == WRITE
    await library.close()


STEPS = [pytest.param(n, id=f"{n}-{name}") for n, name in enumerate(WRITE, 1)]


@pytest.mark.parametrize("step", STEPS)
async def test_a_first_version_that_was_cut_off_is_not_there_or_whole_and_repeating_completes_it(
    tmp_path: Path, step: int
) -> None:
    house = House(tmp_path)
    library = await house.library(Fuse(step))
    with pytest.raises(PowerLoss):
        await write(library, NEW)
    await library.close()
    library = await house.library(Fuse(-1))
    assert await visible(library) in ([], sorted(NEW))
    await write(library, NEW)
    assert await visible(library) == sorted(NEW)
    assert await house.vectors.count() == len(NEW)
    await library.close()


@pytest.mark.parametrize("step", STEPS)
async def test_a_new_version_that_was_cut_off_leaves_the_old_or_the_new_one_and_repeating_completes_it(
    tmp_path: Path, step: int
) -> None:
    house = House(tmp_path)
    library = await house.library(Fuse(-1))
    await write(library, OLD)
    await library.close()
    library = await house.library(Fuse(step))
    with pytest.raises(PowerLoss):
        await write(library, NEW)
    await library.close()
    library = await house.library(Fuse(-1))
    committed = step > WRITE.index("commit_version") + 1
    assert await visible(library) == sorted(NEW if committed else OLD)
    await write(library, NEW)
    assert await visible(library) == sorted(NEW)
    assert await house.vectors.count() == len(NEW)
    await library.close()


@pytest.mark.parametrize("step", STEPS)
async def test_upkeep_clears_away_what_a_cut_off_write_left(tmp_path: Path, step: int) -> None:
    house = House(tmp_path)
    library = await house.library(Fuse(-1))
    await write(library, OLD)
    await library.close()
    library = await house.library(Fuse(step))
    with pytest.raises(PowerLoss):
        await write(library, NEW)
    await library.close()
    library = await house.library(Fuse(-1))
    before = await visible(library)
    await library.repair()
    points = {"points_missing", "points_left_over"}
    assert not [difference for difference in await library.differences() if difference.what in points]
    assert await visible(library) == before
    assert await house.vectors.count() == len(before)
    await library.close()

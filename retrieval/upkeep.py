"""Where catalogue, vector store and files disagree, and how that is put right.

A crash between two steps of a write leaves such traces. None of them shows wrong results: the catalogue decides. But
points that are missing hide a document, and points that are left over cost space.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import structlog

from retrieval.indexing import Indexer
from retrieval.model import StoredDocument
from retrieval.ports import Catalogue, Originals, ParsedTexts, VectorStore

log = structlog.get_logger()


class Fault(StrEnum):
    """What is wrong."""

    POINTS_MISSING = "points_missing"
    POINTS_LEFT_OVER = "points_left_over"
    ORIGINAL_MISSING = "original_missing"
    TEXT_MISSING = "text_missing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement about one version of a document."""

    document_id: UUID
    version: str
    what: Fault


class Upkeep:
    """Finds differences and repairs them."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        vectors: VectorStore,
        originals: Originals,
        parsed_texts: ParsedTexts,
        indexer: Indexer,
    ) -> None:
        self._catalogue = catalogue
        self._vectors = vectors
        self._originals = originals
        self._parsed_texts = parsed_texts
        self._indexer = indexer

    async def differences(self) -> list[Difference]:
        """Everything that disagrees now, in a stable order. Meant for a library that nobody writes to."""
        current = await self._catalogue.versions()
        found = self._of_points(current, await self._stored()) + await self._of_files()
        return sorted(found, key=lambda one: (one.document_id, one.version, one.what))

    async def repair(self) -> list[Difference]:
        """Put right what can be and return what was found. A file that is missing has to be added again."""
        found = await self.differences()
        for document in dict.fromkeys(one.document_id for one in found if one.what is Fault.POINTS_LEFT_OVER):
            await self._remove_left_over(document)
        for document in dict.fromkeys(one.document_id for one in found if one.what is Fault.POINTS_MISSING):
            version, chunks = await self._catalogue.written(document)
            await self._indexer.index(chunks, version.access)
        await self._vectors.flush()
        log.info("index_repaired", differences=len(found))
        return found

    async def _stored(self) -> dict[UUID, dict[str, int]]:
        """The number of points of each version of each document."""
        stored: dict[UUID, dict[str, int]] = defaultdict(dict)
        async for document in self._vectors.documents():
            stored[document.document_id][document.version] = document.chunks
        return stored

    @staticmethod
    def _of_points(
        current: Mapping[UUID, StoredDocument], stored: Mapping[UUID, Mapping[str, int]]
    ) -> list[Difference]:
        missing = [
            Difference(document, known.version, Fault.POINTS_MISSING)
            for document, known in current.items()
            if stored.get(document, {}).get(known.version, 0) != known.chunks
        ]
        left_over = [
            Difference(document, version, Fault.POINTS_LEFT_OVER)
            for document, versions in stored.items()
            for version, chunks in versions.items()
            if document not in current or current[document].version != version or chunks > current[document].chunks
        ]
        return missing + left_over

    async def _of_files(self) -> list[Difference]:
        found = []
        for files in await self._catalogue.files():
            if not await self._originals.has(files.original):
                found.append(Difference(files.document_id, files.original, Fault.ORIGINAL_MISSING))
            if not await self._parsed_texts.has(files.parsed):
                found.append(Difference(files.document_id, files.original, Fault.TEXT_MISSING))
        return found

    async def _remove_left_over(self, document: UUID) -> None:
        """Keep the current version's points, unless there are more of them than chunks: then all are written anew."""
        known = (await self._catalogue.versions()).get(document)
        stored = (await self._stored()).get(document, {})
        keep = known.version if known and stored.get(known.version, 0) <= known.chunks else None
        await self._vectors.remove(document, keep_version=keep)

"""The guarded library: the one way to what is known.

Writing makes a version visible in one step; searching trusts the vector store for candidates and the catalogue for
everything else. Every read names its reader.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from uuid import UUID
from weakref import WeakValueDictionary

import structlog

from retrieval.access import Access, LabelScale, Principal
from retrieval.errors import TemporaryFailure, WrongEmbedder
from retrieval.finding import Finder
from retrieval.indexing import Indexer
from retrieval.model import (
    CatalogueEntry,
    Chunk,
    DocumentVersion,
    Evidence,
    IndexIdentity,
    PageOf,
    ParsedDocument,
    Passage,
    SearchFilters,
)
from retrieval.ports import (
    Catalogue,
    Embedder,
    LanguageDetector,
    Originals,
    ParsedTexts,
    SparseEncoder,
    Translator,
    VectorStore,
)
from retrieval.questions import QuestionEncoder
from retrieval.upkeep import Difference, Upkeep

log = structlog.get_logger()

NO_FILTERS = SearchFilters()


class Library:
    """Documents in, passages out. Open it before use."""

    def __init__(  # noqa: PLR0913 the wiring names every part once, here
        self,
        *,
        catalogue: Catalogue,
        vectors: VectorStore,
        originals: Originals,
        parsed_texts: ParsedTexts,
        embedder: Embedder,
        sparse: SparseEncoder,
        detector: LanguageDetector,
        translator: Translator | None,
        scale: LabelScale,
        timer: Callable[[], float] = perf_counter,
    ) -> None:
        """Takes over catalogue, store and embedder: closing the library closes them."""
        self._catalogue = catalogue
        self._vectors = vectors
        self._originals = originals
        self._parsed_texts = parsed_texts
        self._embedder = embedder
        self._identity = IndexIdentity(embedder.identity, sparse.identity)
        encoder = QuestionEncoder(embedder=embedder, sparse=sparse, detector=detector, translator=translator)
        self._finder = Finder(catalogue=catalogue, vectors=vectors, encoder=encoder, scale=scale, timer=timer)
        self._indexer = Indexer(vectors=vectors, embedder=embedder, sparse=sparse)
        self._upkeep = Upkeep(
            catalogue=catalogue,
            vectors=vectors,
            originals=originals,
            parsed_texts=parsed_texts,
            indexer=self._indexer,
        )
        self._writing: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def open(self) -> None:
        """Open the index. Raises WrongEmbedder if catalogue or index were built with another embedder."""
        if await self._catalogue.identity(self._identity) != self._identity:
            raise WrongEmbedder
        await self._vectors.open(self._identity)

    async def close(self) -> None:
        """Let go of everything; closing twice is harmless."""
        await self._embedder.close()
        await self._vectors.close()
        await self._catalogue.close()

    async def write(self, version: DocumentVersion, parsed: ParsedDocument, chunks: Sequence[Chunk]) -> None:
        """Make the version visible in one step, whole; repeating it changes nothing. Raises TemporaryFailure."""
        document = version.document_id
        async with self._alone(document):
            text = await self._parsed_texts.put(parsed)
            await self._indexer.index(chunks, version.access)
            replaced = await self._catalogue.commit_version(version, chunks, parsed=text, pages=len(parsed.pages))
            await self._clear_away(document, keep=version.digest)
        self._finder.forget_languages(version.access.tenant)
        log.info("version_written", document=str(document), chunks=len(chunks), replaced=replaced is not None)

    async def search(
        self, question: str, *, reader: Principal, filters: SearchFilters = NO_FILTERS, limit: int = 10
    ) -> list[Passage]:
        """The best passages that the reader may read, best first. Raises TemporaryFailure."""
        return list((await self._finder.find(question, reader=reader, filters=filters, limit=limit)).passages)

    async def evidence(
        self, question: str, *, reader: Principal, filters: SearchFilters = NO_FILTERS, limit: int = 10
    ) -> Evidence:
        """What an answer may be made from, and how long each step of finding it took. Raises TemporaryFailure."""
        return await self._finder.find(question, reader=reader, filters=filters, limit=limit)

    async def document(self, document: UUID, *, reader: Principal) -> CatalogueEntry:
        """One document. Raises NotFound, alike for a missing and a foreign one."""
        return await self._catalogue.document(document, reader=reader)

    async def list_documents(
        self, *, reader: Principal, cursor: str | None = None, limit: int = 50, source: str | None = None
    ) -> PageOf[CatalogueEntry]:
        """The documents the reader may read, newest first. Raises NotFound for an unknown cursor."""
        return await self._catalogue.list_documents(reader=reader, cursor=cursor, limit=limit, source=source)

    async def delete(self, document: UUID, *, reader: Principal) -> None:
        """Forget the document: no search finds it from now on. Raises NotFound."""
        async with self._alone(document):
            await self._catalogue.delete(document, reader=reader)
            await self._clear_away(document)
        log.info("document_deleted", document=str(document))

    async def set_access(self, document: UUID, access: Access, *, reader: Principal) -> None:
        """Change who may read it, for the next request on. Raises NotFound; TemporaryFailure: then repeat it."""
        async with self._alone(document):
            await self._catalogue.set_access(document, access, reader=reader)
            await self._vectors.relabel(document, access)
        log.info("access_changed", document=str(document), label=access.label.name, readers=len(access.readers))

    async def original(self, document: UUID, version: str | None, *, reader: Principal) -> bytes:
        """The bytes of a version, None being the current one. Raises NotFound; PermanentFailure if damaged."""
        digest, _ = await self._catalogue.parsed_digest(document, version, reader=reader)
        return await self._originals.get(digest)

    async def parsed(self, document: UUID, version: str | None, *, reader: Principal) -> ParsedDocument:
        """What the parser saw in a version, None being the current one. Raises NotFound; PermanentFailure."""
        _, text = await self._catalogue.parsed_digest(document, version, reader=reader)
        return await self._parsed_texts.get(text)

    async def stored_text(self, document: UUID, version: str, *, reader: Principal) -> str:
        """The text that citations of this version point into. Raises NotFound; PermanentFailure if damaged."""
        return (await self.parsed(document, version, reader=reader)).text

    async def differences(self) -> list[Difference]:
        """Where catalogue, index and files disagree."""
        return await self._upkeep.differences()

    async def repair(self) -> list[Difference]:
        """Put right what can be, and return what was found."""
        return await self._upkeep.repair()

    async def _clear_away(self, document: UUID, *, keep: str | None = None) -> None:
        """Remove points that the catalogue no longer shows. A failure is not the caller's: their change has happened,
        and repeating it would undo what others changed since."""
        try:
            await self._vectors.remove(document, keep_version=keep)
        except TemporaryFailure as error:
            log.warning("points_left_over", document=str(document), code=error.code)

    @asynccontextmanager
    async def _alone(self, document: UUID) -> AsyncIterator[None]:
        """One writer a document: another's clearing up would take away points that are not visible yet."""
        lock = self._writing.setdefault(document, asyncio.Lock())
        async with lock:
            yield

"""What the library needs from outside. Each port has one contract suite in `tests/contract`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from uuid import UUID

from retrieval.access import Access, Principal
from retrieval.model import (
    CatalogueEntry,
    Chunk,
    DocumentVersion,
    EmbedderIdentity,
    IndexIdentity,
    Language,
    Matrix,
    PageOf,
    ParsedDocument,
    Passage,
    Point,
    SearchFilters,
    SparseVector,
    StoredDocument,
    StoredFiles,
    StoreHits,
    StoreQuery,
)


class Embedder(Protocol):
    """Turns texts into vectors that can be compared by their dot product."""

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors are made with."""

    async def embed_queries(self, texts: Sequence[str]) -> Matrix:
        """(n, dimensions), L2-normalised float32, in order. Raises EmbedderUnavailable."""

    async def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """(n, dimensions), L2-normalised float32, in order; for bulk work. Raises EmbedderUnavailable."""

    async def close(self) -> None:
        """Let go of processes and connections; closing twice is harmless."""


class Tokenizer(Protocol):
    """Counts in the embedder's own tokens."""

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """The character span of each token of the text, in order, special tokens left out."""


class SparseEncoder(Protocol):
    """Turns texts into weighted terms (BM25 without IDF: the store multiplies that in)."""

    @property
    def identity(self) -> str:
        """Name and version; vectors of different identities do not compare."""

    def encode_passage(self, text: str, language: Language) -> SparseVector:
        """Terms of a passage, stemmed in its language."""

    def encode_query(self, text: str, languages: Sequence[Language]) -> SparseVector:
        """Terms of a question, stemmed in each of the languages and merged."""


class LanguageDetector(Protocol):
    """Tells English from Portuguese."""

    def detect(self, text: str) -> Language:
        """The likelier language; short or mixed texts get a best guess, never an error."""


class Translator(Protocol):
    """Translates a question between the languages of the library."""

    async def translate(self, text: str, source: Language, target: Language) -> str:
        """The text in the other language. Raises TemporaryFailure when it cannot."""


class VectorSearch(Protocol):
    """Finds chunks."""

    async def search(self, query: StoreQuery) -> StoreHits:
        """The best `query.limit` chunks of each ranker among those the filter lets through. Exact up to 200k chunks.

        Raises StoreUnavailable; InvalidVector for a vector of another length or with values that are not finite.
        """


class VectorWriter(Protocol):
    """Changes what can be found. Every call may be repeated without harm."""

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace by chunk id; findable when it returns. Raises StoreUnavailable, InvalidVector, DiskFull."""

    async def remove(self, document: UUID, *, keep_version: str | None = None) -> None:
        """Remove a document's points, but for those of `keep_version`."""

    async def relabel(self, document: UUID, access: Access) -> None:
        """Give all of a document's points another access."""

    async def flush(self) -> None:
        """Make everything written so far survive a loss of power."""


class VectorStore(VectorSearch, VectorWriter, Protocol):
    """A store of points with filtered dense and sparse search."""

    async def open(self, identity: IndexIdentity) -> None:
        """Make or open the index. Raises WrongEmbedder if it was built with another identity."""

    def documents(self) -> AsyncIterator[StoredDocument]:
        """Every version of every document in the store, in any order: for comparing with the catalogue."""

    async def count(self) -> int:
        """The number of points. Also the health check: raises StoreUnavailable."""

    async def close(self) -> None:
        """Let go of files and connections; closing twice is harmless."""


class CatalogueReader(Protocol):
    """The truth about what exists and who may read it. `reader` is always required."""

    async def current(self, chunks: Sequence[UUID], *, reader: Principal, filters: SearchFilters) -> frozenset[UUID]:
        """Those of the chunks that belong to the current version of a document that the reader may read."""

    async def passages(self, scores: Mapping[UUID, float], *, reader: Principal) -> list[Passage]:
        """The chunks with text and document, re-checked once more; what the reader may not see is left out."""

    async def document(self, document: UUID, *, reader: Principal) -> CatalogueEntry:
        """One document. Raises NotFound, alike for a missing and a foreign one."""

    async def list_documents(
        self, *, reader: Principal, cursor: str | None = None, limit: int = 50, source: str | None = None
    ) -> PageOf[CatalogueEntry]:
        """The documents the reader may read, in a stable order."""


class CatalogueWriter(Protocol):
    """Changes the truth, each call in one transaction."""

    async def commit_version(
        self, version: DocumentVersion, chunks: Sequence[Chunk], *, parsed: str, pages: int
    ) -> str | None:
        """Make the version the document's current one; `parsed` is the digest of its parsed text.

        Returns the digest of the version it replaced, None if there was none. Repeating it changes nothing.
        """

    async def delete(self, document: UUID, *, reader: Principal) -> None:
        """Forget the document at once. Raises NotFound."""

    async def set_access(self, document: UUID, access: Access, *, reader: Principal) -> None:
        """Change who may read it, for the next request on. Raises NotFound."""


class CatalogueAudit(Protocol):
    """What only upkeep and the index itself ask: without a reader, so nothing of it is ever shown to one."""

    async def versions(self) -> Mapping[UUID, StoredDocument]:
        """The current version of every document, and its number of chunks."""

    async def languages(self, tenant: str) -> frozenset[Language]:
        """The languages in which the tenant has chunks."""

    async def parsed_digest(self, document: UUID, version: str | None, *, reader: Principal) -> tuple[str, str]:
        """Digests of the version (None: the current one) and of its parsed text. Raises NotFound."""

    async def files(self) -> Sequence[StoredFiles]:
        """The files of every version of every document, the older ones too."""

    async def written(self, document: UUID) -> tuple[DocumentVersion, Sequence[Chunk]]:
        """The current version and its chunks in order, for embedding them again, never to be shown. Raises NotFound."""

    async def identity(self, index: IndexIdentity) -> IndexIdentity:
        """The identity the index was built with; `index` is written down if there was none."""


class Catalogue(CatalogueReader, CatalogueWriter, CatalogueAudit, Protocol):
    """Documents, versions, chunks and access."""

    async def close(self) -> None:
        """Let go of connections; closing twice is harmless."""


class Originals(Protocol):
    """Content-addressed bytes: originals and parsed text."""

    async def put(self, data: bytes) -> str:
        """Store durably and return the digest; storing the same bytes again is free. Raises DiskFull."""

    async def get(self, digest: str) -> bytes:
        """The bytes. Raises NotFound."""

    async def has(self, digest: str) -> bool:
        """Whether the bytes are there; does not read them."""

    async def delete(self, digest: str) -> None:
        """Remove the bytes; removing what is not there is harmless."""


class ParsedTexts(Protocol):
    """Parsed documents, content-addressed."""

    async def put(self, parsed: ParsedDocument) -> str:
        """Store durably and return the digest."""

    async def get(self, digest: str) -> ParsedDocument:
        """The parsed document. Raises NotFound."""

    async def has(self, digest: str) -> bool:
        """Whether the parsed document is there; does not read it."""


class ModelFiles(Protocol):
    """Model files in the user's cache folder, each with a pinned SHA-256."""

    async def ensure(self, name: str) -> Path:
        """The folder or file of the model, fetched and checked if need be. Raises ModelFileDamaged."""

    def present(self, name: str) -> Path | None:
        """The model if it is there already, else None; asks no network."""

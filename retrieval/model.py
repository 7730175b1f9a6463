"""What the library talks about: frozen values that pass between the steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Generic, Literal, TypeAlias, TypeVar
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from retrieval.access import Access, ReaderFilter

Language: TypeAlias = Literal["en", "pt"]
Matrix: TypeAlias = NDArray[np.float32]

T = TypeVar("T")

DOCUMENTS = UUID("6f1f4f9e-0c43-5d2f-9d0b-6c6173747231")


def digest_of(data: bytes) -> str:
    """The identity of bytes: `sha256:` and 64 hex digits."""
    return f"sha256:{sha256(data).hexdigest()}"


def document_id(tenant: str, source: str, uri: str) -> UUID:
    """The same document from the same source has the same id for ever, whatever its bytes."""
    return uuid5(DOCUMENTS, "\x1f".join((tenant, source, uri)))


def chunk_id(document: UUID, version: str, n: int) -> UUID:
    """Deterministic, so that writing a version again changes nothing."""
    return uuid5(document, f"{version}/{n}")


class BlockKind(StrEnum):
    """What a stretch of a document is."""

    HEADING = "heading"
    TEXT = "text"
    LIST_ITEM = "list_item"
    TABLE = "table"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch `text[start:end]` of a parsed document; `level` counts for headings, 1 being the top."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Page `n` (from 1) is `text[start:end]`."""

    n: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a parser saw. `text` is stored as it is, and every citation is a slice of it."""

    text: str
    media_type: str
    title: str = ""
    pages: tuple[Page, ...] = ()
    blocks: tuple[Block, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """One state of a document's bytes, with who may read it."""

    document_id: UUID
    digest: str
    source: str
    uri: str
    title: str
    media_type: str
    size: int
    access: Access
    added_by: str = ""
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a version: `text` is exactly `parsed.text[start:end]`."""

    id: UUID
    document_id: UUID
    version: str
    n: int
    start: int
    end: int
    text: str
    title: str = ""
    section: tuple[str, ...] = ()
    page_first: int | None = None
    page_last: int | None = None
    language: Language = "en"

    @property
    def context(self) -> str:
        """Title and section path: encoded with the text, never cited."""
        return " > ".join(part for part in (self.title, *self.section) if part)

    @property
    def encoded_text(self) -> str:
        """What the encoders see."""
        return f"{self.context}\n{self.text}" if self.context else self.text


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Term ids (ascending, unique) and their weights, of equal length."""

    indices: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.indices) != len(self.values):
            raise ValueError("a sparse vector needs as many values as indices")


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A chunk as the vector store keeps it. No text: what is erased elsewhere is not left behind here."""

    chunk_id: UUID
    document_id: UUID
    version: str
    n: int
    access: Access
    dense: Matrix  # (dimensions,), L2-normalised
    sparse: SparseVector


@dataclass(frozen=True, slots=True, eq=False)
class StoreQuery:
    """The two filtered searches that make one hybrid search; the store returns `limit` hits of each."""

    reader: ReaderFilter
    dense: Matrix | None  # (dimensions,)
    sparse: SparseVector | None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that one ranker found; higher is better."""

    chunk_id: UUID
    score: float


@dataclass(frozen=True, slots=True)
class StoreHits:
    """What each ranker found, best first, ties broken by chunk id."""

    dense: tuple[Hit, ...] = ()
    sparse: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What the store holds of one version of one document: for comparing it with the catalogue."""

    document_id: UUID
    version: str
    chunks: int


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """The files of one version: the digests of its original and of its parsed text."""

    document_id: UUID
    original: str
    parsed: str


@dataclass(frozen=True, slots=True)
class EmbedderIdentity:
    """What makes two vectors comparable: kept with the index, compared at each start."""

    name: str
    dimensions: int
    max_tokens: int
    digest: str = ""  # of the weights, where they are known


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """What an index was built with."""

    embedder: EmbedderIdentity
    sparse: str


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A document as the catalogue knows it, at its current version."""

    version: DocumentVersion
    chunks: int
    pages: int
    added: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """What a caller may narrow a search to; empty means no narrowing."""

    sources: frozenset[str] = frozenset()
    media_types: frozenset[str] = frozenset()
    uri_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found, re-checked and ranked: everything an answer may be made from."""

    chunk: Chunk
    uri: str
    source: str
    access: Access
    score: float
    dense_score: float = 0.0
    sparse_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """The passages of one answer. `may_leave` is True only when none but cleared documents had any influence."""

    passages: tuple[Passage, ...] = ()
    may_leave: bool = False
    timings_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PageOf(Generic[T]):
    """One page of a list; `cursor` fetches the next one, None at the end."""

    items: Sequence[T]
    cursor: str | None = None

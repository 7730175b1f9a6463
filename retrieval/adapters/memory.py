"""Catalogue, originals and parsed texts in memory: the readable specification of what databases and folders do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from retrieval.access import Access, LabelScale, Principal, allows
from retrieval.adapters.document_pages import cursor_of, place_of
from retrieval.adapters.parsed_packing import packed
from retrieval.errors import NotFound, PermanentFailure, UnknownLabel
from retrieval.model import (
    CatalogueEntry,
    Chunk,
    DocumentVersion,
    IndexIdentity,
    Language,
    PageOf,
    ParsedDocument,
    Passage,
    SearchFilters,
    StoredDocument,
    StoredFiles,
    digest_of,
)


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of one document: its entry, its current chunks, and the parsed text of every version."""

    entry: CatalogueEntry
    chunks: Mapping[UUID, Chunk]
    parsed: Mapping[str, str] = field(default_factory=dict)


class MemoryCatalogue:
    """Port `Catalogue` on one dictionary. No method waits between reading and writing, so each call is one step."""

    def __init__(self, scale: LabelScale, clock: Callable[[], datetime]) -> None:
        self._scale = scale
        self._clock = clock
        self._records: dict[UUID, Record] = {}
        self._index: IndexIdentity | None = None

    async def current(self, chunks: Sequence[UUID], *, reader: Principal, filters: SearchFilters) -> frozenset[UUID]:
        """Those of the chunks that belong to the current version of a document that the reader may read."""
        known = {
            chunk
            for record in self._readable(reader)
            if matches(filters, record.entry.version)
            for chunk in record.chunks
        }
        return frozenset(known.intersection(chunks))

    async def passages(self, scores: Mapping[UUID, float], *, reader: Principal) -> list[Passage]:
        """The chunks with text and document, best first, ties by chunk id; the others are left out."""
        found = [
            Passage(chunk, version.uri, version.source, version.access, scores[chunk.id])
            for record in self._readable(reader)
            for version in [record.entry.version]
            for chunk in record.chunks.values()
            if chunk.id in scores
        ]
        return sorted(found, key=lambda passage: (-passage.score, passage.chunk.id))

    async def document(self, document: UUID, *, reader: Principal) -> CatalogueEntry:
        """One document. Raises NotFound, alike for a missing and a foreign one."""
        return self._record(document, reader).entry

    async def list_documents(
        self, *, reader: Principal, cursor: str | None = None, limit: int = 50, source: str | None = None
    ) -> PageOf[CatalogueEntry]:
        """The documents the reader may read, newest first. Raises NotFound for a cursor that is not one of ours."""
        entries = [record.entry for record in self._readable(reader)]
        wanted = [entry for entry in entries if source is None or entry.version.source == source]
        by_id = sorted(wanted, key=lambda entry: entry.version.document_id)
        ordered = sorted(by_id, key=lambda entry: entry.added, reverse=True)
        if cursor is not None:
            added, last = place_of(cursor)
            ordered = [e for e in ordered if e.added < added or (e.added == added and e.version.document_id > last)]
        limit = max(1, limit)
        page = ordered[:limit]
        return PageOf(page, cursor_of(page[-1]) if len(ordered) > limit else None)

    async def commit_version(
        self, version: DocumentVersion, chunks: Sequence[Chunk], *, parsed: str, pages: int
    ) -> str | None:
        """Make the version the document's current one; returns the digest of the one it replaced, if any."""
        before = self._records.get(version.document_id)
        version = replace(version, access=self._known(version.access))
        now = self._clock()
        entry = CatalogueEntry(version, len(chunks), pages, before.entry.added if before else now, now)
        texts = {**(before.parsed if before else {}), version.digest: parsed}
        if before and replace(before.entry, updated=now) == entry and before.parsed == texts:
            entry = before.entry
        self._records[version.document_id] = Record(entry, {chunk.id: chunk for chunk in chunks}, texts)
        replaced = before.entry.version.digest if before else None
        return None if replaced == version.digest else replaced

    async def delete(self, document: UUID, *, reader: Principal) -> None:
        """Forget the document at once. Raises NotFound."""
        self._record(document, reader)
        del self._records[document]

    async def set_access(self, document: UUID, access: Access, *, reader: Principal) -> None:
        """Change who may read it, for the next request on. Raises NotFound."""
        record = self._record(document, reader)
        if access.tenant != reader.tenant:
            raise PermanentFailure("A document cannot be given to another tenant.", remedy="Add it there.")
        version = replace(record.entry.version, access=self._known(access))
        entry = replace(record.entry, version=version, updated=self._clock())
        self._records[document] = replace(record, entry=entry)

    async def versions(self) -> Mapping[UUID, StoredDocument]:
        """The current version of every document, and its number of chunks."""
        return {
            document: StoredDocument(document, record.entry.version.digest, record.entry.chunks)
            for document, record in self._records.items()
        }

    async def languages(self, tenant: str) -> frozenset[Language]:
        """The languages in which the tenant has chunks."""
        owned = [record for record in self._records.values() if record.entry.version.access.tenant == tenant]
        return frozenset(chunk.language for record in owned for chunk in record.chunks.values())

    async def files(self) -> Sequence[StoredFiles]:
        """The files of every version of every document, the older ones too."""
        return [
            StoredFiles(document, digest, parsed)
            for document, record in self._records.items()
            for digest, parsed in record.parsed.items()
        ]

    async def written(self, document: UUID) -> tuple[DocumentVersion, Sequence[Chunk]]:
        """The current version with its chunks in order, for embedding them again. Raises NotFound."""
        if document not in self._records:
            raise NotFound
        record = self._records[document]
        return record.entry.version, sorted(record.chunks.values(), key=lambda chunk: chunk.n)

    async def parsed_digest(self, document: UUID, version: str | None, *, reader: Principal) -> tuple[str, str]:
        """Digests of the version (None: the current one) and of its parsed text. Raises NotFound."""
        record = self._record(document, reader)
        wanted = version or record.entry.version.digest
        if wanted not in record.parsed:
            raise NotFound
        return wanted, record.parsed[wanted]

    async def identity(self, index: IndexIdentity) -> IndexIdentity:
        """The identity the index was built with; `index` is written down if there was none."""
        self._index = self._index or index
        return self._index

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _readable(self, reader: Principal) -> list[Record]:
        return [record for record in self._records.values() if allows(reader, record.entry.version.access)]

    def _record(self, document: UUID, reader: Principal) -> Record:
        record = self._records.get(document)
        if record is None or not allows(reader, record.entry.version.access):
            raise NotFound
        return record

    def _known(self, access: Access) -> Access:
        """A label that is not on the scale counts as the highest, for nobody knows what it meant."""
        try:
            return replace(access, label=self._scale.label(access.label.name))
        except UnknownLabel:
            return replace(access, label=self._scale.highest)


def matches(filters: SearchFilters, version: DocumentVersion) -> bool:
    """Whether a document is among those that the caller wants to search."""
    return (
        (not filters.sources or version.source in filters.sources)
        and (not filters.media_types or version.media_type in filters.media_types)
        and version.uri.startswith(filters.uri_prefix)
    )


class MemoryOriginals:
    """Port `Originals` on a dictionary."""

    def __init__(self) -> None:
        self._bytes: dict[str, bytes] = {}

    async def put(self, data: bytes) -> str:
        """Store and return the digest."""
        digest = digest_of(data)
        self._bytes[digest] = data
        return digest

    async def get(self, digest: str) -> bytes:
        """The bytes. Raises NotFound."""
        if digest not in self._bytes:
            raise NotFound
        return self._bytes[digest]

    async def has(self, digest: str) -> bool:
        """Whether the bytes are there."""
        return digest in self._bytes

    async def delete(self, digest: str) -> None:
        """Remove the bytes; removing what is not there is harmless."""
        self._bytes.pop(digest, None)


class MemoryParsedTexts:
    """Port `ParsedTexts` on a dictionary."""

    def __init__(self) -> None:
        self._parsed: dict[str, ParsedDocument] = {}

    async def put(self, parsed: ParsedDocument) -> str:
        """Store and return the digest."""
        digest = digest_of(packed(parsed))
        self._parsed[digest] = parsed
        return digest

    async def get(self, digest: str) -> ParsedDocument:
        """The parsed document. Raises NotFound."""
        if digest not in self._parsed:
            raise NotFound
        return self._parsed[digest]

    async def has(self, digest: str) -> bool:
        """Whether the parsed document is there."""
        return digest in self._parsed

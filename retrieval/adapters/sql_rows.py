"""From rows to values and back: the one place that knows which column holds which field."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from sqlalchemy import Row, RowMapping

from retrieval.access import Access, Label, LabelScale
from retrieval.adapters.sql_tables import chunks
from retrieval.errors import UnknownLabel
from retrieval.model import CatalogueEntry, Chunk, DocumentVersion, Language

# A document's own columns would hide these.
CHUNK_COLUMNS = tuple(column.label(f"chunk_{column.name}") for column in chunks.c)

Values = Mapping[str, object]


def label_of(name: str, scale: LabelScale) -> Label:
    """The stored label; one that has left the scale counts as the highest, for nobody knows what it meant."""
    try:
        return scale.label(name)
    except UnknownLabel:
        return scale.highest


def grouped(rows: Iterable[Row[tuple[object, ...]]], key: str) -> list[tuple[RowMapping, frozenset[str]]]:
    """Rows that differ in their `reader` alone, put together in the order of their first: the row and its readers."""
    first: dict[object, RowMapping] = {}
    readers: dict[object, set[str]] = {}
    for row in rows:
        mapping = row._mapping
        first.setdefault(mapping[key], mapping)
        readers.setdefault(mapping[key], set()).add(mapping["reader"])
    return [(mapping, frozenset(readers[value])) for value, mapping in first.items()]


def access_of(row: RowMapping, readers: frozenset[str], scale: LabelScale) -> Access:
    """Who may read the document of this row."""
    return Access(row["tenant"], readers, label_of(row["label"], scale))


def entry_of(row: RowMapping, access: Access) -> CatalogueEntry:
    """A document as the catalogue knows it."""
    version = DocumentVersion(
        document_id=row["id"],
        digest=row["version"],
        source=row["source"],
        uri=row["uri"],
        title=row["title"],
        media_type=row["media_type"],
        size=row["size"],
        access=access,
        added_by=row["added_by"],
        modified=row["modified"],
    )
    return CatalogueEntry(version, row["chunks"], row["pages"], row["added"], row["updated"])


def chunk_of(row: RowMapping) -> Chunk:
    """The chunk in the columns `CHUNK_COLUMNS` of this row."""
    return Chunk(
        id=row["chunk_id"],
        document_id=row["chunk_document_id"],
        version=row["chunk_version"],
        n=row["chunk_n"],
        start=row["chunk_start"],
        end=row["chunk_end"],
        text=row["chunk_text"],
        title=row["chunk_title"],
        section=tuple(row["chunk_section"]),
        page_first=row["chunk_page_first"],
        page_last=row["chunk_page_last"],
        language=cast("Language", row["chunk_language"]),
    )


def chunk_values(chunk: Chunk) -> Values:
    """A row of `chunks`."""
    names = [column.name for column in chunks.c if column.name != "section"]
    return {**{name: getattr(chunk, name) for name in names}, "section": list(chunk.section)}


def document_values(version: DocumentVersion, written: Sequence[Chunk], *, parsed: str, pages: int) -> Values:
    """A row of `documents`, but for its times."""
    return {
        "id": version.document_id,
        "tenant": version.access.tenant,
        "source": version.source,
        "uri": version.uri,
        "title": version.title,
        "media_type": version.media_type,
        "label": version.access.label.name,
        "added_by": version.added_by,
        "version": version.digest,
        "parsed": parsed,
        "size": version.size,
        "pages": pages,
        "chunks": len(written),
        "modified": version.modified,
    }

"""Documents over the wire."""

from typing import Self
from uuid import UUID

from api.schemas.shapes import Given, Shown, Time
from retrieval.model import CatalogueEntry, PageOf


class AccessGiven(Given):
    """`PUT …/access`: both must be said, so that nothing is opened or closed by leaving it out."""

    label: str
    readers: list[str]


class DocumentShown(Shown):
    """A document at its current version."""

    id: UUID
    version: str
    title: str
    uri: str
    source: str
    media_type: str
    size: int
    pages: int
    chunks: int
    label: str
    readers: list[str]
    added_by: str
    added: Time
    updated: Time

    @classmethod
    def of(cls, entry: CatalogueEntry) -> Self:
        """From the catalogue's value."""
        version = entry.version
        return cls(
            id=version.document_id,
            version=version.digest,
            title=version.title,
            uri=version.uri,
            source=version.source,
            media_type=version.media_type,
            size=version.size,
            pages=entry.pages,
            chunks=entry.chunks,
            label=version.access.label.name,
            readers=sorted(version.access.readers),
            added_by=version.added_by,
            added=entry.added,
            updated=entry.updated,
        )


class DocumentsShown(Shown):
    """One page of documents."""

    items: list[DocumentShown]
    next: str | None

    @classmethod
    def of(cls, page: PageOf[CatalogueEntry]) -> Self:
        """From the catalogue's page."""
        return cls(items=[DocumentShown.of(entry) for entry in page.items], next=page.cursor)

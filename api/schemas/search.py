"""Passages over the wire."""

from collections.abc import Sequence
from typing import Self
from uuid import UUID

from pydantic import Field

from api.schemas.shapes import Filters, Given, Rounded, Shown
from retrieval.model import Passage
from serving.model import MAX_QUESTION_CHARACTERS


class SearchAsked(Given):
    """`POST /v1/search`."""

    query: str = Field(min_length=1, max_length=MAX_QUESTION_CHARACTERS)
    limit: int = Field(default=10, ge=1, le=100)
    filters: Filters = Filters()


class PassageShown(Shown):
    """A passage: `text` is the slice `start:end` of the version's parsed text."""

    document_id: UUID
    version: str
    title: str
    uri: str
    page: int | None
    section: str
    start: int
    end: int
    text: str
    score: Rounded
    label: str

    @classmethod
    def of(cls, passage: Passage) -> Self:
        """From the library's value."""
        chunk = passage.chunk
        return cls(
            document_id=chunk.document_id,
            version=chunk.version,
            title=chunk.title,
            uri=passage.uri,
            page=chunk.page_first,
            section=" > ".join(chunk.section),
            start=chunk.start,
            end=chunk.end,
            text=chunk.text,
            score=passage.score,
            label=passage.access.label.name,
        )


class PassagesShown(Shown):
    """What a search found, best first."""

    passages: list[PassageShown]

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> Self:
        """From the library's values."""
        return cls(passages=[PassageShown.of(passage) for passage in passages])

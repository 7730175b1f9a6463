"""What all requests and responses share."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, field_validator

from retrieval.model import SearchFilters

T = TypeVar("T")

# JSON can spell both, but no database and no encoding takes them.
NO_TEXT = re.compile(r"[\x00\ud800-\udfff]")


class Given(BaseModel):
    """A request's body: a name that is not known is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def _text(cls, value: T) -> T:
        parts = [value] if isinstance(value, str) else value
        if isinstance(parts, Iterable) and any(isinstance(part, str) and NO_TEXT.search(part) for part in parts):
            raise ValueError("holds characters that are no text")
        return value


class Shown(BaseModel):
    """A response's body."""

    model_config = ConfigDict(frozen=True)


class Filters(Given):
    """What a search is narrowed to; empty means no narrowing."""

    sources: frozenset[str] = frozenset()
    media_types: frozenset[str] = frozenset()
    uri_prefix: str = Field(default="", max_length=1_000)

    def value(self) -> SearchFilters:
        """As the library takes it."""
        return SearchFilters(self.sources, self.media_types, self.uri_prefix)


Rounded = Annotated[float, PlainSerializer(lambda value: round(value, 6), return_type=float)]
Milliseconds = Annotated[float, PlainSerializer(lambda value: round(value, 1), return_type=float)]
Time = Annotated[datetime, PlainSerializer(lambda value: value.isoformat(), return_type=str)]

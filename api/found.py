"""Files at the caller's side, with what their folders say about who may read them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """`uri` is relative to the folder that was named; no label or no readers means that the folder does not say."""

    source: str
    uri: str
    data: bytes
    label: str | None = None
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be handed in, and why."""

    source: str
    uri: str
    code: str
    message: str
    remedy: str

"""A file at the caller's side, with what its folder says about who may read it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """`uri` is relative to the folder that was named; no label or no readers means that the folder does not say."""

    source: str
    uri: str
    data: bytes
    label: str | None = None
    readers: tuple[str, ...] = ()

"""Turns a scan of chunks into what upkeep compares with the catalogue; every store scans, and all count alike."""

from collections.abc import Iterable
from uuid import UUID

from retrieval.model import StoredDocument


def count_chunks(chunks: Iterable[tuple[UUID, str]]) -> list[StoredDocument]:
    """Count chunks by (document, version)."""
    counts: dict[tuple[UUID, str], int] = {}
    for key in chunks:
        counts[key] = counts.get(key, 0) + 1
    return [StoredDocument(document, version, chunks) for (document, version), chunks in counts.items()]

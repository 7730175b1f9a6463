"""A library in memory, as answering sees one: documents of one paragraph per passage, ranked by shared words.

For tests and trials, and as the shortest statement of what `EvidenceFinder` promises: the reader's rights hold for the
passages and again for the stored text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from retrieval.access import Access, Principal, allows
from retrieval.errors import NotFound
from retrieval.model import (
    Chunk,
    Evidence,
    Language,
    ParsedDocument,
    Passage,
    SearchFilters,
    chunk_id,
    digest_of,
    document_id,
)
from serving.words import content_stems

SOURCE = "memory"


@dataclass(frozen=True, slots=True)
class StoredText:
    """A document of the library in memory."""

    uri: str
    parsed: ParsedDocument
    access: Access
    language: Language = "en"

    @property
    def id(self) -> UUID:
        """The document's identity."""
        return document_id(self.access.tenant, SOURCE, self.uri)

    @property
    def version(self) -> str:
        """The version, which is that of the text."""
        return digest_of(self.parsed.text.encode())

    def passages(self) -> Iterator[Passage]:
        """One passage for each paragraph (what blank lines part), without a score."""
        start = 0
        for n, paragraph in enumerate(self.parsed.text.split("\n\n")):
            end = start + len(paragraph)
            page = next((page.n for page in self.parsed.pages if page.start <= start < page.end), None)
            chunk = Chunk(
                chunk_id(self.id, self.version, n),
                self.id,
                self.version,
                n,
                start,
                end,
                paragraph,
                title=self.parsed.title,
                page_first=page,
                page_last=page,
                language=self.language,
            )
            yield Passage(chunk, self.uri, SOURCE, self.access, 0.0)
            start = end + 2


class MemoryLibrary:
    """Port `EvidenceFinder` over `documents`, which may be changed at any time."""

    def __init__(self, *documents: StoredText) -> None:
        self.documents = list(documents)

    async def evidence(self, question: str, *, reader: Principal, filters: SearchFilters, limit: int) -> Evidence:
        """Readable passages that share a word with the question, those that share most first."""
        asked = content_stems(question)
        found = [
            replace(passage, score=shared / len(asked), dense_score=0.8 + 0.1 * shared / len(asked))
            for document in self.documents
            if allows(reader, document.access) and document.uri.startswith(filters.uri_prefix)
            for passage in document.passages()
            if (shared := len(asked & content_stems(passage.chunk.encoded_text)))
        ]
        return Evidence(tuple(sorted(found, key=lambda passage: (-passage.score, passage.chunk.id))[:limit]))

    async def parsed(self, document: UUID, version: str | None, *, reader: Principal) -> ParsedDocument:
        """The stored text. Raises NotFound, alike for what is missing and what is foreign."""
        for stored in self.documents:
            if stored.id == document and version in {None, stored.version} and allows(reader, stored.access):
                return stored.parsed
        raise NotFound

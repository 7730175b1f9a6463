"""Whatever the index still holds, a reader finds what the catalogue says now: revoked, deleted and old texts are gone.

The index here forgets nothing and learns of no change of access: the worst that a crash can leave.
"""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.access import Access, LabelScale, Principal, allows
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.memory import MemoryCatalogue, MemoryOriginals, MemoryParsedTexts
from retrieval.adapters.memory_encoders import MemoryEmbedder
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.library import Library
from retrieval.model import Chunk, DocumentVersion, ParsedDocument, chunk_id, digest_of, document_id

SCALE = LabelScale()
CURATOR = Principal("acme", "curator", frozenset(), SCALE.highest)
READERS = [
    Principal("acme", "ana", frozenset({"hr"}), SCALE.label("confidential")),
    Principal("acme", "bob", frozenset(), SCALE.lowest),
    Principal("other", "eve", frozenset({"hr"}), SCALE.highest),
]
DOCUMENTS = [document_id("acme", "files", uri) for uri in ("a", "b")]

readers = st.frozensets(st.sampled_from(["everyone", "group:hr", "user:ana", "user:bob"])).map(
    lambda names: names | {"user:curator"}
)
accesses = st.builds(Access, st.just("acme"), readers, st.sampled_from(SCALE.up_to(SCALE.highest)))
texts = st.sampled_from(["salary list of the board", "salary rules", "holiday rules of the board"])
steps = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(DOCUMENTS), texts, accesses),
    st.tuples(st.just("close"), st.sampled_from(DOCUMENTS), st.just(""), accesses),
    st.tuples(st.just("delete"), st.sampled_from(DOCUMENTS), st.just(""), accesses),
)


class UnforgettingVectors(MemoryVectorStore):
    """Everyone may read what was ever written, as far as this index knows."""

    async def upsert(self, points) -> None:
        await super().upsert(
            [replace(point, access=Access("acme", frozenset({"everyone"}), SCALE.lowest)) for point in points]
        )

    async def remove(self, document: UUID, *, keep_version: str | None = None) -> None:
        """Nothing goes."""

    async def relabel(self, document: UUID, access: Access) -> None:
        """Nothing is learnt."""


async def open_library() -> Library:
    library = Library(
        catalogue=MemoryCatalogue(SCALE, lambda: datetime.now(UTC)),
        vectors=UnforgettingVectors(),
        originals=MemoryOriginals(),
        parsed_texts=MemoryParsedTexts(),
        embedder=MemoryEmbedder(16),
        sparse=Bm25Encoder(),
        detector=WordEvidenceDetector(),
        translator=None,
        scale=SCALE,
    )
    await library.open()
    return library


async def write(library: Library, document: UUID, text: str, access: Access) -> None:
    digest = digest_of(text.encode())
    version = DocumentVersion(document, digest, "files", "a", "", "text/plain", len(text), access)
    chunk = Chunk(chunk_id(document, digest, 0), document, digest, 0, 0, len(text), text)
    await library.write(version, ParsedDocument(text, "text/plain"), [chunk])


@settings(max_examples=40, deadline=None)
@given(story=st.lists(steps, max_size=8))
async def test_each_change_acts_on_the_next_search_though_the_index_never_hears_of_it(story) -> None:
    library = await open_library()
    truth: dict[UUID, tuple[str, Access]] = {}
    for kind, document, text, access in story:
        if kind == "write":
            await write(library, document, text, access)
            truth[document] = text, access
        elif document in truth and kind == "delete":
            await library.delete(document, reader=CURATOR)
            del truth[document]
        elif document in truth:
            await library.set_access(document, access, reader=CURATOR)
            truth[document] = truth[document][0], access
        for reader in READERS:
            found = await library.search("salary of the board", reader=reader)
            expected = {(document, text) for document, (text, access) in truth.items() if allows(reader, access)}
            assert {(passage.chunk.document_id, passage.chunk.text) for passage in found} == expected
            assert all(allows(reader, passage.access) for passage in found)


@settings(max_examples=15, deadline=None)
@given(hidden=st.lists(texts, min_size=1, max_size=3, unique=True), access=accesses)
async def test_scores_are_the_same_with_and_without_what_is_left_over(hidden, access) -> None:
    """Left-over points do not even shift the scores that each ranker's kept hits are stretched to."""
    clean, stale = await open_library(), await open_library()
    for library in (clean, stale):
        await write(
            library,
            DOCUMENTS[0],
            "rules of the board",
            replace(access, readers=frozenset({"user:ana"}), label=SCALE.lowest),
        )
    for text in hidden:
        await write(stale, DOCUMENTS[1], text, replace(access, readers=frozenset({"user:curator"})))
    await stale.delete(DOCUMENTS[1], reader=CURATOR)
    both = [await library.search("rules", reader=READERS[0]) for library in (clean, stale)]
    assert [passage.score for passage in both[0]] == [passage.score for passage in both[1]]
    assert [passage.dense_score for passage in both[0]] == [passage.dense_score for passage in both[1]]

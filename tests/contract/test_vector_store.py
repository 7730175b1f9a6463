"""What every vector store promises: memory, embedded engine, server client, and a server where there is one."""

import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient

from retrieval.access import Access, LabelScale, Principal, ReaderFilter, reader_filter
from retrieval.adapters.edge_supervisor import EdgeProcess
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.qdrant_edge import EdgeVectorStore
from retrieval.adapters.qdrant_server import QdrantServerStore
from retrieval.errors import InvalidVector, StoreUnavailable, WrongEmbedder
from retrieval.model import (
    EmbedderIdentity,
    IndexIdentity,
    Point,
    SparseVector,
    StoredDocument,
    StoreQuery,
    chunk_id,
    document_id,
)
from retrieval.ports import VectorStore

# What the client's local mode says about itself; a server says none of it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]

SCALE = LabelScale()
IDENTITY = IndexIdentity(EmbedderIdentity("small/e5", 4, 512, "sha256:weights"), "bm25/1")
OTHERS = [
    replace(IDENTITY, embedder=replace(IDENTITY.embedder, name="other")),
    replace(IDENTITY, embedder=replace(IDENTITY.embedder, dimensions=8)),
    replace(IDENTITY, embedder=replace(IDENTITY.embedder, digest="sha256:others")),
    replace(IDENTITY, embedder=replace(IDENTITY.embedder, max_tokens=256)),
    replace(IDENTITY, sparse="bm25/2"),
]
OPEN = Access("acme", frozenset({"everyone"}), SCALE.lowest)


@dataclass
class Rig:
    """A store that is open, and a way to get at the same index again."""

    store: VectorStore
    make: Callable[[], VectorStore]
    stack: AsyncExitStack

    def again(self) -> VectorStore:
        store = self.make()
        self.stack.push_async_callback(store.close)
        return store


async def edge_rig(stack: AsyncExitStack) -> Rig:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lastro-")))
    socket = folder / "s"
    await stack.enter_async_context(EdgeProcess(folder / "index", socket))
    return Rig(EdgeVectorStore(socket), lambda: EdgeVectorStore(socket), stack)


async def local_rig(stack: AsyncExitStack) -> Rig:
    client = AsyncQdrantClient(":memory:")
    return Rig(QdrantServerStore(client), lambda: QdrantServerStore(client), stack)


async def server_rig(stack: AsyncExitStack) -> Rig:
    url = os.environ.get("LASTRO_TEST_QDRANT_URL")
    if not url:
        pytest.skip("LASTRO_TEST_QDRANT_URL is not set: no Qdrant server to test against")
    key, alias = os.environ.get("LASTRO_TEST_QDRANT_API_KEY"), f"test-{uuid.uuid4().hex[:8]}"
    client = AsyncQdrantClient(url=url, api_key=key, check_compatibility=False)

    async def clean() -> None:
        for collection in (await client.get_collections()).collections:
            if collection.name.startswith(alias):
                await client.delete_collection(collection.name)
        await client.close()

    stack.push_async_callback(clean)
    return Rig(
        QdrantServerStore.connect(url, api_key=key, alias=alias),
        lambda: QdrantServerStore.connect(url, api_key=key, alias=alias),
        stack,
    )


async def memory_rig(stack: AsyncExitStack) -> Rig:
    store = MemoryVectorStore()
    return Rig(store, lambda: store, stack)


RIGS = {"memory": memory_rig, "edge": edge_rig, "local": local_rig, "server": server_rig}


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        made = await RIGS[request.param](stack)
        await made.store.open(IDENTITY)
        yield made
        await made.store.close()


@pytest.fixture
def store(rig: Rig) -> VectorStore:
    return rig.store


def point(
    uri: str = "a.md",
    n: int = 0,
    *,
    version: str = "sha256:1",
    access: Access = OPEN,
    dense: tuple[float, ...] = (1, 0, 0, 0),
    terms: dict[int, float] | None = None,
) -> Point:
    document = document_id(access.tenant, "files", uri)
    words = terms or {}
    sparse = SparseVector(tuple(sorted(words)), tuple(words[term] for term in sorted(words)))
    return Point(
        chunk_id(document, version, n), document, version, n, access, np.array(dense, dtype=np.float32), sparse
    )


def reader(*names: str, tenant: str = "acme", labels: tuple[str, ...] = ("public",)) -> ReaderFilter:
    return ReaderFilter(tenant, frozenset(names or ("everyone",)), frozenset(labels))


def ask(
    dense: tuple[float, ...] | None = (1, 0, 0, 0),
    terms: dict[int, float] | None = None,
    *,
    by: ReaderFilter | None = None,
    limit: int = 10,
) -> StoreQuery:
    vector = None if dense is None else np.array(dense, dtype=np.float32)
    sparse = None if terms is None else SparseVector(tuple(sorted(terms)), tuple(terms[term] for term in sorted(terms)))
    return StoreQuery(by or reader(), vector, sparse, limit)


async def seen(store: VectorStore, by: ReaderFilter) -> set[UUID]:
    return {hit.chunk_id for hit in (await store.search(ask(by=by, limit=100))).dense}


async def test_a_new_index_is_empty(store: VectorStore) -> None:
    assert await store.count() == 0
    assert [document async for document in store.documents()] == []
    hits = await store.search(ask(terms={1: 1.0}))
    assert hits.dense == hits.sparse == ()


async def test_the_nearest_by_cosine_come_first(store: VectorStore) -> None:
    near, middle, far = point(n=1), point(n=2, dense=(0.6, 0.8, 0, 0)), point(n=3, dense=(-1, 0, 0, 0))
    await store.upsert([far, near, middle])
    hits = (await store.search(ask())).dense
    assert [hit.chunk_id for hit in hits] == [near.chunk_id, middle.chunk_id, far.chunk_id]
    assert [hit.score for hit in hits] == pytest.approx([1.0, 0.6, -1.0], abs=1e-5)


async def test_terms_are_ranked_by_weight_times_rarity(store: VectorStore) -> None:
    await store.upsert(
        [point(n=1, terms={7: 1.0, 8: 2.0}), point(n=2, terms={7: 1.5}), point(n=3, terms={9: 1.0}), point(n=4)]
    )
    hits = (await store.search(ask(None, {7: 1.0, 8: 1.0}))).sparse
    # N = 4; term 7 is in two chunks, term 8 in one: ln(1 + (N - df + 0.5) / (df + 0.5)).
    common, rare = np.log(1 + 2.5 / 2.5), np.log(1 + 3.5 / 1.5)
    assert [hit.score for hit in hits] == pytest.approx([common + 2 * rare, 1.5 * common], rel=1e-4)


async def test_the_words_of_another_tenant_do_not_move_a_score(store: VectorStore) -> None:
    mine = [point(n=n, terms={7: 1.0} if n < 2 else {8: 1.0}) for n in range(5)]
    await store.upsert(mine)
    before = (await store.search(ask(None, {7: 1.0}))).sparse
    await store.upsert([point(n=n, access=replace(OPEN, tenant="other"), terms={7: 1.0}) for n in range(30)])
    after = (await store.search(ask(None, {7: 1.0}))).sparse
    assert len(before) == 2
    assert [hit.chunk_id for hit in after] == [hit.chunk_id for hit in before]
    assert [hit.score for hit in after] == pytest.approx([hit.score for hit in before], rel=1e-5)


async def test_removed_chunks_leave_the_statistics_of_terms(store: VectorStore) -> None:
    await store.upsert([point("a.md", terms={7: 1.0}), point("b.md", terms={7: 1.0}), point("c.md", terms={8: 1.0})])
    await store.remove(document_id("acme", "files", "b.md"))
    [hit] = (await store.search(ask(None, {7: 1.0}))).sparse
    assert hit.score == pytest.approx(np.log(1 + 1.5 / 1.5), rel=1e-4)


async def test_chunks_without_a_common_term_are_not_found_by_terms(store: VectorStore) -> None:
    await store.upsert([point(n=1, terms={7: 1.0}), point(n=2)])
    assert (await store.search(ask(None, {99: 1.0}))).sparse == ()
    assert (await store.search(ask(None, {}))).sparse == ()


async def test_only_the_rankings_that_were_asked_for_come_back(store: VectorStore) -> None:
    await store.upsert([point(terms={7: 1.0})])
    both, dense, sparse = ask(terms={7: 1.0}), ask(), ask(None, {7: 1.0})
    assert [len(ranker) for hits in [await store.search(both)] for ranker in (hits.dense, hits.sparse)] == [1, 1]
    assert (await store.search(dense)).sparse == ()
    assert (await store.search(sparse)).dense == ()
    assert (await store.search(ask(None, None))) == (await store.search(ask(limit=0)))


async def test_each_condition_of_the_reader_must_hold(store: VectorStore) -> None:
    access = Access("acme", frozenset({"group:hr", "user:ana"}), SCALE.label("internal"))
    mine = point(access=access)
    await store.upsert([mine])
    internal = ("public", "internal")
    assert await seen(store, reader("group:hr", labels=internal)) == {mine.chunk_id}
    assert await seen(store, reader("user:ana", "everyone", labels=internal)) == {mine.chunk_id}
    assert await seen(store, reader("group:hr", tenant="other", labels=internal)) == set()
    assert await seen(store, reader("everyone", "group:it", labels=internal)) == set()
    assert await seen(store, reader("group:hr", labels=("public",))) == set()


async def test_names_match_whole_and_exactly(store: VectorStore) -> None:
    await store.upsert([point(access=replace(OPEN, readers=frozenset({"group:hr"})))])
    for name in ("group:h", "group:hr2", "group:HR", "hr", "group:hr ", "group:*", ""):
        assert await seen(store, reader(name, "user:x")) == set()


async def test_what_has_no_readers_is_seen_by_nobody(store: VectorStore) -> None:
    await store.upsert([point(access=Access.closed("acme", SCALE), terms={7: 1.0})])
    principal = Principal("acme", "ana", frozenset({"hr"}), SCALE.highest)
    everything = reader_filter(principal, SCALE)
    assert everything is not None
    hits = await store.search(ask(terms={7: 1.0}, by=everything))
    assert hits.dense == hits.sparse == ()


async def test_terms_are_filtered_like_vectors(store: VectorStore) -> None:
    secret = point("secret.md", access=replace(OPEN, label=SCALE.highest), terms={7: 1.0})
    public = point("public.md", terms={7: 1.0})
    await store.upsert([secret, public])
    assert [hit.chunk_id for hit in (await store.search(ask(None, {7: 1.0}))).sparse] == [public.chunk_id]


async def test_writing_the_same_points_again_changes_nothing(store: VectorStore) -> None:
    points = [point(n=n, dense=(1, n, 0, 0), terms={n: 1.0}) for n in range(5)]
    await store.upsert(points)
    before = await store.search(ask(terms={1: 1.0, 2: 1.0}))
    await store.upsert(points[:3])
    assert await store.count() == 5
    assert await store.search(ask(terms={1: 1.0, 2: 1.0})) == before


async def test_a_point_with_the_same_id_is_replaced_whole(store: VectorStore) -> None:
    await store.upsert([point(terms={7: 1.0})])
    await store.upsert(
        [point(dense=(0, 1, 0, 0), terms={8: 1.0}, access=replace(OPEN, readers=frozenset({"user:bo"})))]
    )
    assert await seen(store, reader()) == set()
    hits = await store.search(ask((0, 1, 0, 0), {7: 1.0}, by=reader("user:bo")))
    assert [hit.score for hit in hits.dense] == pytest.approx([1.0])
    assert hits.sparse == ()


async def test_writing_nothing_is_fine(store: VectorStore) -> None:
    await store.upsert([])
    assert await store.count() == 0


async def test_more_points_than_a_batch_holds_are_all_written(store: VectorStore) -> None:
    await store.upsert([point(n=n, dense=(1, n, 0, 0)) for n in range(600)])
    assert await store.count() == 600
    [document] = [document async for document in store.documents()]
    assert document.chunks == 600


async def test_equal_scores_are_cut_by_chunk_id(store: VectorStore) -> None:
    points = [point(n=n, terms={7: 1.0}) for n in range(300)]
    await store.upsert([*points, point("far.md", dense=(0, 1, 0, 0))])
    first = sorted(each.chunk_id for each in points)[:5]
    hits = await store.search(ask(terms={7: 1.0}, limit=5))
    assert [hit.chunk_id for hit in hits.dense] == first
    assert [hit.chunk_id for hit in hits.sparse] == first


async def test_relabelling_changes_who_sees_all_of_a_document_and_nothing_else(store: VectorStore) -> None:
    mine, other = [point("a.md", n, terms={7: 1.0}) for n in range(3)], point("b.md")
    await store.upsert([*mine, other])
    closed = Access("acme", frozenset({"group:hr"}), SCALE.label("confidential"))
    await store.relabel(mine[0].document_id, closed)
    assert await seen(store, reader()) == {other.chunk_id}
    hr = reader("group:hr", labels=("confidential",))
    assert await seen(store, hr) == {each.chunk_id for each in mine}
    assert len((await store.search(ask(None, {7: 1.0}, by=hr))).sparse) == 3
    assert await store.count() == 4


async def test_relabelling_moves_a_document_to_another_tenant(store: VectorStore) -> None:
    mine = point()
    await store.upsert([mine])
    await store.relabel(mine.document_id, replace(OPEN, tenant="other"))
    assert await seen(store, reader()) == set()
    assert await seen(store, reader(tenant="other")) == {mine.chunk_id}


async def test_removing_takes_all_versions_or_all_but_one(store: VectorStore) -> None:
    old, new = (
        [point("a.md", n, version="sha256:1") for n in range(3)],
        [point("a.md", n, version="sha256:2") for n in range(2)],
    )
    other = point("b.md")
    await store.upsert([*old, *new, other])
    document = other.document_id
    await store.remove(new[0].document_id, keep_version="sha256:2")
    assert await seen(store, reader()) == {each.chunk_id for each in [*new, other]}
    await store.remove(new[0].document_id, keep_version="sha256:3")
    assert [stored async for stored in store.documents()] == [StoredDocument(document, "sha256:1", 1)]
    await store.remove(document)
    await store.remove(document)
    assert await store.count() == 0


async def test_documents_are_counted_by_version(store: VectorStore) -> None:
    await store.upsert([point("a.md", n, version=f"sha256:{n % 2}") for n in range(5)])
    await store.upsert([point("b.md")])
    a, b = document_id("acme", "files", "a.md"), document_id("acme", "files", "b.md")
    stored = {(each.document_id, each.version): each.chunks async for each in store.documents()}
    assert stored == {(a, "sha256:0"): 3, (a, "sha256:1"): 2, (b, "sha256:1"): 1}


async def test_what_was_written_is_there_when_the_index_is_opened_again(rig: Rig) -> None:
    written = point(terms={7: 1.0})
    await rig.store.upsert([written])
    await rig.store.flush()
    again = rig.again()
    await again.open(IndexIdentity(EmbedderIdentity("small/e5", 4, 512, "sha256:weights"), "bm25/1"))
    assert await again.count() == 1
    assert [hit.chunk_id for hit in (await again.search(ask())).dense] == [written.chunk_id]


async def test_another_identity_is_refused_and_the_index_stays_as_it_is(rig: Rig) -> None:
    await rig.store.upsert([point()])
    for other in OTHERS:
        with pytest.raises(WrongEmbedder):
            await rig.again().open(other)
    await rig.store.open(IDENTITY)
    assert await rig.store.count() == 1


BAD = [
    point("bad", dense=(1, 0, 0)),
    point("bad", dense=(1, 0, 0, 0, 0)),
    point("bad", dense=(float("nan"), 0, 0, 0)),
    point("bad", dense=(float("inf"), 0, 0, 0)),
    replace(point("bad"), dense=np.ones((2, 2), dtype=np.float32)),
    replace(point("bad"), sparse=SparseVector((2, 1), (1.0, 1.0))),
    replace(point("bad"), sparse=SparseVector((1, 1), (1.0, 1.0))),
    replace(point("bad"), sparse=SparseVector((1,), (float("nan"),))),
    replace(point("bad"), sparse=SparseVector((2**32,), (1.0,))),
    replace(point("bad"), sparse=SparseVector((-1,), (1.0,))),
]


async def test_a_bad_vector_is_refused_before_anything_is_written(store: VectorStore) -> None:
    for bad in BAD:
        with pytest.raises(InvalidVector):
            await store.upsert([point(), bad])
        with pytest.raises(InvalidVector):
            await store.search(StoreQuery(reader(), bad.dense, bad.sparse))
    assert await store.count() == 0


async def test_a_zero_vector_is_kept_and_scores_nothing(store: VectorStore) -> None:
    await store.upsert([point(dense=(0, 0, 0, 0))])
    assert [hit.score for hit in (await store.search(ask())).dense] == [0.0]


async def test_a_store_that_is_not_open_says_so(rig: Rig) -> None:
    await rig.store.close()
    await rig.store.close()
    calls = [
        lambda: rig.store.search(ask()),
        lambda: rig.store.upsert([point()]),
        lambda: rig.store.remove(point().document_id),
        lambda: rig.store.relabel(point().document_id, OPEN),
        rig.store.flush,
        rig.store.count,
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            await call()
    with pytest.raises(StoreUnavailable):
        [document async for document in rig.store.documents()]

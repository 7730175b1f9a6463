"""Who may read what, by law: the compiled filter equals the rule, on the twin of the rule and on every store."""

import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import AsyncQdrantClient

from retrieval.access import (
    EVERYONE,
    Access,
    Label,
    LabelScale,
    Principal,
    allows,
    highest,
    reader_filter,
    reader_names,
)
from retrieval.adapters.edge_supervisor import EdgeProcess
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.qdrant_edge import EdgeVectorStore
from retrieval.adapters.qdrant_server import QdrantServerStore
from retrieval.model import EmbedderIdentity, IndexIdentity, Point, SparseVector, StoreQuery, chunk_id, document_id
from retrieval.ports import VectorStore

SCALE = LabelScale()
# Few names, so that they meet; odd ones, so that a filter that splits, trims, folds or escapes is found out.
TENANTS = ["acme", "Acme", "acme ", "other", ""]
NAMES = [
    "hr",
    "HR",
    "h",
    "group:hr",
    "everyone",
    "user:ana",
    "*",
    "é",
    "e\u0301",
    "a b",
    '"',
    "$or",
    "%",
    "x" * 300,
    "",
]
READERS = [EVERYONE, *(f"{kind}:{name}" for kind in ("group", "user") for name in NAMES if name)]

labels = st.sampled_from(SCALE.up_to(SCALE.highest))
principals = st.builds(
    Principal,
    tenant=st.sampled_from(TENANTS),
    user=st.sampled_from(NAMES),
    groups=st.frozensets(st.sampled_from(NAMES), max_size=4),
    clearance=labels,
)
accesses = st.builds(
    Access,
    tenant=st.sampled_from(TENANTS),
    readers=st.frozensets(st.sampled_from(READERS), max_size=4),
    label=labels,
)
scales = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True).map(
    lambda names: LabelScale(tuple(names))
)


def passes(principal: Principal, access: Access, above: Label | None = None) -> bool:
    compiled = reader_filter(principal, SCALE, above=above)
    return compiled is not None and compiled.matches(access)


@settings(max_examples=3000)
@given(principals, accesses)
def test_the_compiled_filter_equals_the_rule(principal: Principal, access: Access) -> None:
    assert passes(principal, access) == allows(principal, access)


@settings(max_examples=500)
@given(principals, accesses, labels)
def test_with_a_floor_only_what_lies_above_it_is_left(principal: Principal, access: Access, floor: Label) -> None:
    assert passes(principal, access, floor) == (allows(principal, access) and access.label.rank > floor.rank)


@given(principals, accesses, labels)
def test_a_higher_clearance_never_hides_anything(principal: Principal, access: Access, other: Label) -> None:
    raised = Principal(principal.tenant, principal.user, principal.groups, max(principal.clearance, other))
    assert allows(raised, access) >= allows(principal, access)


@given(principals, accesses, st.sampled_from(READERS), labels)
def test_more_readers_or_a_lower_label_never_hide_anything(
    principal: Principal, access: Access, reader: str, label: Label
) -> None:
    opened = Access(access.tenant, access.readers | {reader}, min(access.label, label))
    assert allows(principal, opened) >= allows(principal, access)


@given(principals, accesses)
def test_nobody_reads_what_has_no_readers_and_no_stranger_reads_anything(principal: Principal, access: Access) -> None:
    assert not allows(principal, Access.closed(principal.tenant, SCALE))
    stranger = Principal(access.tenant + "'", principal.user, principal.groups, SCALE.highest)
    assert not allows(stranger, access)
    nameless = Principal(access.tenant, "", principal.groups, SCALE.highest)
    assert not allows(nameless, access)
    assert reader_filter(nameless, SCALE) is None


@given(scales, st.data())
def test_labels_form_a_chain(scale: LabelScale, data: st.DataObject) -> None:
    chain = [scale.label(name) for name in scale.names]
    some = data.draw(st.lists(st.sampled_from(chain)))
    top = highest(some, scale)
    assert sorted(chain) == chain == list(scale.up_to(scale.highest))
    assert all(label <= top for label in some)
    assert top in some or (not some and top == scale.lowest)
    assert scale.up_to(top) == tuple(chain[: top.rank + 1])
    assert scale.label(None) == scale.highest == chain[-1]


@given(st.lists(labels), st.lists(labels), st.lists(labels))
def test_joining_labels_is_a_semilattice(a: list[Label], b: list[Label], c: list[Label]) -> None:
    def join(*parts: Label) -> Label:
        return highest(parts, SCALE)

    x, y, z = (highest(part, SCALE) for part in (a, b, c))
    assert join(x, x) == x
    assert join(x, y) == join(y, x)
    assert join(join(x, y), z) == join(x, join(y, z)) == highest([*a, *b, *c], SCALE)
    assert join(x, SCALE.lowest) == x
    assert join(x, SCALE.highest) == SCALE.highest


@given(st.lists(st.sampled_from(READERS)))
def test_reader_names_keep_what_is_well_formed(readers: list[str]) -> None:
    padded = [f" {reader}\t" for reader in readers]
    assert reader_names(padded) == frozenset(reader.strip() for reader in readers)


def stored_points(count: int) -> list[Point]:
    """Points that differ in their access alone, the same ones in every run."""
    chance = random.Random(20261123)
    points = []
    for n in range(count):
        readers = frozenset(chance.sample(READERS, chance.choice([0, 1, 1, 2, 3])))
        access = Access(chance.choice(TENANTS[:4]), readers, chance.choice(SCALE.up_to(SCALE.highest)))
        document = document_id(access.tenant, "files", str(n))
        vector = np.array([1, n / count], dtype=np.float32)
        points.append(Point(chunk_id(document, "v", 0), document, "v", 0, access, vector, SparseVector((5,), (1.0,))))
    return points


POINTS = stored_points(400)
IDENTITY = IndexIdentity(EmbedderIdentity("test", 2, 1), "test")


@pytest.fixture(params=["memory", "edge", "local"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[VectorStore]:
    async with AsyncExitStack() as stack:
        made: VectorStore
        if request.param == "memory":
            made = MemoryVectorStore()
        elif request.param == "local":
            made = QdrantServerStore(AsyncQdrantClient(":memory:"))
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lastro-")))
            await stack.enter_async_context(EdgeProcess(folder / "index", folder / "s"))
            made = EdgeVectorStore(folder / "s")
        await made.open(IDENTITY)
        await made.upsert(POINTS)
        yield made
        await made.close()


async def found(store: VectorStore, principal: Principal, above: Label | None) -> tuple[set[UUID], set[UUID]]:
    compiled = reader_filter(principal, SCALE, above=above)
    if compiled is None:
        return set(), set()
    vector = np.array([1, 0], dtype=np.float32)
    hits = await store.search(StoreQuery(compiled, vector, SparseVector((5,), (1.0,)), len(POINTS)))
    return {hit.chunk_id for hit in hits.dense}, {hit.chunk_id for hit in hits.sparse}


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
@pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(principal=principals, above=st.none() | labels)
async def test_every_store_returns_exactly_what_the_rule_allows(
    store: VectorStore, principal: Principal, above: Label | None
) -> None:
    allowed = {
        point.chunk_id
        for point in POINTS
        if allows(principal, point.access) and (above is None or point.access.label.rank > above.rank)
    }
    assert await found(store, principal, above) == (allowed, allowed)

"""What travels to the index process comes back as it was, and what is no frame is refused."""

import asyncio
import string
from uuid import UUID

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.access import Access, Label, ReaderFilter
from retrieval.adapters import edge_frames, edge_values
from retrieval.errors import (
    DataFolderInUse,
    DiskFull,
    IndexDamaged,
    InvalidVector,
    LastroError,
    PermanentFailure,
    StoreUnavailable,
    WrongEmbedder,
)
from retrieval.model import EmbedderIdentity, Hit, IndexIdentity, Point, SparseVector, StoreHits, StoreQuery

names = st.text(string.ascii_letters + "é:@ ", min_size=1, max_size=12)
floats = st.floats(width=32, allow_nan=False)
dense = st.lists(floats, min_size=1, max_size=8).map(lambda values: np.array(values, dtype=np.float32))
sparse = st.dictionaries(st.integers(0, 2**32 - 1), floats, max_size=8).map(
    lambda terms: SparseVector(tuple(sorted(terms)), tuple(terms[term] for term in sorted(terms)))
)
accesses = st.builds(Access, names, st.frozensets(names, max_size=4), st.builds(Label, st.integers(0, 9), names))
points = st.builds(Point, st.uuids(), st.uuids(), names, st.integers(0, 10**6), accesses, dense, sparse)
some = st.frozensets(names, min_size=1, max_size=4)
queries = st.builds(
    StoreQuery, st.builds(ReaderFilter, names, some, some), st.none() | dense, st.none() | sparse, st.integers(0, 500)
)
hits = st.lists(st.builds(Hit, st.uuids(), floats), max_size=5).map(tuple)


def travelled(packed: object) -> object:
    return msgpack.unpackb(msgpack.packb(packed))


def same(left: np.ndarray | None, right: np.ndarray | None) -> bool:
    return (left is None) == (right is None) and (left is None or right is None or np.array_equal(left, right))


@given(points)
def test_a_point_travels_whole(point: Point) -> None:
    back = edge_values.unpack_point(travelled(edge_values.pack_point(point)))
    for name in ("chunk_id", "document_id", "version", "n", "access", "sparse"):
        assert getattr(back, name) == getattr(point, name)
    assert same(back.dense, point.dense)


@given(queries)
def test_a_query_travels_whole(query: StoreQuery) -> None:
    back = edge_values.unpack_query(travelled(edge_values.pack_query(query)))
    assert (back.reader, back.sparse, back.limit) == (query.reader, query.sparse, query.limit)
    assert same(back.dense, query.dense)


@given(hits, hits)
def test_hits_travel_whole(dense: tuple[Hit, ...], sparse: tuple[Hit, ...]) -> None:
    found = StoreHits(dense, sparse)
    assert edge_values.unpack_hits(travelled(edge_values.pack_hits(found))) == found


@given(names, st.integers(1, 4096), st.integers(1, 4096), names, names)
def test_an_identity_travels_whole(name: str, dimensions: int, tokens: int, digest: str, sparse: str) -> None:
    identity = IndexIdentity(EmbedderIdentity(name, dimensions, tokens, digest), sparse)
    assert edge_values.unpack_identity(travelled(edge_values.pack_identity(identity))) == identity


def test_a_filter_with_an_empty_condition_does_not_arrive() -> None:
    for broken in (["", ["a"], ["b"]], ["t", [], ["b"]], ["t", ["a"], []]):
        with pytest.raises(ValueError, match="empty condition"):
            edge_values.unpack_query([*broken, None, None, 10])


KINDS = [DataFolderInUse, DiskFull, IndexDamaged, InvalidVector, PermanentFailure, StoreUnavailable, WrongEmbedder]


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_arrives_as_the_same_kind_with_its_message(kind: type[LastroError]) -> None:
    with pytest.raises(kind, match=r"^because$") as failure:
        edge_frames.result_of(travelled(edge_frames.failure_answer(kind("because"))))
    assert type(failure.value) is kind


def test_an_unknown_failure_is_permanent_and_what_is_no_answer_is_no_result() -> None:
    with pytest.raises(PermanentFailure, match="hm"):
        edge_frames.result_of(["failed", "from_a_later_version", "hm"])
    for nonsense in (None, [], ["ok"], ["failed", 1, 2], {"ok": 1}):
        with pytest.raises(StoreUnavailable, match="something else"):
            edge_frames.result_of(nonsense)
    assert edge_frames.result_of(["ok", None]) is None


async def read(data: bytes) -> object:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await edge_frames.read_frame(reader)


async def test_a_frame_is_read_back_whole_or_not_at_all() -> None:
    frame = edge_frames.frame_of(["count", UUID(int=1).bytes])
    assert await read(frame + b"more") == ["count", UUID(int=1).bytes]
    for part in (b"", frame[:2], frame[:-1]):
        with pytest.raises(EOFError):
            await read(part)


async def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="is more than"):
        await read((2**31).to_bytes(4, "big"))
    for body in (b"\xc1", b"\x01\x02", b"", b"\x92\x01"):
        with pytest.raises(ValueError):  # noqa: PT011
            await read(len(body).to_bytes(4, "big") + body)

"""The folder and the engine of an embedded index, in this process: making, opening, damage, disks and leftovers."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.access import Access, LabelScale, ReaderFilter
from retrieval.adapters.edge_folder import EdgeFolder
from retrieval.adapters.edge_schema import engine_errors
from retrieval.adapters.edge_shard import EdgeShard
from retrieval.errors import DataFolderInUse, DiskFull, IndexDamaged, InvalidVector, StoreUnavailable, WrongEmbedder
from retrieval.model import (
    EmbedderIdentity,
    IndexIdentity,
    Point,
    SparseVector,
    StoreQuery,
    chunk_id,
    document_id,
)

IDENTITY = IndexIdentity(EmbedderIdentity("e5", 3, 512, "sha256:1"), "bm25/1")
OPEN = Access("acme", frozenset({"everyone"}), LabelScale().lowest)
READER = ReaderFilter("acme", frozenset({"everyone"}), frozenset({"public"}))
DOCUMENT = document_id("acme", "files", "a.md")


def points(count: int, start: int = 0) -> list[Point]:
    vector, terms = np.array([1, 0, 0], dtype=np.float32), SparseVector((4,), (1.0,))
    return [
        Point(chunk_id(DOCUMENT, "v", n), DOCUMENT, "v", n, OPEN, vector, terms) for n in range(start, start + count)
    ]


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[EdgeShard]:
    made = EdgeShard(tmp_path / "index")
    made.open(IDENTITY)
    yield made
    made.close()


def test_an_index_is_made_once_and_opened_ever_after(tmp_path: Path) -> None:
    for n in range(3):
        shard = EdgeShard(tmp_path)
        shard.open(IDENTITY)
        assert shard.count() == 2 * n
        shard.upsert(points(2, start=2 * n))
        shard.close()
        shard.close()


def test_nothing_can_be_done_before_it_is_opened(tmp_path: Path) -> None:
    shard = EdgeShard(tmp_path)
    with pytest.raises(StoreUnavailable, match="not been opened"):
        shard.count()
    shard.close()


def test_another_identity_is_refused_with_both_in_the_message(shard: EdgeShard) -> None:
    other = replace(IDENTITY, embedder=replace(IDENTITY.embedder, name="minilm"))
    with pytest.raises(WrongEmbedder, match=r"e5.*minilm"):
        shard.open(other)
    shard.open(IDENTITY)


def test_a_second_owner_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first = EdgeFolder(tmp_path)
    with pytest.raises(DataFolderInUse, match="Another process"):
        EdgeFolder(tmp_path)
    first.release()
    first.release()
    EdgeFolder(tmp_path).release()


def test_an_index_that_was_left_half_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "making" / "shard" / "segments").mkdir(parents=True)
    shard = EdgeShard(tmp_path)
    assert not (tmp_path / "making").exists()
    shard.open(IDENTITY)
    shard.close()


def test_making_that_fails_leaves_nothing_that_could_be_opened(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.mkdir()
        raise DiskFull

    folder = EdgeFolder(tmp_path)
    with pytest.raises(DiskFull):
        folder.make(IDENTITY, fail)
    assert folder.identity() is None
    folder.release()


def test_what_a_killed_rebuild_left_behind_is_swept_away(tmp_path: Path, shard: EdgeShard) -> None:
    shard.upsert(points(3))
    shard.close()
    leftover = tmp_path / "index" / "index" / "shard" / "temp_segments" / "segment_builder_x"
    leftover.mkdir(parents=True)
    (leftover / "data").write_bytes(b"x" * 1000)
    again = EdgeShard(tmp_path / "index")
    assert not leftover.parent.exists()
    assert again.count() == 3
    again.close()


def test_fields_that_a_later_version_writes_do_not_matter(tmp_path: Path, shard: EdgeShard) -> None:
    shard.close()
    path = tmp_path / "index" / "index" / "identity.json"
    stored = json.loads(path.read_text())
    stored["embedder"]["pooling"] = "mean"
    path.write_text(json.dumps({**stored, "made": "2027-01-01"}))
    again = EdgeShard(tmp_path / "index")
    again.open(IDENTITY)
    again.close()


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"embedder": {}, "sparse": ""}', '{"sparse": "x"}'])
def test_an_unreadable_identity_is_damage_and_not_an_empty_index(
    tmp_path: Path, shard: EdgeShard, text: str | None
) -> None:
    shard.close()
    path = tmp_path / "index" / "index" / "identity.json"
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    with pytest.raises(IndexDamaged, match=r"identity\.json"):
        EdgeShard(tmp_path / "index")
    EdgeFolder(tmp_path / "index").release()


def test_missing_or_broken_files_of_the_engine_are_damage(tmp_path: Path, shard: EdgeShard) -> None:
    shard.upsert(points(3))
    shard.close()
    inside = tmp_path / "index" / "index" / "shard"
    for segment in (inside / "segments").iterdir():
        (segment / "segment.json").write_text("{")
    with pytest.raises(IndexDamaged, match="cannot be loaded"):
        EdgeShard(tmp_path / "index")
    shutil.rmtree(inside)
    with pytest.raises(IndexDamaged, match="is missing"):
        EdgeShard(tmp_path / "index")


def test_a_disk_that_is_nearly_full_takes_no_more_but_still_answers(tmp_path: Path, shard: EdgeShard) -> None:
    shard.upsert(points(3))
    shard.close()
    full = EdgeShard(tmp_path / "index", least_free_bytes=2**62)
    full.open(IDENTITY)
    with pytest.raises(DiskFull, match="MiB"):
        full.upsert(points(1))
    assert len(full.search(StoreQuery(READER, points(1)[0].dense, None)).dense) == 3
    full.remove(DOCUMENT, None)
    assert full.count() == 0
    full.close()
    empty = EdgeShard(tmp_path / "new", least_free_bytes=2**62)
    with pytest.raises(DiskFull):
        empty.open(IDENTITY)
    empty.close()


def test_the_shard_checks_vectors_itself_whoever_calls(shard: EdgeShard) -> None:
    bad = replace(points(1)[0], dense=np.array([float("nan"), 0, 0], dtype=np.float32))
    with pytest.raises(InvalidVector):
        shard.upsert([*points(2), bad])
    assert shard.count() == 0
    with pytest.raises(InvalidVector):
        shard.search(StoreQuery(READER, np.ones(4, dtype=np.float32), None))


def test_a_tie_that_crosses_the_limit_is_settled_by_chunk_id(shard: EdgeShard) -> None:
    tied = points(300)
    shard.upsert(tied)
    hits = shard.search(StoreQuery(READER, tied[0].dense, tied[0].sparse, 4))
    first = sorted(point.chunk_id for point in tied)[:4]
    assert [hit.chunk_id for hit in hits.dense] == [hit.chunk_id for hit in hits.sparse] == first
    assert shard.search(StoreQuery(READER, None, SparseVector((), ()), 4)).sparse == ()


def test_writing_nothing_asks_nothing_of_the_engine(shard: EdgeShard) -> None:
    shard.upsert([])
    assert shard.count() == 0


def test_a_scan_goes_through_everything_page_by_page(shard: EdgeShard) -> None:
    shard.upsert(points(25))
    seen, after = [], None
    while True:
        rows, after = shard.scan(after, 10)
        seen.append(len(rows))
        assert set(rows) == {(DOCUMENT, "v")}
        if after is None:
            break
    assert seen == [10, 10, 5]


def test_flushing_rebuilds_what_is_mostly_removed_and_keeps_the_rest(tmp_path: Path, shard: EdgeShard) -> None:
    shard.upsert(points(3000))
    other = [replace(point, document_id=document_id("acme", "files", "b.md")) for point in points(10, start=3000)]
    shard.upsert(other)
    shard.flush()
    before = sorted((tmp_path / "index" / "index" / "shard" / "segments").iterdir())
    shard.remove(DOCUMENT, None)
    shard.flush()
    assert sorted((tmp_path / "index" / "index" / "shard" / "segments").iterdir()) != before
    hits = shard.search(StoreQuery(READER, other[0].dense, other[0].sparse, 100))
    assert [hit.chunk_id for hit in hits.dense] == sorted(point.chunk_id for point in other)
    assert len(hits.sparse) == 10
    shard.relabel(other[0].document_id, replace(OPEN, readers=frozenset()))
    assert shard.search(StoreQuery(READER, other[0].dense, None)).dense == ()
    shard.upsert(points(5))
    assert shard.count() == 15


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Vector dimension error: expected dim: 384, got 1", InvalidVector),
        ("Service runtime error: No space left on device (os error 28)", DiskFull),
        ("Service runtime error: Shard is not initialized", StoreUnavailable),
    ],
)
def test_the_texts_of_the_engine_become_our_failures(text: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as failure, engine_errors():
        raise Exception(text)
    assert str(failure.value.__cause__) == text

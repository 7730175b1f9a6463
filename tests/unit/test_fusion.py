"""Fusion by hand-computed examples."""

from uuid import UUID

import pytest

from retrieval.fusion import Fused, fuse
from retrieval.model import Hit, StoreHits

A, B, C, D = (UUID(int=n) for n in range(4))


def test_each_ranker_gives_half() -> None:
    hits = StoreHits(dense=(Hit(A, 0.9), Hit(B, 0.8), Hit(C, 0.5)), sparse=(Hit(B, 12.0), Hit(D, 7.0), Hit(A, 2.0)))
    fused = fuse(hits, {A, B, C, D}, limit=10)
    assert [one.chunk_id for one in fused] == [B, A, D, C]
    assert [one.score for one in fused] == pytest.approx([0.5 * 0.75 + 0.5, 0.5, 0.25, 0.0])
    assert (fused[0].dense, fused[0].sparse) == (0.8, 12.0)
    assert (fused[2].dense, fused[2].sparse) == (0.0, 7.0)


def test_scores_are_stretched_over_what_is_kept() -> None:
    hits = StoreHits(dense=(Hit(A, 0.9), Hit(B, 0.8), Hit(C, 0.5)))
    assert [(one.chunk_id, one.score) for one in fuse(hits, {B, C}, limit=10)] == [(B, 0.5), (C, 0.0)]


def test_a_single_hit_is_a_best_one() -> None:
    assert fuse(StoreHits(sparse=(Hit(A, 3.0),)), {A}, limit=1) == [Fused(A, 0.5, 0.0, 3.0)]


def test_equal_scores_are_all_best_and_stand_in_the_order_of_their_ids() -> None:
    fused = fuse(StoreHits(dense=(Hit(C, 0.7), Hit(A, 0.7), Hit(B, 0.7))), {A, B, C}, limit=2)
    assert fused == [Fused(A, 0.5, 0.7), Fused(B, 0.5, 0.7)]


def test_of_a_chunk_that_was_found_twice_the_higher_score_counts() -> None:
    hits = StoreHits(dense=(Hit(A, 0.2), Hit(B, 0.6), Hit(A, 0.9)))
    assert fuse(hits, {A, B}, limit=1) == [Fused(A, 0.5, 0.9)]


def test_nothing_gives_nothing() -> None:
    assert fuse(StoreHits(), {A}, limit=5) == []
    assert fuse(StoreHits(dense=(Hit(A, 1.0),)), set(), limit=5) == []
    assert fuse(StoreHits(dense=(Hit(A, 1.0),)), {A}, limit=-1) == []

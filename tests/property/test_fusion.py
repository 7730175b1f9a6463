"""The laws of fusion."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.fusion import fuse, stretched
from retrieval.model import Hit, StoreHits

chunks = st.integers(0, 12).map(lambda n: UUID(int=n))
# A grid, so that equal scores are common and scaling is exact in floating point.
levels = st.integers(-8, 8).map(lambda n: n / 4)
hits = st.dictionaries(chunks, levels, max_size=10).map(
    lambda found: tuple(Hit(chunk, score) for chunk, score in found.items())
)
everything = frozenset(UUID(int=n) for n in range(13))
kept = st.frozensets(chunks)
factors = st.sampled_from([0.25, 0.5, 2.0, 16.0])
shifts = st.sampled_from([-4.0, 0.0, 1.0, 32.0])

laws = settings(max_examples=80, deadline=None)


@laws
@given(dense=hits, sparse=hits, kept=kept, order=st.randoms())
def test_the_order_in_which_hits_arrive_does_not_matter(dense, sparse, kept, order) -> None:
    shuffled = [list(dense), list(sparse)]
    for some in shuffled:
        order.shuffle(some)
    again = StoreHits(tuple(shuffled[0]), tuple(shuffled[1]))
    assert fuse(StoreHits(dense, sparse), kept, limit=20) == fuse(again, kept, limit=20)


@laws
@given(dense=hits, sparse=hits, factor=factors, shift=shifts)
def test_the_scale_of_a_ranker_s_scores_does_not_matter(dense, sparse, factor, shift) -> None:
    scaled = tuple(Hit(hit.chunk_id, hit.score * factor + shift) for hit in dense)
    first = fuse(StoreHits(dense, sparse), everything, limit=20)
    second = fuse(StoreHits(scaled, sparse), everything, limit=20)
    assert [(one.chunk_id, one.score) for one in first] == [(one.chunk_id, one.score) for one in second]


@laws
@given(dense=hits, sparse=hits, kept=kept)
def test_what_is_not_kept_has_no_influence_at_all(dense, sparse, kept) -> None:
    clean = StoreHits(*(tuple(hit for hit in some if hit.chunk_id in kept) for some in (dense, sparse)))
    assert fuse(StoreHits(dense, sparse), kept, limit=20) == fuse(clean, everything, limit=20)


@laws
@given(dense=hits, sparse=hits)
def test_scores_lie_between_0_and_1_and_fall_with_ties_by_chunk_id(dense, sparse) -> None:
    fused = fuse(StoreHits(dense, sparse), everything, limit=20)
    assert all(0.0 <= one.score <= 1.0 for one in fused)
    places = [(-one.score, one.chunk_id) for one in fused]
    assert places == sorted(places)
    assert {one.chunk_id for one in fused} == {hit.chunk_id for hit in (*dense, *sparse)}


@laws
@given(dense=hits, sparse=hits)
def test_who_is_at_least_as_good_for_both_rankers_never_stands_behind(dense, sparse) -> None:
    place = {one.chunk_id: one for one in fuse(StoreHits(dense, sparse), everything, limit=20)}
    by_dense = {hit.chunk_id: hit.score for hit in dense}
    by_sparse = {hit.chunk_id: hit.score for hit in sparse}
    both = by_dense.keys() & by_sparse.keys()
    for better in both:
        for worse in both:
            if by_dense[better] >= by_dense[worse] and by_sparse[better] >= by_sparse[worse]:
                assert place[better].score >= place[worse].score


@laws
@given(dense=hits, sparse=hits, limit=st.integers(0, 6))
def test_a_smaller_limit_is_the_beginning_of_a_larger_one(dense, sparse, limit) -> None:
    found = StoreHits(dense, sparse)
    assert fuse(found, everything, limit=limit) == fuse(found, everything, limit=20)[:limit]


@laws
@given(found=st.dictionaries(chunks, levels, min_size=1))
def test_stretching_keeps_the_order_and_reaches_1(found) -> None:
    result = stretched(found)
    assert max(result.values()) == 1.0
    assert all((found[a] < found[b]) == (result[a] < result[b]) for a in found for b in found)

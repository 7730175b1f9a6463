"""Laws of labelling: never more open than what was said, and never open to nobody."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.labelling import access_for
from retrieval.access import Access, LabelScale, Principal, allows

SCALE = LabelScale()
NAMES = ("ana", "bob", "carla")
GROUPS = ("people", "board")

labels = st.sampled_from(SCALE.names).map(SCALE.label)
readers = st.frozensets(
    st.sampled_from(["everyone", *(f"user:{name}" for name in NAMES), *(f"group:{group}" for group in GROUPS)])
)
accesses = st.builds(Access, st.just("acme"), readers, labels)
principals = st.builds(
    Principal,
    st.sampled_from(["acme", "rival"]),
    st.sampled_from(NAMES),
    st.frozensets(st.sampled_from(GROUPS)),
    labels,
)
owners = st.builds(Principal, st.just("acme"), st.sampled_from(NAMES), st.frozensets(st.sampled_from(GROUPS)), labels)


@settings(max_examples=200)
@given(st.none() | accesses, owners, principals)
def test_nobody_but_the_owner_reads_more_than_was_said(
    said: Access | None, owner: Principal, reader: Principal
) -> None:
    access = access_for(said, owner, SCALE)
    if allows(reader, access) and reader.user != owner.user:
        assert said is not None
        assert allows(reader, said)


@settings(max_examples=100)
@given(st.none() | accesses, owners)
def test_there_is_always_a_reader_and_a_second_time_changes_nothing(said: Access | None, owner: Principal) -> None:
    access = access_for(said, owner, SCALE)
    assert access.readers
    assert access_for(access, owner, SCALE) == access


@settings(max_examples=100)
@given(st.none() | accesses, owners)
def test_the_label_is_what_was_said_or_the_highest(said: Access | None, owner: Principal) -> None:
    assert access_for(said, owner, SCALE).label == (SCALE.highest if said is None else said.label)

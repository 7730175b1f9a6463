"""The edges of access that no law covers: what is refused, and with which words."""

import pytest

from retrieval.access import (
    EVERYONE,
    Access,
    Label,
    LabelScale,
    Principal,
    ReaderFilter,
    allows,
    highest,
    reader_filter,
    reader_names,
)
from retrieval.errors import UnknownLabel

SCALE = LabelScale()
ANA = Principal("acme", "ana", frozenset({"hr", ""}), SCALE.label("internal"))


@pytest.mark.parametrize("names", [(), ("public", "public"), ("public", "")])
def test_a_scale_needs_names_that_differ(names: tuple[str, ...]) -> None:
    with pytest.raises(UnknownLabel, match="at least one name"):
        LabelScale(names)


def test_an_unknown_label_is_refused_with_the_scale_in_the_message() -> None:
    with pytest.raises(UnknownLabel, match="public, internal, confidential, restricted") as failure:
        SCALE.label("secret")
    assert failure.value.code == "unknown_label"


def test_a_label_is_shown_by_its_name() -> None:
    assert str(SCALE.label("confidential")) == "confidential"


def test_what_nobody_labelled_has_the_highest_label() -> None:
    assert SCALE.label(None) == SCALE.highest == Label(3, "restricted")
    assert Access.closed("acme", SCALE) == Access("acme", frozenset(), SCALE.highest)


def test_a_principal_answers_to_everyone_to_its_own_name_and_to_its_groups() -> None:
    assert ANA.names == {EVERYONE, "user:ana", "group:hr"}


@pytest.mark.parametrize(("tenant", "user"), [("", "ana"), ("acme", ""), ("", "")])
def test_an_anonymous_principal_answers_to_nothing(tenant: str, user: str) -> None:
    nobody = Principal(tenant, user, frozenset({"hr"}), SCALE.highest)
    assert nobody.names == frozenset()
    assert reader_filter(nobody, SCALE) is None
    assert not allows(nobody, Access(tenant, frozenset({EVERYONE}), SCALE.lowest))


def test_a_group_named_like_a_user_is_not_that_user() -> None:
    impostor = Principal("acme", "eve", frozenset({"user:ana", "everyone"}), SCALE.highest)
    assert not allows(impostor, Access("acme", frozenset({"user:ana"}), SCALE.lowest))


def test_a_filter_names_every_label_up_to_the_clearance() -> None:
    compiled = reader_filter(ANA, SCALE)
    assert compiled == ReaderFilter("acme", ANA.names, frozenset({"public", "internal"}))


def test_with_a_floor_at_the_clearance_no_store_is_asked() -> None:
    assert reader_filter(ANA, SCALE, above=SCALE.label("public")) is not None
    assert reader_filter(ANA, SCALE, above=SCALE.label("internal")) is None


@pytest.mark.parametrize(
    ("tenant", "readers", "labels"),
    [("", {"a"}, {"b"}), ("acme", set(), {"b"}), ("acme", {"a"}, set())],
)
def test_a_filter_with_an_empty_condition_cannot_be_made(tenant: str, readers: set[str], labels: set[str]) -> None:
    with pytest.raises(ValueError, match="empty condition"):
        ReaderFilter(tenant, frozenset(readers), frozenset(labels))


def test_what_is_derived_from_nothing_has_the_lowest_label() -> None:
    assert highest([], SCALE) == SCALE.lowest
    assert highest([SCALE.lowest, SCALE.label("confidential")], SCALE).name == "confidential"


def test_readers_are_trimmed_and_repeated_ones_count_once() -> None:
    assert reader_names([" everyone", "group:hr ", "group:hr", "user:ana@example.com"]) == {
        EVERYONE,
        "group:hr",
        "user:ana@example.com",
    }
    assert reader_names([]) == frozenset()


@pytest.mark.parametrize("reader", ["", "hr", "Everyone", "group:", "user:", "team:hr", "user"])
def test_a_reader_that_is_none_is_refused_with_the_form_that_is_wanted(reader: str) -> None:
    with pytest.raises(ValueError, match="everyone, group:NAME or user:NAME"):
        reader_names(["everyone", reader])

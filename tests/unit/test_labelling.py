"""Access of what comes in: what was said, else closed, and an error in doubt."""

import pytest

from ingest.labelling import access_for
from retrieval.access import Access, Label, LabelScale, Principal, allows
from retrieval.errors import UnknownLabel

SCALE = LabelScale()
ANA = Principal("acme", "ana", frozenset({"people"}), Label(1, "internal"))
BOSS = Principal("acme", "boss", frozenset({"people"}), SCALE.highest)


def said(*readers: str, label: Label = Label(1, "internal"), tenant: str = "acme") -> Access:  # noqa: B008 frozen
    return Access(tenant, frozenset(readers), label)


def test_what_was_said_holds() -> None:
    assert access_for(said("group:people", "everyone"), ANA, SCALE) == said("group:people", "everyone")


def test_nothing_said_means_the_highest_label_and_the_owner_alone() -> None:
    access = access_for(None, ANA, SCALE)
    assert access == said("user:ana", label=SCALE.highest)
    assert not allows(BOSS, access)


def test_a_label_without_readers_is_for_the_owner_alone() -> None:
    assert access_for(said(), ANA, SCALE) == said("user:ana")


def test_an_unknown_label_is_refused_and_the_scale_named() -> None:
    with pytest.raises(UnknownLabel, match="public, internal, confidential, restricted"):
        access_for(said("everyone", label=Label(1, "secret")), ANA, SCALE)


def test_a_label_whose_place_on_the_scale_has_changed_is_refused() -> None:
    with pytest.raises(UnknownLabel, match="'restricted' is not number 0"):
        access_for(said("everyone", label=Label(0, "restricted")), ANA, SCALE)


def test_access_of_another_tenant_is_refused() -> None:
    with pytest.raises(ValueError, match="tenant"):
        access_for(said("everyone", tenant="rival"), ANA, SCALE)


def test_a_malformed_reader_is_refused() -> None:
    with pytest.raises(ValueError, match="'people' is not a reader"):
        access_for(said("people"), ANA, SCALE)


@pytest.mark.parametrize(
    "owner", [Principal("", "ana", frozenset(), SCALE.highest), Principal("acme", "", frozenset(), SCALE.highest)]
)
def test_an_owner_without_a_name_owns_nothing(owner: Principal) -> None:
    with pytest.raises(ValueError, match="owner"):
        access_for(None, owner, SCALE)

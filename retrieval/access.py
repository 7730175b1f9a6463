"""Who may read what.

A document carries an `Access`: tenant, readers and a label. A caller is a `Principal`. `allows()` is the one rule;
`reader_filter()` compiles the same rule into what a store can filter by. Everything fails closed: no readers means
nobody, no label means the highest one, an empty principal reads nothing.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from retrieval.errors import UnknownLabel

EVERYONE = "everyone"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """How sensitive a text is: a place on an ordered scale, 0 being the least sensitive."""

    rank: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class LabelScale:
    """The ordered names of the labels, lowest first."""

    names: tuple[str, ...] = ("public", "internal", "confidential", "restricted")

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names) or not all(self.names):
            raise UnknownLabel("The setting `labels` needs at least one name, each of them once.")

    def label(self, name: str | None) -> Label:
        """The label of that name; None is the highest. Raises UnknownLabel, naming the scale."""
        if name is None:
            return self.highest
        if name not in self.names:
            raise UnknownLabel(f"There is no label {name!r}; the scale is {', '.join(self.names)}.")
        return Label(self.names.index(name), name)

    @property
    def highest(self) -> Label:
        """The most sensitive label: what everything has that nobody labelled."""
        return Label(len(self.names) - 1, self.names[-1])

    @property
    def lowest(self) -> Label:
        """The least sensitive label."""
        return Label(0, self.names[0])

    def up_to(self, label: Label) -> tuple[Label, ...]:
        """The labels that a clearance of `label` covers, lowest first."""
        return tuple(Label(rank, name) for rank, name in enumerate(self.names) if rank <= label.rank)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read a document: `readers` are `everyone`, `group:NAME` or `user:NAME`."""

    tenant: str
    readers: frozenset[str]
    label: Label

    @classmethod
    def closed(cls, tenant: str, scale: LabelScale) -> Self:
        """Nobody, at the highest label: what a document has of which nothing is known."""
        return cls(tenant, frozenset(), scale.highest)


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller, as the verified key or token tells: never as the request claims."""

    tenant: str
    user: str
    groups: frozenset[str]
    clearance: Label

    @property
    def names(self) -> frozenset[str]:
        """The reader names that this principal answers to; empty for an anonymous one."""
        if not self.user or not self.tenant:
            return frozenset()
        groups = (f"group:{group}" for group in self.groups if group)
        return frozenset({EVERYONE, f"user:{self.user}", *groups})


@dataclass(frozen=True, slots=True)
class ReaderFilter:
    """A principal as conditions that a store can evaluate; all three must hold and none is empty.

    A point matches when its tenant equals `tenant`, at least one of its readers is in `readers`, and its label is in
    `labels`. Labels go by name, so that a label added to the scale later changes nothing that is stored.
    """

    tenant: str
    readers: frozenset[str]
    labels: frozenset[str]

    def __post_init__(self) -> None:
        if not (self.tenant and self.readers and self.labels):
            raise ValueError("a reader filter with an empty condition would match everything or mean nothing")

    def matches(self, access: Access) -> bool:
        """Whether the point's access passes, evaluated in Python: the specification of every store's filter."""
        return (
            access.tenant == self.tenant
            and not self.readers.isdisjoint(access.readers)
            and access.label.name in self.labels
        )


def allows(principal: Principal, access: Access) -> bool:
    """Whether the principal may read what carries this access."""
    return (
        access.tenant == principal.tenant
        and access.label.rank <= principal.clearance.rank
        and not principal.names.isdisjoint(access.readers)
    )


def reader_filter(principal: Principal, scale: LabelScale, *, above: Label | None = None) -> ReaderFilter | None:
    """Compile a principal into a store filter; None means "may read nothing", and then no store is asked.

    With `above`, only labels higher than that one: what the principal may read but what may not leave.
    """
    labels = frozenset(
        label.name for label in scale.up_to(principal.clearance) if above is None or label.rank > above.rank
    )
    names = principal.names
    if not (names and labels):
        return None
    return ReaderFilter(principal.tenant, names, labels)


def highest(labels: Iterable[Label], scale: LabelScale) -> Label:
    """The label of what is derived from all of these: the highest; of nothing, the lowest."""
    return max(labels, default=scale.lowest)


def reader_names(readers: Sequence[str]) -> frozenset[str]:
    """Readers as users write them, checked. Raises ValueError with the form that is wanted."""
    names = frozenset(reader.strip() for reader in readers)
    for name in names:
        kind, _, rest = name.partition(":")
        named = kind in {"user", "group"} and rest and not _CONTROL.search(name)
        if name != EVERYONE and not named:
            raise ValueError(f"{name!r} is not a reader; write everyone, group:NAME or user:NAME")
    return names

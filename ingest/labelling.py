"""Who may read a document that comes in. Never from its text: from its uploader or its source, and in doubt closed."""

from dataclasses import replace

from retrieval.access import Access, Label, LabelScale, Principal, reader_names
from retrieval.errors import UnknownLabel


def access_for(said: Access | None, owner: Principal, scale: LabelScale) -> Access:
    """What the uploader or the source said; where they said nothing, the highest label and the owner alone.

    A label without readers is for the owner alone, too. Raises UnknownLabel for a label that is not on the scale with
    that rank, and ValueError for malformed readers, another tenant's access, or an owner without a name.
    """
    if not (owner.tenant and owner.user):
        raise ValueError("a document needs an owner with a tenant and a name")
    alone = frozenset({f"user:{owner.user}"})
    if said is None:
        return Access(owner.tenant, alone, scale.highest)
    if said.tenant != owner.tenant:
        raise ValueError("a document's access must be of its owner's tenant")
    return replace(said, readers=reader_names(sorted(said.readers)) or alone, label=known(said.label, scale))


def known(label: Label, scale: LabelScale) -> Label:
    """The label, if the scale has it at that place. Raises UnknownLabel, naming the scale."""
    if scale.label(label.name) != label:
        raise UnknownLabel(
            f"The label {label.name!r} is not number {label.rank} of the scale {', '.join(scale.names)}."
        )
    return label

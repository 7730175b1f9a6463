"""What the vector store keeps of a chunk beside its vectors: what filters look at, and no word of its text."""

from retrieval.access import Access
from retrieval.model import Point

DENSE = "dense"
SPARSE = "sparse"
TENANT = "tenant"
# Each gets a payload index before any data is there; the tenant's is of a kind of its own.
KEYWORDS = ("readers", "label", "version")
UUIDS = ("document_id",)


def access_payload(access: Access) -> dict[str, object]:
    """The part of the payload that says who may read the chunk."""
    return {TENANT: access.tenant, "readers": sorted(access.readers), "label": access.label.name}


def payload_of(point: Point) -> dict[str, object]:
    """The whole payload of a point."""
    whose = {"document_id": str(point.document_id), "version": point.version, "n": point.n}
    return {**access_payload(point.access), **whose}

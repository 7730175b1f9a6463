"""Makes and finds the collection of an index on a Qdrant server.

A collection is named after what it was built with. An alias, set last, says which one is in use: a collection without
it was never finished, and one that it does not point to belongs to another embedder.
"""

import json
import re
from dataclasses import asdict
from hashlib import sha256

from qdrant_client import AsyncQdrantClient, models

from retrieval.adapters.point_payload import DENSE, KEYWORDS, SPARSE, TENANT, UUIDS
from retrieval.adapters.qdrant_errors import server_errors
from retrieval.errors import StoreRefused, WrongEmbedder
from retrieval.model import IndexIdentity

# IDF over one tenant's points came with it, and a hole in the recovery of snapshots was closed.
OLDEST_SERVER = (1, 19)
# In KB of vectors. At the default of 10,000 the points of a middling group get no links of their own in the graph, and
# a filter for a few such groups then loses half of the hits.
FULL_SCAN_THRESHOLD = 1_000


def collection_name(alias: str, identity: IndexIdentity) -> str:
    """A name that tells people the model and never collides."""
    embedder = identity.embedder
    # Field by field: another field in the value must not rename the collections that exist.
    parts = [embedder.name, embedder.dimensions, embedder.max_tokens, embedder.digest, identity.sparse]
    digest = sha256(json.dumps(parts).encode()).hexdigest()[:12]
    model = re.sub(r"[^a-z0-9]+", "-", embedder.name.lower()).strip("-")[:40]
    return f"{alias}-{model}-{digest}"


async def open_collection(client: AsyncQdrantClient, alias: str, identity: IndexIdentity) -> str:
    """The name of the collection, made if there is none. Raises WrongEmbedder, StoreRefused, StoreUnavailable."""
    wanted = collection_name(alias, identity)
    with server_errors():
        _check_version((await client.info()).version)
        in_use = {entry.alias_name: entry.collection_name for entry in (await client.get_aliases()).aliases}.get(alias)
        if in_use is None:
            await _make(client, wanted, identity)
            point = models.CreateAlias(collection_name=wanted, alias_name=alias)
            await client.update_collection_aliases([models.CreateAliasOperation(create_alias=point)])
        elif in_use != wanted:
            raise WrongEmbedder(
                f"The alias {alias} points to the collection {in_use}; the configuration wants {wanted}."
            )
    return wanted


async def _make(client: AsyncQdrantClient, name: str, identity: IndexIdentity) -> None:
    """Make the collection and its payload indexes; what an earlier try left is completed."""
    if not await client.collection_exists(name):
        await client.create_collection(
            name,
            vectors_config={
                DENSE: models.VectorParams(size=identity.embedder.dimensions, distance=models.Distance.COSINE)
            },
            sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            hnsw_config=models.HnswConfigDiff(full_scan_threshold=FULL_SCAN_THRESHOLD),
            metadata={"lastro": asdict(identity)},
        )
    # Before any data: the graph gets links for a field's values only if the index was there when it was built.
    tenant = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
    await client.create_payload_index(name, TENANT, field_schema=tenant, wait=True)
    for field in KEYWORDS:
        await client.create_payload_index(name, field, field_schema=models.PayloadSchemaType.KEYWORD, wait=True)
    for field in UUIDS:
        await client.create_payload_index(name, field, field_schema=models.PayloadSchemaType.UUID, wait=True)


def _check_version(version: str) -> None:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_SERVER:
        oldest = ".".join(str(number) for number in OLDEST_SERVER)
        raise StoreRefused(f"The Qdrant server has version {version}; {oldest} is the oldest that will do.")

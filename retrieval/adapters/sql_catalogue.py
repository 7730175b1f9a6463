"""The catalogue in a database: what exists, and who may read it. SQLite and PostgreSQL behave alike."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import get_args
from uuid import UUID

from sqlalchemy import select

from retrieval.access import LabelScale, Principal
from retrieval.adapters.sql_database import Database
from retrieval.adapters.sql_reads import SqlReads
from retrieval.adapters.sql_rows import CHUNK_COLUMNS, access_of, chunk_of, entry_of
from retrieval.adapters.sql_tables import chunks, documents, index_identity, versions
from retrieval.adapters.sql_writes import SqlWrites, readers_of
from retrieval.errors import NotFound
from retrieval.model import (
    Chunk,
    DocumentVersion,
    EmbedderIdentity,
    IndexIdentity,
    Language,
    StoredDocument,
    StoredFiles,
)


class SqlCatalogue(SqlReads, SqlWrites):
    """Port `Catalogue`: reading, writing, and what upkeep asks. The tables must be there (`Database.migrate`)."""

    def __init__(self, database: Database, scale: LabelScale, clock: Callable[[], datetime]) -> None:
        """The catalogue does not own the database: others keep tables in it. `clock` gives times with a zone."""
        SqlReads.__init__(self, database, scale)
        SqlWrites.__init__(self, database, scale, clock)

    async def versions(self) -> Mapping[UUID, StoredDocument]:
        """The current version of every document, and its number of chunks."""
        statement = select(documents.c.id, documents.c.version, documents.c.chunks)
        async with self._database.reading() as connection:
            rows = (await connection.execute(statement)).all()
        return {document: StoredDocument(document, version, count) for document, version, count in rows}

    async def languages(self, tenant: str) -> frozenset[Language]:
        """The languages in which the tenant has chunks."""
        found: set[Language] = set()
        async with self._database.reading() as connection:
            for language in get_args(Language):
                # One chunk is enough: a DISTINCT would walk through all of them.
                owned = chunks.join(documents, documents.c.id == chunks.c.document_id)
                any_chunk = select(chunks.c.id).select_from(owned).limit(1)
                any_chunk = any_chunk.where(documents.c.tenant == tenant, chunks.c.language == language)
                if (await connection.execute(any_chunk)).first() is not None:
                    found.add(language)
        return frozenset(found)

    async def files(self) -> Sequence[StoredFiles]:
        """The files of every version of every document, the older ones too."""
        statement = select(versions.c.document_id, versions.c.digest, versions.c.parsed)
        async with self._database.reading() as connection:
            rows = (await connection.execute(statement)).all()
        return [StoredFiles(document, digest, parsed) for document, digest, parsed in rows]

    async def written(self, document: UUID) -> tuple[DocumentVersion, Sequence[Chunk]]:
        """The current version with its chunks in order, for embedding them again. Raises NotFound."""
        whole = select(documents).where(documents.c.id == document)
        texts = select(*CHUNK_COLUMNS).where(chunks.c.document_id == document).order_by(chunks.c.n)
        async with self._database.snapshot() as connection:
            row = (await connection.execute(whole)).mappings().one_or_none()
            readers = await readers_of(connection, document)
            found = (await connection.execute(texts)).mappings().all()
        if row is None:
            raise NotFound
        entry = entry_of(row, access_of(row, readers, self._scale))
        return entry.version, [chunk_of(chunk) for chunk in found]

    async def parsed_digest(self, document: UUID, version: str | None, *, reader: Principal) -> tuple[str, str]:
        """Digests of the version (None: the current one) and of its parsed text. Raises NotFound."""
        entry = await self.document(document, reader=reader)
        wanted = version or entry.version.digest
        statement = select(versions.c.parsed).where(versions.c.document_id == document, versions.c.digest == wanted)
        async with self._database.reading() as connection:
            parsed = (await connection.execute(statement)).scalar_one_or_none()
        if parsed is None:
            raise NotFound
        return wanted, parsed

    async def identity(self, index: IndexIdentity) -> IndexIdentity:
        """The identity the index was built with; `index` is written down if there was none."""
        stored = await self._identity()
        if stored is None:
            embedder = index.embedder
            row = {
                "embedder": embedder.name,
                "dimensions": embedder.dimensions,
                "max_tokens": embedder.max_tokens,
                "digest": embedder.digest,
                "sparse": index.sparse,
            }
            first = self._database.insert(index_identity).values(id=1, **row)
            async with self._database.writing() as connection:
                await connection.execute(first.on_conflict_do_nothing(index_elements=["id"]))
            stored = await self._identity()
        return stored or index

    async def close(self) -> None:
        """Let go of connections; closing twice is harmless."""
        await self._database.close()

    async def _identity(self) -> IndexIdentity | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(select(index_identity))).mappings().one_or_none()
        if row is None:
            return None
        embedder = EmbedderIdentity(row["embedder"], row["dimensions"], row["max_tokens"], row["digest"])
        return IndexIdentity(embedder, row["sparse"])

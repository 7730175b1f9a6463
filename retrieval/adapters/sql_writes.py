"""Changing the catalogue: each call is one transaction, so that a reader sees all of it or nothing."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from retrieval.access import Access, LabelScale, Principal, allows
from retrieval.adapters.sql_database import Database
from retrieval.adapters.sql_rows import Values, access_of, chunk_values, document_values
from retrieval.adapters.sql_tables import chunks, document_readers, documents, versions
from retrieval.errors import NotFound, PermanentFailure
from retrieval.model import Chunk, DocumentVersion


class SqlWrites:
    """Port `CatalogueWriter`."""

    def __init__(self, database: Database, scale: LabelScale, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._scale = scale
        self._clock = clock

    async def commit_version(
        self, version: DocumentVersion, chunks: Sequence[Chunk], *, parsed: str, pages: int
    ) -> str | None:
        """Make the version the document's current one; returns the digest of the one it replaced, if any."""
        document = version.document_id
        values = document_values(version, chunks, parsed=parsed, pages=pages)
        now = self._clock()
        async with self._database.writing() as connection:
            before = await self._claim(connection, values, now)
            readers = await readers_of(connection, document)
            if any(before[name] != value for name, value in values.items()) or readers != version.access.readers:
                changed = {**values, "updated": now}
                await connection.execute(update(documents).where(documents.c.id == document), changed)
            await replace_readers(connection, document, version.access.readers)
            await self._keep_version(connection, version, parsed, now)
            await replace_chunks(connection, document, chunks)
        return None if before["version"] == version.digest else str(before["version"])

    async def delete(self, document: UUID, *, reader: Principal) -> None:
        """Forget the document with its chunks, versions and readers. Raises NotFound."""
        async with self._database.writing() as connection:
            await self._locked(connection, document, reader)
            await connection.execute(delete(documents).where(documents.c.id == document))

    async def set_access(self, document: UUID, access: Access, *, reader: Principal) -> None:
        """Change who may read it, for the next request on. Raises NotFound."""
        async with self._database.writing() as connection:
            await self._locked(connection, document, reader)
            if access.tenant != reader.tenant:
                raise PermanentFailure("A document cannot be given to another tenant.", remedy="Add it there.")
            label = {"label": access.label.name, "updated": self._clock()}
            await connection.execute(update(documents).where(documents.c.id == document), label)
            await replace_readers(connection, document, access.readers)

    async def _claim(self, connection: AsyncConnection, values: Values, now: datetime) -> RowMapping:
        """The document's row as it was, made if need be, and locked until the end of the transaction."""
        new = self._database.insert(documents).values(**values, added=now, updated=now)
        await connection.execute(new.on_conflict_do_nothing(index_elements=["id"]))
        locked = select(documents).where(documents.c.id == values["id"]).with_for_update()
        return (await connection.execute(locked)).mappings().one()

    async def _keep_version(
        self, connection: AsyncConnection, version: DocumentVersion, parsed: str, now: datetime
    ) -> None:
        about = {"parsed": parsed, "media_type": version.media_type, "size": version.size}
        key = {"document_id": version.document_id, "digest": version.digest}
        new = self._database.insert(versions).values(**key, **about, created=now)
        await connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=about))

    async def _locked(self, connection: AsyncConnection, document: UUID, reader: Principal) -> None:
        """Lock the document's row. Raises NotFound unless the reader may read it."""
        locked = select(documents.c.tenant, documents.c.label).where(documents.c.id == document).with_for_update()
        row = (await connection.execute(locked)).mappings().one_or_none()
        if row is None:
            raise NotFound
        readers = await readers_of(connection, document)
        if not allows(reader, access_of(row, readers, self._scale)):
            raise NotFound


async def readers_of(connection: AsyncConnection, document: UUID) -> frozenset[str]:
    """Who may read the document."""
    statement = select(document_readers.c.reader).where(document_readers.c.document_id == document)
    return frozenset((await connection.execute(statement)).scalars())


async def replace_readers(connection: AsyncConnection, document: UUID, readers: frozenset[str]) -> None:
    """Let these read the document, and nobody else."""
    await connection.execute(delete(document_readers).where(document_readers.c.document_id == document))
    if readers:
        rows = [{"document_id": document, "reader": reader} for reader in sorted(readers)]
        await connection.execute(insert(document_readers), rows)


async def replace_chunks(connection: AsyncConnection, document: UUID, written: Sequence[Chunk]) -> None:
    """Keep these chunks of the document, and no others."""
    await connection.execute(delete(chunks).where(chunks.c.document_id == document))
    if written:
        await connection.execute(insert(chunks), [dict(chunk_values(chunk)) for chunk in written])

"""Every table of the product in one place, so that there is one history of migrations.

The same tables work on SQLite and PostgreSQL. `migrations/` makes them; a test holds both to each other.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    false,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Moment(TypeDecorator[datetime]):
    """A point in time, in and out in UTC: SQLite would drop the zone without a word."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC. Raises ValueError for a time without a zone, which could be any."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """With its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def by_code_point() -> Text:
    """Text that sorts by code point in both databases; a PostgreSQL with a locale would sort it otherwise."""
    return Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def of_document() -> Column[object]:
    """The document that a row belongs to, and with which it goes."""
    return Column("document_id", Uuid, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)


tables = MetaData(naming_convention=NAMES)

documents = Table(
    "documents",
    tables,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("source", String, nullable=False),
    Column("uri", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("media_type", String, nullable=False),
    Column("label", String, nullable=False),
    Column("added_by", String, nullable=False),
    Column("version", String, nullable=False),
    Column("parsed", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("added", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("modified", Moment),
    Index(None, "tenant", "added", "id"),
)

document_readers = Table(
    "document_readers",
    tables,
    of_document(),
    Column("reader", String, primary_key=True),
)

# Rows of older versions stay, so that a citation of one can be opened by who may read the document now.
versions = Table(
    "versions",
    tables,
    of_document(),
    Column("digest", String, primary_key=True),
    Column("parsed", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created", Moment, nullable=False),
    Index(None, "digest"),
)

# `document_id` is indexed but not unique here, hence not `of_document()`.
chunks = Table(
    "chunks",
    tables,
    Column("id", Uuid, primary_key=True),
    Column("document_id", Uuid, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("version", String, nullable=False),
    Column("n", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("page_first", Integer),
    Column("page_last", Integer),
    Column("section", JSON, nullable=False),
    Column("language", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "document_id"),
    Index(None, "language", "document_id"),
)

# One row, `id` 1: what the index was built with.
index_identity = Table(
    "index_identity",
    tables,
    Column("id", Integer, primary_key=True),
    Column("embedder", String, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("max_tokens", Integer, nullable=False),
    Column("digest", String, nullable=False),
    Column("sparse", String, nullable=False),
)

# The fields of `ingest.model.Job`; its access is `readers` and `label`, its error the three `error_` columns.
jobs = Table(
    "jobs",
    tables,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("source", String, nullable=False),
    Column("uri", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("digest", String, nullable=False),
    Column("readers", JSON, nullable=False),
    Column("label", String, nullable=False),
    Column("state", String, nullable=False),
    Column("step", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("modified", Moment),
    Column("document_id", Uuid),
    Column("pages", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("error_code", String),
    Column("error_message", Text),
    Column("error_remedy", Text),
    Column("warnings", JSON, nullable=False),
    Index(None, "tenant", "owner", "created", "id"),
    Index(None, "digest"),
    Index(None, "document_id"),
)

users = Table(
    "users",
    tables,
    Column("name", by_code_point(), primary_key=True),
    Column("tenant", String, nullable=False),
    Column("groups", JSON, nullable=False),
    Column("clearance", String, nullable=False),
    Column("role", String, nullable=False),
    Column("suspended", Boolean, nullable=False, server_default=false()),
    Column("created", Moment, nullable=False),
)

# `hash` is the SHA-256 of the key in hex; `hint` its last four characters, so that people can tell keys apart.
api_keys = Table(
    "api_keys",
    tables,
    Column("id", Uuid, primary_key=True),
    Column("hash", String, nullable=False, unique=True),
    Column("user", by_code_point(), ForeignKey("users.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("tenant", String, nullable=False),
    Column("hint", String, nullable=False),
    Column("created", Moment, nullable=False),
    Column("revoked", Moment),
)

# `status` is 0 while the request is being carried out; `fingerprint` is that of its path and body.
idempotency = Table(
    "idempotency",
    tables,
    Column("user", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("route", String, nullable=False, server_default=""),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created", Moment, nullable=False, index=True),
)

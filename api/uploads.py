"""Files from outside as documents: their names are data, kept as `uri` and never used as a path here."""

import posixpath
from collections.abc import AsyncIterator, Sequence

from starlette.datastructures import UploadFile

from api.auth import Caller, Role
from api.errors import RequestInvalid
from ingest.model import SourceDocument
from retrieval.access import Access, LabelScale, reader_names

BATCH_BYTES = 32 * 2**20
MAX_NAME = 1_000
# They stand beside every passage in the index.
MAX_READERS = 1_000
UPLOADS = "uploads"


def uri_of(name: str | None) -> str:
    """A file's name as its uri: relative, with forward slashes, and without `..`, which is resolved lexically.

    Raises RequestInvalid for a name that says nothing or holds control characters.
    """
    given = (name or "").replace("\\", "/")
    uri = posixpath.normpath("/" + given).lstrip("/")
    if not uri or len(uri) > MAX_NAME or not uri.isprintable():
        raise RequestInvalid("A file needs a name of 1 to 1,000 printable characters.")
    return uri


def source_of(source: str | None, caller: Caller) -> str:
    """The name of the place that the documents come from, which is part of their identity.

    Below curators everybody has their own: else one could replace another's document, unseen, by its name.
    """
    name = (source or UPLOADS).strip()
    if not name.isprintable() or len(name) > MAX_NAME or not name:
        raise RequestInvalid("A source needs a name of 1 to 1,000 printable characters.")
    if source is None or caller.role < Role.CURATOR:
        return f"{caller.principal.user}/{name}"
    return name


def access_of(label: str | None, readers: Sequence[str], caller: Caller, scale: LabelScale) -> Access:
    """What was asked for; unsaid means the highest label, and the uploader alone. Raises RequestInvalid."""
    given = [name for part in readers for name in part.split(",") if name.strip()]
    try:
        names = reader_names(given or [f"user:{caller.principal.user}"])
    except ValueError as error:
        raise RequestInvalid(str(error)) from error
    if len(names) > MAX_READERS:
        raise RequestInvalid("A document has at most 1,000 readers; a group counts as one.")
    return Access(caller.principal.tenant, names, scale.label(label or None))


async def batches(
    files: Sequence[UploadFile], *, source: str, access: Access, added_by: str
) -> AsyncIterator[list[SourceDocument]]:
    """The documents, a few megabytes at a time, so that a large upload does not stand in memory as a whole."""
    batch: list[SourceDocument] = []
    size = 0
    for file, uri in [(file, uri_of(file.filename)) for file in files]:
        data = await file.read()
        batch.append(SourceDocument(source, uri, posixpath.basename(uri), data, access, added_by))
        size += len(data)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch

"""Documents: hand in, list, look at, change who may read, delete."""

from typing import Annotated, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, UploadFile
from starlette.responses import Response

from api.auth import Caller, Contributor, Reader, Role
from api.errors import NotAllowed
from api.parts import Parts, Wired
from api.schemas.documents import AccessGiven, DocumentShown, DocumentsShown
from api.schemas.jobs import JobsAccepted
from api.uploads import access_of, batches, source_of
from ingest.model import Job
from retrieval.model import CatalogueEntry

router = APIRouter(tags=["documents"])


@router.post("/v1/documents", status_code=202)
async def hand_in(
    parts: Wired,
    caller: Contributor,
    files: Annotated[list[UploadFile], File()],
    label: Annotated[str | None, Form()] = None,
    readers: Annotated[list[str] | None, Form()] = None,
    source: Annotated[str | None, Form()] = None,
) -> JobsAccepted:
    """Take files in: 202 means that they are stored and will be read. Each becomes a job.

    Without a label they get the highest, without readers only the uploader may read them.
    """
    access = access_of(label, readers or [], caller, parts.scale)
    owner = caller.principal
    jobs: list[Job] = []
    async for batch in batches(files, source=source_of(source, caller), access=access, added_by=owner.user):
        jobs += await parts.intake.accept(batch, owner=owner)
    parts.metrics.documents.inc(len(jobs))
    return JobsAccepted.of(jobs)


@router.get("/v1/documents")
async def list_documents(
    parts: Wired,
    caller: Reader,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    source: str | None = None,
) -> DocumentsShown:
    """The documents that the caller may read."""
    page = await parts.library.list_documents(reader=caller.principal, cursor=cursor, limit=limit, source=source)
    return DocumentsShown.of(page)


@router.get("/v1/documents/{document_id}")
async def show(document_id: UUID, parts: Wired, caller: Reader) -> DocumentShown:
    """One document."""
    return DocumentShown.of(await parts.library.document(document_id, reader=caller.principal))


@router.delete("/v1/documents/{document_id}", status_code=204)
async def delete(document_id: UUID, parts: Wired, caller: Contributor) -> Response:
    """Delete a document: it is not found from this moment on."""
    await changeable(parts, document_id, caller)
    await parts.library.delete(document_id, reader=caller.principal)
    return Response(status_code=204)


@router.put("/v1/documents/{document_id}/access")
async def set_access(document_id: UUID, given: AccessGiven, parts: Wired, caller: Contributor) -> DocumentShown:
    """Change who may read a document: acts on the next request."""
    entry = await changeable(parts, document_id, caller)
    access = access_of(given.label, given.readers, caller, parts.scale)
    await parts.library.set_access(document_id, access, reader=caller.principal)
    return DocumentShown.of(entry).model_copy(
        update={"label": access.label.name, "readers": sorted(access.readers)},
    )


@router.get("/v1/documents/{document_id}/content")
async def content(
    document_id: UUID,
    parts: Wired,
    caller: Reader,
    version: str | None = None,
    format: Annotated[Literal["original", "text"], Query()] = "original",
) -> Response:
    """The original bytes, or the parsed text to which citations point. Always as a download, never shown in place."""
    entry = await parts.library.document(document_id, reader=caller.principal)
    if format == "text":
        digest = version or entry.version.digest
        text = await parts.library.stored_text(document_id, digest, reader=caller.principal)
        return download(text.encode(), "text/plain; charset=utf-8", f"{entry.version.uri}.txt")
    data = await parts.library.original(document_id, version, reader=caller.principal)
    return download(data, entry.version.media_type, entry.version.uri)


async def changeable(parts: Parts, document_id: UUID, caller: Caller) -> CatalogueEntry:
    """The document if the caller may change it: curators may change what they can read, others what they added."""
    entry = await parts.library.document(document_id, reader=caller.principal)
    if caller.role < Role.CURATOR and entry.version.added_by != caller.principal.user:
        raise NotAllowed("Only curators may change what others added.")
    return entry


def download(data: bytes, media_type: str, uri: str) -> Response:
    """An attachment: a browser neither shows nor runs it."""
    name = quote(uri.rsplit("/", 1)[-1], safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "no-store"}
    return Response(data, media_type=media_type, headers=headers)

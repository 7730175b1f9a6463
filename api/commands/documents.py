"""`lastro documents`: list, show, delete, change access."""

from typing import Annotated

import typer

from api.client import Json, connected
from api.commands.output import AsJson, out, run, show_json, table
from api.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Look at documents, delete them, change who may read them.")


@app.command("list")
def list_documents(
    source: Annotated[str | None, typer.Option(help="Only those of this source.")] = None, as_json: AsJson = False
) -> None:
    """The documents that you may read."""

    async def work() -> list[Json]:
        async with connected(load_settings()) as client:
            return [item async for item in client.all_of("/v1/documents", source=source)]

    items = run(work, as_json=as_json)
    if as_json:
        show_json({"items": items, "next": None})
        return
    columns = ("id", "title", "uri", "label", "readers", "pages")
    rows = [(i["id"], i["title"], i["uri"], i["label"], " ".join(i["readers"]), i["pages"]) for i in items]
    table("", columns, list(rows))


@app.command()
def show(document: str, as_json: AsJson = False) -> None:
    """One document."""

    async def work() -> Json:
        async with connected(load_settings()) as client:
            return await client.get(f"/v1/documents/{document}")

    found = run(work, as_json=as_json)
    show_json(found) if as_json else table("", ("field", "value"), list(found.items()))


@app.command()
def delete(document: str, as_json: AsJson = False) -> None:
    """Delete a document: it is not found from this moment on."""

    async def work() -> None:
        async with connected(load_settings()) as client:
            await client.delete(f"/v1/documents/{document}")

    run(work, as_json=as_json)
    show_json({"deleted": document}) if as_json else out.print(f"Deleted {document}.")


@app.command()
def access(
    document: str,
    label: Annotated[str, typer.Option(help="The new label.")],
    readers: Annotated[str, typer.Option(help="everyone, or group:NAME,user:NAME")],
    as_json: AsJson = False,
) -> None:
    """Change who may read a document: acts on the next request."""
    body = {"label": label, "readers": [name.strip() for name in readers.split(",") if name.strip()]}

    async def work() -> Json:
        async with connected(load_settings()) as client:
            return await client.put(f"/v1/documents/{document}/access", body)

    changed = run(work, as_json=as_json)
    if as_json:
        show_json(changed)
    else:
        out.print(f"{changed['title']}: {changed['label']}, readable by {' '.join(changed['readers']) or 'nobody'}.")

"""`lastro models`: list, fetch and check the model files."""

from typing import Annotated

import typer

from api.client import Json
from api.commands.output import FAILED, AsJson, run, show_json, table
from api.settings import load_settings
from api.wiring.entry import model_store

app = typer.Typer(no_args_is_help=True, help="List, fetch and check model files.")
Names = Annotated[list[str] | None, typer.Argument(help="Default: all that the settings can use.")]


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """The models that Lastro knows, and whether they are here."""

    async def work() -> list[Json]:
        store = model_store(load_settings())
        return [{"name": name, "path": str(store.present(name) or "")} for name in store.names()]

    items = run(work, as_json=as_json)
    if as_json:
        show_json({"items": items, "next": None})
    else:
        table("", ("name", "path"), [(item["name"], item["path"] or "not fetched") for item in items])


@app.command()
def pull(names: Names = None, as_json: AsJson = False) -> None:
    """Fetch models, each file checked against its pinned SHA-256; what is here already is not fetched again."""

    async def work() -> list[Json]:
        store = model_store(load_settings(), told=True)
        return [{"name": name, "path": str(await store.pull(name))} for name in names or store.wanted()]

    items = run(work, as_json=as_json)
    show_json({"items": items}) if as_json else table("", ("name", "path"), [tuple(i.values()) for i in items])


@app.command()
def verify(names: Names = None, as_json: AsJson = False) -> None:
    """Check the files that are here against their pinned SHA-256; exit code 1 if one is missing or damaged."""

    async def work() -> list[Json]:
        store = model_store(load_settings())
        return [{"name": name, "state": await store.state(name)} for name in names or store.needed()]

    items = run(work, as_json=as_json)
    show_json({"items": items}) if as_json else table("", ("name", "state"), [tuple(i.values()) for i in items])
    if any(item["state"] != "ok" for item in items):
        raise typer.Exit(FAILED)

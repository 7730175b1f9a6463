"""`lastro init`, `lastro status` and `lastro doctor`."""

import typer

from api.client import Json, connected, running_server
from api.commands.output import UNAVAILABLE, AsJson, err, out, run, show_json, table
from api.settings import load_settings
from api.wiring.entry import differences, initialise


def init(as_json: AsJson = False) -> None:
    """Make the data folder and the first administrator; the key is shown this once."""

    async def work() -> str:
        return await initialise(load_settings())

    key = run(work, as_json=as_json)
    if as_json:
        show_json({"admin_key": key})
        return
    err.print("The data folder is ready. The administrator's key, shown this once:")
    out.print(key)


def status(as_json: AsJson = False) -> None:
    """Whether a server runs and everything that answering needs works; exit code 4 if not."""

    async def work() -> Json:
        settings = load_settings()
        address = running_server(settings)
        if address is None:
            # Looking must not take the folder from a server that is just starting.
            return {"server": "stopped", "url": None, "status": "not_ready", "checks": {}}
        async with connected(settings) as client:
            return {"server": "running", "url": address, **await client.ready()}

    found = run(work, as_json=as_json)
    if as_json:
        show_json(found)
    elif found["url"] is None:
        out.print("No server runs; commands open the data folder themselves.")
    else:
        out.print(f"{found['url']}: {found['status'].replace('_', ' ')}")
        table("", ("part", "state"), list(found["checks"].items()))
    if found["status"] != "ready":
        raise typer.Exit(UNAVAILABLE)


def doctor(
    repair: bool = typer.Option(False, "--repair", help="Put right what was found."), as_json: AsJson = False
) -> None:
    """Compare catalogue, index and files; exit code 1 if they differ. No server may run."""

    async def work() -> list[Json]:
        found = await differences(load_settings(), repair=repair)
        return [{"document": str(one.document_id), "version": one.version, "what": one.what.value} for one in found]

    found = run(work, as_json=as_json)
    if as_json:
        show_json({"differences": found, "repaired": repair})
    elif found:
        table("", ("document", "version", "what"), [tuple(difference.values()) for difference in found])
    else:
        out.print("Catalogue, index and files agree.")
    if found and not repair:
        raise typer.Exit(1)

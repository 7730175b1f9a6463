"""`lastro init`, `lastro status` and `lastro doctor`."""

import typer

from api.client import Json, connected
from api.commands.output import UNAVAILABLE, AsJson, err, out, run, show_json, table
from api.settings import load_settings
from api.wiring.application import diagnose, initialise


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
    """Whether everything that answering needs works; exit code 4 if not."""

    async def work() -> Json:
        async with connected(load_settings()) as client:
            return {"server": str(client.http.base_url), **await client.ready()}

    found = run(work, as_json=as_json)
    if as_json:
        show_json(found)
    else:
        out.print(f"{found['server']}: {found['status'].replace('_', ' ')}")
        table("", ("part", "state"), list(found["checks"].items()))
    if found["status"] != "ready":
        raise typer.Exit(UNAVAILABLE)


def doctor(
    repair: bool = typer.Option(False, "--repair", help="Put right what was found."), as_json: AsJson = False
) -> None:
    """Compare catalogue, index and files; exit code 1 if they differ. No server may run."""

    async def work() -> list[Json]:
        return await diagnose(load_settings(), repair=repair)

    found = run(work, as_json=as_json)
    if as_json:
        show_json({"differences": found, "repaired": repair})
    elif found:
        table("", ("document", "version", "what"), [tuple(difference.values()) for difference in found])
    else:
        out.print("Catalogue, index and files agree.")
    if found and not repair:
        raise typer.Exit(1)

"""`lastro keys` and `lastro users`: who may come in, and with which rights."""

from typing import Annotated

import typer

from api.client import Json, connected
from api.commands.output import AsJson, err, out, run, show_json, table
from api.settings import load_settings

keys = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")
users = typer.Typer(no_args_is_help=True, help="List, suspend and resume users.")


@keys.command()
def create(
    user: Annotated[str, typer.Option(help="Whose key; the user is made if need be.")],
    groups: Annotated[str, typer.Option(help="The user's groups, separated by commas.")] = "",
    clearance: Annotated[str | None, typer.Option(help="The highest label they may read; default the lowest.")] = None,
    role: Annotated[str, typer.Option(help="reader, contributor, curator or administrator")] = "reader",
    as_json: AsJson = False,
) -> None:
    """Give a user exactly these rights and make a key for them, shown this once."""
    names = [name.strip() for name in groups.split(",") if name.strip()]
    body: Json = {"user": user, "groups": names, "clearance": clearance, "role": role}

    async def work() -> Json:
        async with connected(load_settings()) as client:
            return await client.post("/v1/keys", body)

    made = run(work, as_json=as_json)
    if as_json:
        show_json(made)
        return
    err.print(f"A key for {made['user']} ({made['role']}), shown this once:")
    out.print(made["key"])


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """All keys, without their secrets."""
    items = everything("/v1/keys", as_json=as_json)
    if not as_json:
        rows = [(i["id"], i["user"], f"…{i['hint']}", i["created"], i["revoked"] or "") for i in items]
        table("", ("id", "user", "key", "created", "revoked"), list(rows))


@keys.command()
def revoke(key: str, as_json: AsJson = False) -> None:
    """Revoke a key by its id: it is refused from the next request on."""

    async def work() -> None:
        async with connected(load_settings()) as client:
            await client.delete(f"/v1/keys/{key}")

    run(work, as_json=as_json)
    show_json({"revoked": key}) if as_json else out.print(f"Revoked {key}.")


@users.command("list")
def list_users(as_json: AsJson = False) -> None:
    """All users and their rights."""
    items = everything("/v1/users", as_json=as_json)
    if not as_json:
        columns = ("user", "role", "clearance", "groups", "state")
        rows = [
            (i["user"], i["role"], i["clearance"], " ".join(i["groups"]), "" if i["active"] else "suspended")
            for i in items
        ]
        table("", columns, list(rows))


@users.command()
def suspend(user: str, as_json: AsJson = False) -> None:
    """Refuse all keys of a user from the next request on."""
    set_active(user, active=False, as_json=as_json)


@users.command()
def resume(user: str, as_json: AsJson = False) -> None:
    """Let a suspended user in again."""
    set_active(user, active=True, as_json=as_json)


def set_active(user: str, *, active: bool, as_json: bool) -> None:
    """Change a user's state."""

    async def work() -> Json:
        async with connected(load_settings()) as client:
            return await client.put(f"/v1/users/{user}/active", {"active": active})

    changed = run(work, as_json=as_json)
    state = "may come in" if active else "is suspended"
    show_json(changed) if as_json else out.print(f"{changed['user']} {state}.")


def everything(path: str, *, as_json: bool) -> list[Json]:
    """A whole list; printed here if it is wanted as JSON."""

    async def work() -> list[Json]:
        async with connected(load_settings()) as client:
            return [item async for item in client.all_of(path)]

    items = run(work, as_json=as_json)
    if as_json:
        show_json({"items": items, "next": None})
    return items

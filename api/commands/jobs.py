"""`lastro jobs`: what became of what was handed in."""

import asyncio
from typing import Annotated

import typer

from api.client import Client, Json, connected
from api.commands.output import FAILED, AsJson, err, out, run, show_json, table
from api.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Look at jobs, repeat or stop them.")

LOOK_SECONDS = 0.3
FINAL = frozenset({"done", "failed", "cancelled"})


@app.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="queued, running, done, failed or cancelled")] = None,
    as_json: AsJson = False,
) -> None:
    """Your jobs, newest first."""

    async def work() -> list[Json]:
        async with connected(load_settings()) as client:
            return [item async for item in client.all_of("/v1/jobs", state=state)]

    items = run(work, as_json=as_json)
    if as_json:
        show_json({"items": items, "next": None})
        return
    rows = [(i["id"], i["file"], i["state"], i["step"], (i["error"] or {}).get("message", "")) for i in items]
    table("", ("id", "file", "state", "step", "why"), list(rows))


@app.command()
def show(job: str, as_json: AsJson = False) -> None:
    """One job."""
    report(one("GET", job, "", as_json=as_json), as_json=as_json)


@app.command()
def retry(job: str, as_json: AsJson = False) -> None:
    """Carry out once more a job that failed or was cancelled."""
    report(one("POST", job, "/retry", as_json=as_json), as_json=as_json)


@app.command()
def cancel(job: str, as_json: AsJson = False) -> None:
    """Stop a job that waits or runs."""
    report(one("POST", job, "/cancel", as_json=as_json), as_json=as_json)


@app.command()
def watch(job: str, as_json: AsJson = False) -> None:
    """Wait until a job is over; exit code 1 if it failed."""

    async def work() -> Json:
        async with connected(load_settings(), working=True) as client:
            return await finished(client, job)

    over = run(work, as_json=as_json)
    report(over, as_json=as_json)
    if over["state"] != "done":
        raise typer.Exit(FAILED)


async def finished(client: Client, job: str, *, told: bool = True) -> Json:
    """The job once it is over; its steps are told on standard error if they should be."""
    step = ""
    while True:
        now = await client.get(f"/v1/jobs/{job}")
        if now["state"] in FINAL:
            return now
        if told and now["step"] != step:
            step = now["step"]
            err.print(f"{now['file']}: {step}", markup=False)
        await asyncio.sleep(LOOK_SECONDS)


def one(method: str, job: str, action: str, *, as_json: bool) -> Json:
    """One job, after the action."""

    async def work() -> Json:
        async with connected(load_settings()) as client:
            path = f"/v1/jobs/{job}{action}"
            return await (client.get(path) if method == "GET" else client.post(path))

    return run(work, as_json=as_json)


def report(job: Json, *, as_json: bool) -> None:
    """A job, for people or programs."""
    if as_json:
        show_json(job)
        return
    out.print(f"{job['file']}: {job['state']} ({job['step']})", markup=False)
    if job["error"]:
        out.print(f"{job['error']['message']} {job['error']['remedy']}", markup=False)
    for warning in job["warnings"]:
        out.print(warning, markup=False)

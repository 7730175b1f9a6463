"""`lastro add`: walks folders here, at the caller's side, and hands the files in with the access their folder says."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.client import Client, Json, Upload, connected
from api.commands.jobs import finished
from api.commands.output import FAILED, AsJson, err, out, run, show_json
from api.found import Found, Unreadable
from api.settings import Settings, load_settings
from api.wiring.entry import files_under

BATCH_FILES = 100
BATCH_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says about access; it wins over what the folders say."""

    label: str | None
    readers: tuple[str, ...]


@dataclass(slots=True)
class Batch:
    """Files of one source that have the same access."""

    source: str
    fields: dict[str, str | list[str]]
    uploads: list[Upload] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        """Whether it should go."""
        return len(self.uploads) >= BATCH_FILES or self.size >= BATCH_BYTES


def add(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Files and folders.")],
    label: Annotated[str | None, typer.Option(help="Their label; default what .lastro.toml says.")] = None,
    readers: Annotated[str, typer.Option(help="everyone, or group:NAME,user:NAME")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Return when all of them can be found.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hand documents in."""
    given = Given(label, tuple(name.strip() for name in readers.split(",") if name.strip()))

    async def work() -> list[Json]:
        settings = load_settings()
        async with connected(settings, working=True) as client:
            jobs = await hand_in(client, settings, paths, given)
            return await watched(client, jobs) if wait or client.embedded else jobs

    jobs = run(work, as_json=as_json)
    if as_json:
        show_json({"jobs": jobs})
    else:
        report(jobs)
    if any(job["state"] == "failed" for job in jobs):
        raise typer.Exit(FAILED)


async def hand_in(client: Client, settings: Settings, paths: Sequence[Path], given: Given) -> list[Json]:
    """Upload everything; one job for each file, also for those that could not be read."""
    jobs: list[Json] = []
    with err.status("Handing in…") as status:
        async for batch in batched(files_under(paths, settings), given):
            jobs += failed(batch) if isinstance(batch, Unreadable) else await sent(client, batch)
            status.update(f"Handed in {len(jobs)} files…")
    return jobs


async def sent(client: Client, batch: Batch) -> list[Json]:
    """The jobs that the server made of a batch."""
    jobs: list[Json] = (await client.upload(batch.uploads, batch.fields))["jobs"]
    return jobs


def failed(file: Unreadable) -> list[Json]:
    """A file that never left the caller's side, in the form of a job."""
    error = {"code": file.code, "message": file.message, "remedy": file.remedy}
    return [{"id": None, "file": file.uri, "uri": file.uri, "source": file.source, "state": "failed", "error": error}]


async def batched(files: AsyncIterator[Found | Unreadable], given: Given) -> AsyncIterator[Batch | Unreadable]:
    """The files in batches of one source and one access each."""
    open_batches: dict[tuple[str, ...], Batch] = {}
    async for file in files:
        if isinstance(file, Unreadable):
            yield file
            continue
        label = given.label or file.label
        readers = given.readers or file.readers
        key = (file.source, label or "", *readers)
        batch = open_batches.setdefault(key, Batch(file.source, fields_of(file.source, label, readers)))
        batch.uploads.append(Upload(file.uri, file.data))
        batch.size += len(file.data)
        if batch.full:
            yield open_batches.pop(key)
    for batch in open_batches.values():
        yield batch


def fields_of(source: str, label: str | None, readers: Sequence[str]) -> dict[str, str | list[str]]:
    """The form's fields; what is not known is left out, and the server then closes the document to all but us."""
    fields: dict[str, str | list[str]] = {"source": source}
    if label:
        fields["label"] = label
    if readers:
        fields["readers"] = list(readers)
    return fields


async def watched(client: Client, jobs: Sequence[Json]) -> list[Json]:
    """The jobs once they are all over, with a bar on standard error."""
    columns = (TextColumn("Reading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    over: list[Json] = []
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("", total=len(jobs))
        for job in jobs:
            over.append(await finished(client, job["id"], told=False) if job["id"] else job)
            progress.advance(bar)
    return over


def report(jobs: Sequence[Json]) -> None:
    """How many went how, and of each that failed the reason and the remedy."""
    for job in jobs:
        if job["state"] == "failed":
            out.print(f"{job['uri']}: {job['error']['message']} {job['error']['remedy']}", markup=False)
    states = [job["state"] for job in jobs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    out.print(f"{len(jobs)} files: {counts}." if jobs else "There are no files.")

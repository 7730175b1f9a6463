"""From nothing to cited answers: load `examples/documents`, ask questions of every kind, show what came back.

    python examples/demo.py --data demo-data [--no-language-model]

Everything goes through the `lastro` command that is installed beside this Python. The data folder is kept:
`LASTRO_DATA_DIR=demo-data lastro serve` opens it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel

HERE = Path(__file__).resolve().parent
LASTRO = str(Path(sys.executable).parent / "lastro")
STARTING_SECONDS = 90
console = Console(width=110, highlight=False)


def lastro(*arguments: str, environment: dict[str, str], quiet: bool = False) -> Any:
    """Run one command and return the JSON it printed; progress goes to the terminal."""
    result = subprocess.run(
        [LASTRO, *arguments, "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        check=False,
    )
    if result.returncode:
        raise SystemExit(f"`lastro {' '.join(arguments)}` failed ({result.returncode}): {result.stdout}")
    return json.loads(result.stdout) if result.stdout.strip() else None


@contextmanager
def server(environment: dict[str, str], log: Path) -> Iterator[None]:
    """`lastro serve` while the demo lasts; what it logs goes to a file in the data folder."""
    with log.open("ab") as output:
        process = subprocess.Popen([LASTRO, "serve"], env=environment, stdout=output, stderr=output)
        try:
            wait_until_ready(process, environment, log)
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


def wait_until_ready(process: subprocess.Popen[bytes], environment: dict[str, str], log: Path) -> None:
    """Return when the server answers; stop with the way to its log if it ends or takes too long."""
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        status = subprocess.run([LASTRO, "status", "--json"], env=environment, capture_output=True, check=False)
        if status.returncode == 0 and json.loads(status.stdout).get("server") == "running":
            return
        time.sleep(0.5)
    raise SystemExit(f"the server did not start; see {log}")


def make_users(environment: dict[str, str]) -> None:
    """The people of the example company, each with their groups and clearance."""
    for name, user in tomllib.loads((HERE / "users.toml").read_text(encoding="utf-8"))["users"].items():
        groups = ",".join(user.get("groups", []))
        options = ["--user", name, "--clearance", user["clearance"], *(["--groups", groups] if groups else [])]
        lastro("keys", "create", *options, environment=environment, quiet=True)


def show(question: dict[str, Any], answer: dict[str, Any]) -> None:
    """One question and what came back, as a person would read it."""
    console.print(f"\n[bold]{question['as']} asks:[/bold] {question['question']}")
    if answer["status"] == "answered":
        body = f"{answer['answer']}\n"
        for citation in answer["citations"]:
            page = f", page {citation['page']}" if citation.get("page") else ""
            body += f"\n[dim]\\[{citation['n']}] {citation['title']}{page}: “{citation['quote']}”[/dim]"
    else:
        body = f"[yellow]Refused ({answer['refusal']['reason']}):[/yellow] {answer['refusal']['message']}"
    for claim in answer.get("unsupported", []):
        body += f"\n[red]Removed, no support found:[/red] {claim}"
    left = f"receipt {answer['egress']['receipt']}" if answer["egress"]["left"] else "nothing left this machine"
    seconds = answer["timings_ms"]["total"] / 1000
    body += f"\n\n[green]{left}[/green] · {answer['route']['model']} · confidence {answer['confidence']:.2f}"
    console.print(Panel(f"{body} · label {answer['label']} · {seconds:.1f} s"))


def main() -> None:
    """Run the whole way once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("demo-data"))
    parser.add_argument("--no-language-model", action="store_true", help="quote the best sentences instead")
    options = parser.parse_args()
    environment = {**os.environ, "LASTRO_DATA_DIR": str(options.data.resolve())}
    if options.no_language_model:
        environment["LASTRO_LLM__KIND"] = "extractive"

    console.rule("models")
    lastro("models", "pull", *(["embedder"] if options.no_language_model else []), environment=environment)
    if not (options.data / "token").exists():
        lastro("init", environment=environment, quiet=True)
    console.rule("documents")
    with server(environment, options.data / "server.log"):
        make_users(environment)
        started = time.monotonic()
        jobs = lastro("add", str(HERE / "documents"), "--wait", environment=environment)["jobs"]
        failed = [job for job in jobs if job["state"] != "done"]
        console.print(f"{len(jobs) - len(failed)} of {len(jobs)} documents in {time.monotonic() - started:.0f} s")
        for job in failed:
            console.print(f"[red]{job['file']}[/red]: {job['error']['message']} {job['error']['remedy']}")
        console.rule("questions")
        for question in json.loads((HERE / "demo.json").read_text(encoding="utf-8")):
            answer = lastro("ask", question["question"], "--as", question["as"], environment=environment, quiet=True)
            show(question, answer)
    console.print(f"\nThe data folder stays: LASTRO_DATA_DIR={options.data} {Path(LASTRO).name} serve")


if __name__ == "__main__":
    main()

"""The command `lastro`: every command is found from here. Its words are those of docs/reference/command-line.md."""

import typer

from api.commands import documents, evaluate, jobs, keys, models
from api.commands.add import add
from api.commands.ask import ask, search
from api.commands.parse import parse
from api.commands.server import api, serve, worker
from api.commands.setup import doctor, init, status
from api.logs import configure_logs

app = typer.Typer(
    name="lastro",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def quiet() -> None:
    """Answers from your own documents, with the words they rest on. Nothing leaves this machine unless you say so."""
    # What a command does itself is told by its output; the servers set their own level.
    configure_logs("warning", process="command")


for command in (init, serve, add, ask, search, parse, status, doctor, api, worker):
    app.command()(command)
for name, group in (
    ("documents", documents.app),
    ("jobs", jobs.app),
    ("keys", keys.keys),
    ("users", keys.users),
    ("models", models.app),
    ("evaluate", evaluate.app),
):
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()

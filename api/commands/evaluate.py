"""`lastro evaluate`: measures on data of your own, with the real parts, in a folder that is thrown away."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.commands.output import err, run, table
from api.settings import load_settings
from api.wiring import entry

if TYPE_CHECKING:
    from retrieval.evaluation import RetrievalFigures
    from retrieval.scoring import Figure

app = typer.Typer(no_args_is_help=True, help="Measure how well Lastro finds, on data of your own.")


@app.callback()
def measures() -> None:
    """Measure how well Lastro finds, on data of your own."""


@app.command()
def retrieval(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A folder in the layout of BEIR.")],
    split: Annotated[str, typer.Option(help="Which qrels/SPLIT.tsv.")] = "test",
    as_language: Annotated[Literal["en", "pt"] | None, typer.Option(help="Translate the questions first.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first questions.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Write the collection, ask its questions, print nDCG, recall and times with 95 % intervals."""

    async def work() -> "RetrievalFigures":
        settings = load_settings()
        with err.status("Writing and asking…"):
            return await entry.measured_retrieval(settings, folder, split=split, language=as_language, limit=limit)

    found = run(work, as_json=False)
    rows: list[tuple[object, ...]] = [
        (name, f"{figure.value:.4g}", interval(figure)) for name, figure in found.figures.items()
    ]
    table(f"{folder.name}, {split}", ("figure", "value", "95 % interval"), [*rows, ("n", found.n, "")])
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(document(found), indent=2) + "\n", encoding="utf-8")


def interval(figure: "Figure") -> str:
    """Where the figure's mean lies with 95 % confidence, if it is a mean."""
    return f"{figure.low:.4g} to {figure.high:.4g}" if figure.low is not None else ""


def document(found: "RetrievalFigures") -> dict[str, object]:
    """The figures as JSON: each by its name, the intervals beside them."""
    return {
        **{name: figure.value for name, figure in found.figures.items()},
        "n": found.n,
        "documents": found.documents,
        "passages": found.passages,
        "intervals": {
            name: [figure.low, figure.high] for name, figure in found.figures.items() if figure.low is not None
        },
    }

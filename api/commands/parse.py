"""`lastro parse`: what the parser sees of a file; nothing is stored."""

from pathlib import Path
from typing import Annotated

import typer

from api.client import Json
from api.commands.output import AsJson, err, out, run, show_json
from api.settings import load_settings
from api.wiring.entry import parsed


def parse(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file to read.")],
    as_json: AsJson = False,
) -> None:
    """Show what the parser sees of a file; exit code 1, with the reason, for a file that adding would refuse."""

    async def work() -> Json:
        seen = await parsed(load_settings(), file.read_bytes(), file.name)
        return {
            "text": seen.text,
            "media_type": seen.media_type,
            "title": seen.title,
            "pages": [{"n": page.n, "start": page.start, "end": page.end} for page in seen.pages],
            "warnings": list(seen.warnings),
        }

    seen = run(work, as_json=as_json)
    if as_json:
        show_json(seen)
        return
    out.print(seen["text"], markup=False)
    err.print(f"{seen['media_type']}, {len(seen['pages'])} pages, {len(seen['text']):,} characters", markup=False)
    for warning in seen["warnings"]:
        err.print(warning, markup=False)

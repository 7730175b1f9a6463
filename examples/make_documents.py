"""Write the example documents from their sources: `sources/policies/x.pdf.md` becomes `documents/policies/x.pdf`.

    python examples/make_documents.py [FOLDER]

Without a folder, `documents/` is written anew; a folder that is given must be empty or missing. Nothing depends on
the moment, so that running it again changes no byte.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from writers import mail, pdf, plain, web, word, workbook
from writers.blocks import Source, read_source

HERE = Path(__file__).resolve().parent
ACCESS = ".lastro.toml"
WRITERS: dict[str, Callable[[Source], bytes]] = {
    ".md": plain.markdown,
    ".txt": plain.text,
    ".html": web.page,
    ".pdf": pdf.pages,
    ".docx": word.document,
    ".xlsx": workbook.sheets,
    ".eml": mail.message,
}


def write_all(target: Path) -> None:
    """Write the documents and the access files of their folders."""
    for path in sorted((HERE / "sources").rglob("*")):
        place = target / path.relative_to(HERE / "sources")
        if path.is_dir():
            place.mkdir(parents=True)
        elif path.name == ACCESS:
            shutil.copyfile(path, place)
        else:
            document = place.with_suffix("")
            document.write_bytes(WRITERS[document.suffix](read_source(path)))


def main() -> None:
    """Choose the folder."""
    if len(sys.argv) == 1:
        shutil.rmtree(HERE / "documents", ignore_errors=True)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "documents"
    if target.is_dir() and any(target.iterdir()):
        raise SystemExit(f"{target} is not empty")
    write_all(target)


if __name__ == "__main__":
    main()

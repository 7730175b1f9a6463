"""What Lastro itself reads in the example documents holds the words that the questions quote."""

import json
from pathlib import Path

import pytest

from ingest.adapters.file_types import identify
from ingest.adapters.formats import BY_EXTENSION
from ingest.model import ParseLimits
from retrieval.model import ParsedDocument

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LIMITS = ParseLimits()
# Word files are read by a package that is only ever loaded in the parser's own process.
IN_THIS_PROCESS = sorted(BY_EXTENSION.keys() - {".docx"})


def parsed(path: Path) -> ParsedDocument:
    data = path.read_bytes()
    return identify(data, path.name, LIMITS).reader().read(data, LIMITS)


def quotes() -> list[tuple[str, str]]:
    lines = (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = (json.loads(line) for line in lines)
    return [(question["file"], question["quote"]) for question in questions if question["answerable"]]


@pytest.mark.parametrize(("file", "quote"), [pair for pair in quotes() if Path(pair[0]).suffix in IN_THIS_PROCESS])
def test_the_parsed_text_holds_the_quote(file: str, quote: str) -> None:
    assert quote in " ".join(parsed(EXAMPLES / "documents" / file).text.split())


@pytest.mark.parametrize("path", sorted((EXAMPLES / "documents").rglob("*.pdf")), ids=lambda path: path.stem)
def test_a_pdf_keeps_its_title_and_a_page_for_every_heading(path: Path) -> None:
    document = parsed(path)
    assert len(document.pages) >= 2
    headings = [document.text[block.start : block.end] for block in document.blocks if block.kind == "heading"]
    assert len(headings) >= 4
    assert document.title in document.text
    assert not document.warnings

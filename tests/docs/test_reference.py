"""The reference is complete: every setting, error code, route and metric stands in it, and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ingest.errors
import retrieval.errors
import serving.errors
from api.settings import known_names
from retrieval.errors import LastroError


@pytest.fixture(scope="module")
def reference(repository: Path) -> Path:
    return repository / "docs" / "reference"


def described_settings(page: str) -> set[str]:
    cells = (line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    return {name for cell in cells for name in re.findall(r"`([a-z_.]+)`", cell)}


def sections() -> set[str]:
    return {name.split(".")[0] for name in known_names() if "." in name}


def test_every_setting_is_described_and_every_described_one_exists(reference: Path) -> None:
    page = (reference / "settings.md").read_text(encoding="utf-8")
    assert described_settings(page) == set(known_names()) - sections()


def subclasses(kind: type[LastroError]) -> Iterator[type[LastroError]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_error_code_is_described_with_its_remedy(reference: Path) -> None:
    page = (reference / "errors.md").read_text(encoding="utf-8")
    assert ingest.errors is not None
    assert retrieval.errors is not None
    assert serving.errors is not None
    missing = {error.code for error in subclasses(LastroError)} - set(
        re.findall(r"^\| `([a-z_]+)`", page, re.MULTILINE)
    )
    assert not missing


def test_every_error_s_docstring_is_a_sentence_and_names_a_remedy() -> None:
    for error in subclasses(LastroError):
        assert (error.__doc__ or "").strip().splitlines()[0].endswith("."), error
        assert error.remedy.endswith("."), error

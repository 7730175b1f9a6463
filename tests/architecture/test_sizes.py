"""The size budgets of the house: small files, small functions, telling names."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("api", "ingest", "retrieval", "serving")
EMPTY_NAMES = {"utils", "helpers", "common", "manager", "base", "core", "handler", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(repository: Path) -> list[Path]:
    return sorted(path for package in PACKAGES for path in (repository / package).rglob("*.py"))


def lines_of(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def functions(path: Path) -> Iterator[Function]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_no_source_file_is_longer_than_300_lines(repository: Path) -> None:
    too_long = {str(path): lines_of(path) for path in sources(repository) if lines_of(path) > 300}
    assert not too_long


def test_no_test_file_is_longer_than_400_lines(repository: Path) -> None:
    too_long = {str(path): lines_of(path) for path in (repository / "tests").rglob("*.py") if lines_of(path) > 400}
    assert not too_long


def test_half_of_the_files_stay_near_100_lines(repository: Path) -> None:
    assert statistics.median(lines_of(path) for path in sources(repository) if path.name != "__init__.py") <= 110


def test_no_function_is_longer_than_50_lines_and_nine_of_ten_stay_under_25(repository: Path) -> None:
    lengths = {f"{path}:{fn.name}": length(fn) for path in sources(repository) for fn in functions(path)}
    assert not {name: lines for name, lines in lengths.items() if lines > 50}
    assert statistics.quantiles(lengths.values(), n=10)[8] <= 25


def test_names_say_something_about_the_field(repository: Path) -> None:
    empty = [path for path in sources(repository) if EMPTY_NAMES & set(re.split(r"[_.]", path.stem))]
    assert not empty


def test_no_name_repeats_its_folder(repository: Path) -> None:
    repeating = [
        path
        for path in sources(repository)
        if path.parent.name in {*PACKAGES, "adapters", "routes", "schemas"}
        and path.parent.name.rstrip("s") in path.stem.split("_")
    ]
    assert not repeating


def test_every_module_says_why_it_exists(repository: Path) -> None:
    silent = [
        path for path in sources(repository) if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


@pytest.mark.parametrize("package", ["ingest", "retrieval", "serving"])
def test_each_lower_package_has_the_same_first_files(repository: Path, package: str) -> None:
    names = {path.name for path in (repository / package).iterdir()}
    assert {"__init__.py", "model.py", "ports.py", "errors.py", "adapters"} <= names


def test_test_folders_are_named_by_kind_and_hold_no_package(repository: Path) -> None:
    tests = repository / "tests"
    assert not list(tests.rglob("__init__.py"))
    assert not [folder for folder in tests.iterdir() if folder.name in PACKAGES]


def test_there_is_more_test_than_source(repository: Path) -> None:
    source_lines = sum(lines_of(path) for path in sources(repository))
    test_lines = sum(lines_of(path) for path in (repository / "tests").rglob("*.py"))
    assert test_lines >= 1.3 * source_lines, f"{test_lines} lines of tests for {source_lines} lines of source"

"""What is imported is declared, and what is declared is used."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

OURS = ("api", "ingest", "retrieval", "serving")
# Brought by a declared package as its interface.
COMES_WITH = {"starlette": "fastapi", "dotenv": "pydantic-settings"}
# Drivers and programs that are named, not imported.
NOT_IMPORTED = {
    "aiosqlite",  # SQLAlchemy's driver for SQLite
    "psycopg",  # SQLAlchemy's driver for PostgreSQL
    "pip",  # started as a program that fetches model packages
    "python-dateutil",  # unstructured reads mail dates with it and does not say so
    "python-multipart",  # FastAPI reads forms with it
}


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=;~! ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def imported(repository: Path) -> set[str]:
    names: set[str] = set()
    for path in (path for package in OURS for path in (repository / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - set(OURS)


def distributions(imported: set[str]) -> set[str]:
    known = packages_distributions()
    return {known[name][0].lower().replace("_", "-") for name in imported if name in known and name not in COMES_WITH}


def test_every_imported_package_is_declared(project: dict[str, Any], imported: set[str]) -> None:
    extras = project["optional-dependencies"].values()
    declared = {name_of(line) for lines in (project["dependencies"], *extras) for line in lines}
    assert distributions(imported) <= declared


def test_every_declared_package_is_used(project: dict[str, Any], imported: set[str]) -> None:
    declared = {name_of(line) for line in project["dependencies"]}
    assert declared - distributions(imported) - NOT_IMPORTED == set()


def test_the_packages_that_the_product_is_built_on_are_declared(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    declared = {name_of(line) for line in project["dependencies"]}
    assert {"qdrant-client", "qdrant-edge-py", "unstructured", "fastapi"} <= declared
    assert {"vllm", "sentence-transformers", "langchain", "cloud"} <= set(extras)

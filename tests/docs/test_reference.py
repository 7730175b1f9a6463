"""The reference is complete: every setting, error code, route and metric stands in it, and nothing else."""

import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from fastapi.routing import APIRoute
from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel

import api.routes
import ingest.errors
import retrieval.errors
import serving.errors
from api import cli
from api.app import create_app
from api.auth import OPEN_PATHS, Role
from api.commands import output
from api.errors import problem
from api.parts import Parts
from api.schemas.answers import AnswerShown
from api.schemas.documents import DocumentShown
from api.schemas.jobs import JobShown
from api.schemas.keys import KeyMade, MeShown
from api.schemas.search import PassagesShown
from api.settings import Settings, known_names
from api.telemetry import Metrics
from retrieval.access import LabelScale
from retrieval.errors import LastroError
from serving.model import RefusalReason


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


def rows(page: str, columns: str) -> list[list[str]]:
    """The cells of the table whose first line is `columns`."""
    _, _, rest = page.partition(f"| {columns} |\n")
    assert rest, f"there is no table with the columns {columns}"
    lines = rest.split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.fixture(scope="module")
def http(reference: Path) -> str:
    return (reference / "http.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def described_routes(http: str) -> dict[str, list[str]]:
    found = {quoted(row[0])[0]: row[1:] for row in rows(http, "route | role | status | takes | returns")}
    assert found.pop("GET /openapi.json")[0] == "reader"
    return found


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The application's own account of itself; nothing is asked of its parts."""
    absent = cast(Any, None)
    parts = Parts(Settings(), LabelScale(), absent, absent, absent, absent, absent, absent, {})
    return create_app(parts).openapi()


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }


def taken(schema: dict[str, Any], operation: dict[str, Any]) -> dict[str, bool]:
    """The names of parameters and of the body's fields, and whether each must be given."""
    names = {one["name"]: bool(one.get("required")) for one in operation.get("parameters", ())}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        body = schema["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]
        names |= {name: name in body.get("required", ()) for name in body["properties"]}
    return names


def test_every_route_is_described_and_every_described_one_exists(
    described_routes: dict[str, list[str]], schema: dict[str, Any]
) -> None:
    assert set(described_routes) == set(operations(schema))


def test_each_route_s_status_and_every_name_it_takes_are_described(
    described_routes: dict[str, list[str]], schema: dict[str, Any]
) -> None:
    for route, operation in operations(schema).items():
        _, status, takes, _ = described_routes[route]
        assert [status] == [code for code in operation["responses"] if code.startswith("2")], route
        named = {name: f"**`{name}`**" in takes for name in quoted(takes)}
        assert named == taken(schema, operation), route


def roles() -> Iterator[tuple[str, str]]:
    """Each route with the role that its dependencies ask for."""
    for module in pkgutil.iter_modules(api.routes.__path__, "api.routes."):
        for route in importlib.import_module(module.name).router.routes:
            assert isinstance(route, APIRoute)
            asked = [inspect.getclosurevars(one.call).nonlocals.get("role") for one in route.dependant.dependencies]
            needed = [role.label for role in asked if isinstance(role, Role)]
            for method in route.methods:
                yield f"{method} {route.path}", needed[0] if needed else "none"


def test_the_role_that_each_route_needs_is_described(described_routes: dict[str, list[str]]) -> None:
    assert {route: cells[0] for route, cells in described_routes.items()} == dict(roles())
    assert {route.split()[1] for route, cells in described_routes.items() if cells[0] == "none"} == OPEN_PATHS


def example(page: str, title: str) -> dict[str, Any]:
    """The JSON block below the heading."""
    section = page.partition(f"\n### {title}\n")[2].split("\n### ")[0]
    found: dict[str, Any] = json.loads(section.partition("```json\n")[2].partition("```")[0])
    return found


SHAPES: dict[str, type[BaseModel]] = {
    "Answer": AnswerShown,
    "Passages": PassagesShown,
    "Document": DocumentShown,
    "Job": JobShown,
    "Key": KeyMade,
    "Me": MeShown,
}


@pytest.mark.parametrize("title", SHAPES)
def test_an_example_is_what_the_server_would_send(http: str, title: str) -> None:
    given = example(http, title)
    assert SHAPES[title].model_validate(given).model_dump(mode="json") == given


def test_the_examples_are_all_tested(http: str) -> None:
    assert http.count("```json") == len(SHAPES) + len(["Problem"])


def test_the_example_of_a_problem_is_one(http: str) -> None:
    given = example(http, "Problem")
    made = problem(404, "not_found", given["detail"], retrieval.errors.NotFound.remedy)
    assert json.loads(bytes(made.body)) == given


def test_the_quote_of_the_example_is_as_long_as_its_span(http: str) -> None:
    (citation,) = example(http, "Answer")["citations"]
    assert citation["end"] - citation["start"] == len(citation["quote"])


def test_every_reason_for_a_refusal_is_described(http: str) -> None:
    assert {quoted(row[0])[0] for row in rows(http, "reason | when")} == set(RefusalReason)


def test_every_event_of_a_stream_is_described(http: str, repository: Path) -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (repository / "api").rglob("*.py"))
    sent = set(re.findall(r"\b(?:event|framed)\(\"([a-z]+)\"", source))
    assert {quoted(row[0])[0] for row in rows(http, "event | of | data")} == sent


@pytest.fixture(scope="module")
def command_line(reference: Path) -> str:
    return (reference / "command-line.md").read_text(encoding="utf-8")


def commands(group: Any, path: tuple[str, ...] = ("lastro",)) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def visible(command: Any, kind: str) -> list[Any]:
    return [one for one in command.params if one.param_type_name == kind and not getattr(one, "hidden", False)]


def usage(name: str, command: Any) -> str:
    """The command with its arguments, as its heading shows them."""
    return " ".join([name, *(one.name.upper() for one in visible(command, "argument"))])


def test_every_command_is_described_with_its_arguments_and_every_described_one_exists(command_line: str) -> None:
    real = {usage(name, command) for name, command in commands(typer.main.get_command(cli.app))}
    assert set(re.findall(r"^### `([^`]+)`$", command_line, re.MULTILINE)) == real


def test_every_option_is_described_and_every_described_one_exists(command_line: str) -> None:
    for name, command in commands(typer.main.get_command(cli.app)):
        section = re.split(r"\n##", command_line.partition(f"### `{usage(name, command)}`\n")[2])[0]
        listed = "".join(line for line in section.splitlines() if line.startswith(("Options: ", "| `")))
        real = {option for one in visible(command, "option") for option in one.opts}
        assert set(re.findall(r"`(--[a-z-]+)`", listed)) == real, name


def test_every_exit_code_is_described(command_line: str) -> None:
    used = {0, output.FAILED, output.WRONG_USAGE, output.NOT_ALLOWED, output.UNAVAILABLE}
    assert {int(row[0]) for row in rows(command_line, "exit code | means")} == used


def test_every_metric_is_described_with_its_kind_and_labels_and_every_described_one_exists(reference: Path) -> None:
    page = (reference / "metrics.md").read_text(encoding="utf-8")
    described = {
        quoted(name)[0]: (kind, tuple(quoted(labels)))
        for name, kind, labels, _ in rows(page, "metric | kind | labels | what it counts")
    }
    metrics = Metrics()
    names = {f"{one.name}_total" if one.type == "counter" else one.name for one in metrics.registry.collect()}
    assert set(described) == names
    made = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    real = {}
    for one in made:
        (family,) = one.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        real[name] = (family.type, one._labelnames)
    assert described == real


def test_every_page_is_linked_from_the_index(repository: Path) -> None:
    docs = repository / "docs"
    index = (docs / "README.md").read_text(encoding="utf-8")
    linked = {(docs / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^)\s]+)\)", index)}
    pages = {path for path in docs.rglob("*.md") if path != docs / "README.md"}
    assert pages
    assert pages <= linked

"""Which part may know which: the import contracts, and the promises that no linter knows."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OURS = ("api", "ingest", "retrieval", "serving")
# Value types and pure computation: no outside thing hides behind these.
ALLOWED_BELOW_API = {"numpy", "structlog", "snowballstemmer"}


def modules(repository: Path, *packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((repository / package).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_the_import_contracts_hold(repository: Path) -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    result = subprocess.run([*command, "--no-cache"], cwd=repository, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_vendor_packages_stay_in_adapters_and_api(repository: Path) -> None:
    known = {*sys.stdlib_module_names, *OURS, *ALLOWED_BELOW_API}
    strangers = [
        f"{path.relative_to(repository)} imports {name}"
        for path, tree in modules(repository, "ingest", "retrieval", "serving")
        if "adapters" not in path.parts
        for name in imported(tree)
        if name.split(".")[0] not in known
    ]
    assert not strangers


def test_adapters_are_imported_by_the_wiring_and_their_own_package_alone(repository: Path) -> None:
    allowed = {Path("api/wiring.py")}
    importers = []
    for path, tree in modules(repository, *OURS):
        relative = path.relative_to(repository)
        inside = "adapters" in relative.parts
        for name in imported(tree):
            if ".adapters." not in f"{name}." or relative in allowed:
                continue
            if inside and (name.startswith(f"{relative.parts[0]}.") or name.startswith("retrieval.adapters.sql_")):
                continue
            if relative.parts[:2] == ("api", "wiring") or name.startswith("retrieval.adapters.sql_"):
                continue
            importers.append(f"{relative} imports {name}")
    assert not importers


def test_the_openai_package_is_used_for_the_cloud_alone(repository: Path) -> None:
    users = [
        path.relative_to(repository)
        for path, tree in modules(repository, *OURS)
        if any(name.split(".")[0] in {"openai", "langchain_openai"} for name in imported(tree))
    ]
    assert [path for path in users if path != Path("serving/adapters/openai_cloud.py")] == []


def test_no_first_party_import_hides_in_a_function(repository: Path) -> None:
    hidden = []
    for path, tree in modules(repository, *OURS):
        if path.relative_to(repository).parts[:2] in {("api", "wiring.py"), ("api", "wiring")}:
            continue
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            hidden += [f"{path}:{function.name}" for name in imported(function) if name.split(".")[0] in OURS]
    assert not hidden


def test_the_environment_is_read_in_the_settings_alone(repository: Path) -> None:
    readers = [
        path.relative_to(repository)
        for path, _ in modules(repository, *OURS)
        if re.search(r"\bos\.(environ|getenv)", path.read_text(encoding="utf-8"))
    ]
    assert [path for path in readers if path != Path("api/settings.py")] == []


def test_nothing_is_unpickled(repository: Path) -> None:
    loaders = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
    users = [
        str(path) for path, tree in modules(repository, *OURS) if loaders & {n.split(".")[0] for n in imported(tree)}
    ]
    assert not users


def test_no_broad_except_but_at_a_process_s_outermost_loop(repository: Path) -> None:
    broad = [
        f"{path.relative_to(repository)}:{number}"
        for path, _ in modules(repository, *OURS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"except( Exception| BaseException)?( as \w+)?:", line) and "noqa: BLE001" not in line
    ]
    assert not broad


def test_signatures_below_the_api_hold_no_loose_dictionaries(repository: Path) -> None:
    loose = []
    for path, tree in modules(repository, "ingest", "retrieval", "serving"):
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            if "adapters" not in path.parts and "dict[str, Any]" in ast.unparse(function.args):
                loose.append(f"{path}:{function.name}")
    assert not loose

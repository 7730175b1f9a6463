"""The built wheel: what it holds, whose the four import names are, and that it starts outside the checkout."""

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

NAMES = ("api", "ingest", "retrieval", "serving")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(repository)], check=True, timeout=110)
    return next(folder.glob("lastro-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own that holds the wheel and borrows the dependencies of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    site = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    # A path file is read after the folder itself, so the wheel's packages come first.
    (site / "dependencies.pth").write_text(dependencies + "\n")
    return folder / "bin" / "python"


def run(python: Path, code: str, folder: Path) -> str:
    result = subprocess.run(
        [str(python), "-I", "-c", code], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_wheel_holds_the_four_packages_and_their_data(wheel: Path, repository: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    roots = {name.split("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == set(NAMES)
    for path in (path for name in NAMES for path in (repository / name).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(repository)) in names
    assert not [name for name in names if name.startswith("tests/")]


def test_the_four_names_belong_to_lastro_and_lie_in_site_packages(installed: Path, tmp_path: Path) -> None:
    code = (
        "import importlib, importlib.metadata as m, json\n"
        f"names = {NAMES!r}\n"
        "files = [str(f) for f in m.files('lastro')]\n"
        "ours = lambda n: any(f.startswith(n + '/') for f in files)\n"
        "print(json.dumps({n: [importlib.import_module(n).__file__, ours(n)] for n in names}))"
    )
    for name, (file, ours) in json.loads(run(installed, code, tmp_path)).items():
        assert ours, name
        assert file.startswith(str(installed.parent.parent)), file


def test_the_command_starts_and_the_base_install_imports_no_torch(installed: Path, tmp_path: Path) -> None:
    code = "import sys, api.cli\nprint('torch' in sys.modules)"
    assert run(installed, code, tmp_path).strip() == "False"


def test_the_console_script_points_at_the_command_line(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    entry_points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "lastro = api.cli:main" in archive.read(entry_points).decode()

"""What must never be committed, and what every checkout needs."""

import re
import subprocess
from pathlib import Path

# Lock files and requirement files must install from whatever registry the reader uses.
ADDRESS = re.compile(r"https?://(files\.pythonhosted|pypi|registry\.npmjs|deb\.debian)", re.IGNORECASE)


def tracked(repository: Path) -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True).stdout
    return [path for name in names.split("\0") if name and (path := repository / name).is_file()]


def test_no_file_records_a_download_address(repository: Path) -> None:
    this = Path(__file__).resolve()
    texts = (
        path for path in tracked(repository) if path.suffix in {".txt", ".toml", ".py", ".md", ".json", ".yml", ""}
    )
    found = [
        str(path)
        for path in texts
        if path != this and ADDRESS.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found


def test_there_are_no_lock_files_with_addresses(repository: Path) -> None:
    assert not [path for path in tracked(repository) if path.name in {"uv.lock", "poetry.lock", "package-lock.json"}]


def test_every_pinned_requirement_has_a_hash(repository: Path) -> None:
    files = sorted((repository / "requirements").glob("*.txt"))
    assert files
    for path in files:
        joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
        pins = [line for line in joined.splitlines() if line and not line.startswith("#")]
        assert pins
        for pin in pins:
            assert re.match(r"^[\w.\[\],-]+==\S+.* --hash=sha256:[0-9a-f]{64}", pin), f"{path.name}: {pin[:80]}"


def test_the_base_requirements_hold_no_torch(repository: Path) -> None:
    names = {
        line.split("==")[0] for line in (repository / "requirements/base.txt").read_text().splitlines() if "==" in line
    }
    assert {"fastapi", "qdrant-edge-py", "onnxruntime"} <= names
    assert not {"torch", "transformers", "sentence-transformers", "vllm"} & names


def test_no_large_file_is_in_the_repository(repository: Path) -> None:
    assert not [path for path in tracked(repository) if path.stat().st_size > 2_000_000]


def test_the_readme_shows_the_two_commands_and_ci_runs_them(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme
    ci = (repository / ".ci/run").read_text(encoding="utf-8")
    assert "make check" in ci
    assert "make test" in ci


def test_nothing_is_left_to_do_in_comments(repository: Path) -> None:
    this = Path(__file__).resolve()
    marks = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
    left = [
        f"{path}:{number}"
        for path in tracked(repository)
        if path.suffix == ".py" and path != this
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert not left

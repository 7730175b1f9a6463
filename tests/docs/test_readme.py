"""What the README and the how-to pages show is true: every block runs or is checked, every link leads somewhere."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from markdown_it import MarkdownIt

from api.cli import app
from api.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs/how-to").glob("*.md")))]
PROGRAMS = Path(sys.executable).parent
READY_SECONDS = 60
# A diagram says nothing that could run.
KINDS = {"console", "sh", "toml", "text"}
# Programs of others that a page may show: they are not run here, for they need a machine of their own.
FOREIGN = {"createdb", "createuser", "docker", "mkdir", "vllm"}
POLICIES = {
    "vacation.md": "# Vacation policy\n\nEvery employee has 25 days of vacation a year. Ask four weeks ahead.\n",
    "ferias.md": "# Política de férias\n\nCada trabalhador tem direito a 25 dias de férias por ano.\n",
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str) -> Iterator[Block]:
    for token in MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8")):
        if token.type in {"fence", "code_block"}:
            assert token.map is not None
            yield Block(page, token.map[0] + 1, token.info.strip(), token.content)


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(block, id=str(block)) for block in BLOCKS if block.kind == kind]


def commands(block: Block) -> list[str]:
    """What stands behind the prompts, continuation lines joined; a page shows no output."""
    lines = block.text.replace("\\\n", " ").splitlines()
    assert all(line.startswith("$ ") for line in lines), f"{block}: a line of a console block begins with `$ `"
    return [line[2:] for line in lines]


COMMANDS = [(block, command) for block in BLOCKS if block.kind == "console" for command in commands(block)]


def words(command: str) -> list[str]:
    return shlex.split(command, comments=True)


def shown(program: str, *, but: str = "") -> list[Any]:
    """Every command of a program on the pages; `but` is a page whose commands run."""
    found = [(block, command) for block, command in COMMANDS if words(command)[0] == program and block.page != but]
    return [pytest.param(command, id=f"{block} {command[:40]}") for block, command in found]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_checked(page: str) -> None:
    assert {f"{block} {block.kind}" for block in blocks_of(page) if block.kind not in KINDS} == set()


def test_every_program_on_the_pages_is_known() -> None:
    assert {words(command)[0] for _, command in COMMANDS} <= {"lastro", "pip", "curl", *FOREIGN}


def test_the_readme_shows_all_that_is_run_below() -> None:
    assert {block.kind for block in BLOCKS if block.page == "README.md"} >= {"console", "sh"}


@pytest.mark.parametrize("block", of_kind("sh"))
def test_a_make_line_names_a_target(block: Block) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in block.text.splitlines():
        program, target = words(line)
        assert program == "make"
        assert target in targets


@pytest.mark.parametrize("block", of_kind("toml"))
def test_a_settings_block_is_understood(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LASTRO_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lastro.toml").write_text(block.text, encoding="utf-8")
    given = load_settings().model_dump(mode="json")
    for name, value in tomllib.loads(block.text).items():
        assert given[name] == value if not isinstance(value, dict) else value.items() <= given[name].items()


@pytest.mark.parametrize("command", [pytest.param(one, id=f"{block} {one[:40]}") for block, one in COMMANDS])
def test_a_command_is_whole(command: str) -> None:
    checked = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("command", shown("pip"))
def test_what_is_installed_is_this_package_with_extras_that_it_has(command: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pip, install, requirement = words(command)
    named = re.fullmatch(r"([a-z]+)(?:\[([a-z,-]+)\])?", requirement)
    assert (pip, install) == ("pip", "install")
    assert named is not None
    assert named[1] == project["name"]
    assert set((named[2] or "").split(",")) - {""} <= set(project["optional-dependencies"])


def understood(arguments: list[str]) -> None:
    """Have the command line parse the arguments without carrying them out."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert arguments, "a group of commands does nothing by itself"
        assert arguments[0] in command.commands, arguments[0]
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context("lastro", arguments)


@pytest.mark.parametrize("command", shown("lastro", but="README.md"))
def test_a_lastro_command_is_one(command: str) -> None:
    understood(words(command)[1:])


@pytest.mark.parametrize("command", [one for one in shown("docker") if "docker compose" in one.values[0]])
def test_a_compose_command_names_services_and_profiles_that_exist(command: str) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", ())}
    given = words(command)[2:]
    if given[0] == "--profile":
        assert given[1] in profiles
        given = given[2:]
    if given[0] == "run":
        assert given[1] == "--rm"
        assert given[2] in services
        understood(given[3:])
    else:
        assert given == ["up", "-d"]


@pytest.mark.parametrize("command", [one for one in shown("docker") if "docker run" in one.values[0]])
def test_an_image_is_the_one_of_the_compose_file(command: str) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert words(command)[-1] in {service.get("image") for service in services.values()}


def anchors(path: Path) -> set[str]:
    """What a heading is reached by: small letters, hyphens for spaces, without punctuation."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def markdown_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split() if not name.startswith("examples/documents/")]


@pytest.mark.parametrize("name", markdown_files())
def test_every_link_within_the_repository_leads_somewhere(name: str) -> None:
    page = ROOT / name
    dead = set()
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        for part in token.children or ():
            target = str(part.attrGet("href") or part.attrGet("src") or "")
            if not target or re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            there = page.parent / path if path else page
            if not there.exists() or (anchor and anchor not in anchors(there)):
                dead.add(target)
    assert not dead


@dataclass
class Visitor:
    """Somebody who types what the README shows, in an empty folder."""

    folder: Path
    url: str = ""
    said: dict[str, str] = field(default_factory=dict)
    server: "subprocess.Popen[str] | None" = None

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LASTRO_")}
        path = os.pathsep.join([str(PROGRAMS), kept.get("PATH", os.defpath)])
        ours = {"LASTRO_SERVER__PORT": "0", "LASTRO_LLM__KIND": "extractive"}
        return {**kept, **ours, "PATH": path, **({"LASTRO_API_KEY": self.key} if self.key else {})}

    @property
    def key(self) -> str:
        """What `lastro init` showed, as a person would copy it."""
        return self.said.get("lastro init", "").strip()

    def type(self, command: str) -> None:
        """Carry out a command as a shell does; a server goes on in the background."""
        plain = shlex.join(words(command))
        command = command.replace("http://127.0.0.1:8080", self.url) if self.url else command
        place: dict[str, Any] = {"cwd": self.folder, "env": self.environment, "text": True}
        if plain == "lastro serve":
            self.server = subprocess.Popen(["lastro", "serve"], stdout=subprocess.PIPE, **place)
            assert self.server.stdout is not None
            line = self.server.stdout.readline()
            assert line.startswith("Lastro is ready at ")
            self.url = line.split()[-1]
            return
        done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=READY_SECONDS, check=False, **place)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        self.said[plain] = done.stdout

    def leave(self) -> None:
        """Stop the server as Ctrl-C does."""
        if self.server is not None:
            self.server.terminate()
            assert self.server.wait(READY_SECONDS) == 0
            assert self.server.stdout is not None
            self.server.stdout.close()


@pytest.fixture
def visitor(tmp_path: Path, model_cache: Path) -> Iterator[Visitor]:
    if not any(model_cache.glob("embedder-*")):
        pytest.skip("the embedder was not fetched: lastro models pull embedder")
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (tmp_path / "policies").mkdir()
    for name, text in POLICIES.items():
        (tmp_path / "policies" / name).write_text(text, encoding="utf-8")
    somebody = Visitor(tmp_path)
    yield somebody
    somebody.leave()


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.xdist_group("server")
def test_the_readme_s_commands_run_in_order_and_do_what_they_say(visitor: Visitor) -> None:
    for block, command in COMMANDS:
        if block.page == "README.md" and words(command)[0] != "pip":
            visitor.type(command)
    assert (visitor.folder / "lastro-data").is_dir()
    said = {" ".join(command.split()[:2]): text for command, text in visitor.said.items()}
    assert said["lastro add"] == "2 files: 2 done.\n"
    # Both policies hold the answer; which one is nearer is the ranking's business.
    assert "25 days of vacation" in said["lastro ask"] or "25 dias de férias" in said["lastro ask"]
    assert "Nothing left this machine." in said["lastro ask"]
    answer = json.loads(said["curl -H"])
    assert answer["status"] == "answered"
    assert "25 dias de férias" in answer["citations"][0]["quote"]
    assert answer["claims"]
    assert 0 <= answer["confidence"] <= 1
    assert answer["route"]["place"] == "local"
    assert answer["egress"]["left"] is False

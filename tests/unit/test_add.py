from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app, main
from api.client import Json, Upload
from api.commands import add
from api.commands.add import Given, batched, hand_in, report, watched
from api.found import Found, Unreadable
from api.settings import Settings

NOTHING = Given(None, ())
LOST = Unreadable("s", "lost.txt", "file_forbidden", "lost.txt may not be read.", "Give yourself the right.")


async def stream(files: Sequence[Found | Unreadable]) -> AsyncIterator[Found | Unreadable]:
    for file in files:
        yield file


async def batches(*files: Found | Unreadable, given: Given = NOTHING) -> list[Any]:
    return [batch async for batch in batched(stream(files), given)]


def found(uri: str, label: str | None = None, *readers: str, source: str = "s", size: int = 1) -> Found:
    return Found(source, uri, b"x" * size, label, readers)


async def test_files_of_one_source_and_access_go_together() -> None:
    made = await batches(
        found("a", "internal", "everyone"),
        found("b"),
        found("c", "internal", "everyone"),
        found("d", "internal", "everyone", source="other"),
    )
    assert [[upload.name for upload in batch.uploads] for batch in made] == [["a", "c"], ["b"], ["d"]]
    assert made[0].fields == {"source": "s", "label": "internal", "readers": ["everyone"]}
    assert made[1].fields == {"source": "s"}


async def test_what_the_command_line_says_wins_over_what_the_folder_says() -> None:
    made = await batches(found("a", "internal", "everyone"), given=Given("public", ("group:x",)))
    assert made[0].fields == {"source": "s", "label": "public", "readers": ["group:x"]}


async def test_a_batch_goes_when_it_is_full_by_number_or_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(add, "BATCH_FILES", 2)
    assert [len(batch.uploads) for batch in await batches(*(found(str(n)) for n in range(5)))] == [2, 2, 1]
    monkeypatch.setattr(add, "BATCH_BYTES", 10)
    assert [batch.size for batch in await batches(found("a", size=10), found("b", size=3), found("c", size=7))] == [
        10,
        10,
    ]


class Server:
    """Takes everything in."""

    embedded = False

    def __init__(self) -> None:
        self.fields: list[Mapping[str, Any]] = []

    async def upload(self, uploads: Sequence[Upload], fields: Mapping[str, Any]) -> Json:
        self.fields.append(fields)
        return {"jobs": [{"id": upload.name, "uri": upload.name, "state": "queued"} for upload in uploads]}

    async def get(self, path: str) -> Json:
        return {"id": path.rsplit("/", maxsplit=1)[-1], "uri": path, "state": "done", "step": "finished", "file": "f"}


async def test_a_file_that_cannot_be_read_is_a_failed_job_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(add, "files_under", lambda paths, settings: stream([found("a"), LOST]))
    server: Any = Server()
    jobs = await hand_in(server, Settings(data_dir=tmp_path), [tmp_path], NOTHING)
    assert {job["uri"]: job["state"] for job in jobs} == {"a": "queued", "lost.txt": "failed"}
    over = await watched(server, jobs)
    assert {job["state"] for job in over} == {"done", "failed"}
    assert next(job for job in over if job["id"] is None)["error"]["code"] == "file_forbidden"


def test_people_are_told_how_many_went_how_and_why_those_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    failed = {"uri": "x[1].txt", "state": "failed", "error": {"message": "It is empty.", "remedy": "Fill it."}}
    report([{"uri": "a", "state": "done"}, failed, {"uri": "b", "state": "done"}])
    shown = capsys.readouterr().out
    assert "x[1].txt: It is empty. Fill it." in shown
    assert "3 files: 2 done, 1 failed." in shown
    report([])
    assert "There are no files." in capsys.readouterr().out


def test_the_command_is_found_by_its_entry_point(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["lastro", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "serve" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["api"], ["worker"], ["api", "--supervised"], ["serve"]])
def test_a_process_with_an_unknown_setting_does_not_start(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LASTRO_DATA_DRI", "x")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == (78 if "--supervised" in words else 2)
    assert "LASTRO_DATA_DIR" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("words", [["api"], ["worker"]])
def test_a_process_alone_needs_a_qdrant_server(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LASTRO_SERVER__PORT", "0")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "lastro serve" in result.stderr

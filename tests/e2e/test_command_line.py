"""The command line by itself: without a server it opens the data folder, and what it prints is what it promises."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from api.folder import DataFolder

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.xdist_group("command-line")]

LEAVE = "# Leave policy\n\nEvery employee has 25 days of paid leave a year. Requests go to the team lead.\n"
FERIAS = "# Regulamento de férias\n\nCada trabalhador tem direito a 22 dias úteis de férias por ano.\n"
ALLOWANCE = "# Travel\n\nThe daily meal allowance on business trips within Europe is 48 euros.\n"


class Lastro:
    """The command line in one working folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = CliRunner()

    def __call__(self, *words: str, code: int = 0) -> Result:
        result = self.runner.invoke(app, list(words))
        assert result.exit_code == code, (words, result.output, result.exception)
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def lastro(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Lastro]:
    if not model_cache.exists():
        pytest.skip("the embedder was not fetched: lastro models pull embedder")
    folder = tmp_path_factory.mktemp("command-line")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LASTRO_")]:
            patch.delenv(name)
        patch.chdir(folder)
        patch.setenv("LASTRO_LLM__KIND", "extractive")
        patch.setenv("LASTRO_SERVER__PORT", "0")
        files = {"people/leave.md": LEAVE, "pessoal/ferias.md": FERIAS, "travel.md": ALLOWANCE, "empty.md": ""}
        for name, text in files.items():
            path = folder / "docs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (folder / "docs" / ".lastro.toml").write_text('label = "internal"\nreaders = ["everyone"]\n')
        (folder / "docs" / "people" / ".lastro.toml").write_text('label = "internal"\nreaders = ["group:people"]\n')
        made = Lastro(folder)
        key = made.json("init")["admin_key"]
        assert key.startswith("lastro_")
        yield made


@pytest.fixture(scope="module")
def added(lastro: Lastro) -> list[dict[str, Any]]:
    """What became of every file of the folder."""
    jobs: list[dict[str, Any]] = lastro.json("add", "docs", code=1)["jobs"]
    return jobs


def test_nothing_works_before_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = Lastro(tmp_path)
    told = elsewhere.json("ask", "Where?", code=1)["error"]
    assert told["code"] == "not_initialised"
    assert "lastro init" in told["remedy"]
    elsewhere("serve", code=1)
    assert elsewhere.json("status", code=4)["server"] == "stopped"


def test_a_second_init_changes_nothing(lastro: Lastro) -> None:
    token = DataFolder(lastro.folder / "lastro-data").token()
    assert lastro.json("init", code=1)["error"]["code"] == "already_initialised"
    assert DataFolder(lastro.folder / "lastro-data").token() == token


@pytest.mark.parametrize(
    "words", [["ask"], ["nothing"], ["add", "no-such-file"], ["keys", "create"], ["search", "x", "--limit", "0"]]
)
def test_wrong_usage_exits_with_2(lastro: Lastro, words: list[str]) -> None:
    lastro(*words, code=2)


def test_an_unknown_setting_exits_with_2_and_names_it(lastro: Lastro, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTRO_DATA_DRI", "x")
    told = lastro.json("documents", "list", code=2)["error"]
    assert told["code"] == "settings_invalid"
    assert "LASTRO_DATA_DIR" in told["message"]


def test_a_folder_is_handed_in_with_the_access_its_files_say(lastro: Lastro, added: list[dict[str, Any]]) -> None:
    by_name = {job["uri"]: job for job in added}
    assert {name: job["state"] for name, job in by_name.items()} == {
        "empty.md": "failed", "people/leave.md": "done", "pessoal/ferias.md": "done", "travel.md": "done",
    }  # fmt: skip
    assert by_name["people/leave.md"]["readers"] == ["group:people"]
    assert by_name["travel.md"]["readers"] == ["everyone"]
    assert by_name["empty.md"]["error"]["code"] == "empty_file"
    assert len({job["source"] for job in added}) == 1


def test_the_same_folder_again_makes_no_second_documents(lastro: Lastro, added: list[dict[str, Any]]) -> None:
    before = lastro.json("documents", "list")["items"]
    again = lastro.json("add", "docs/travel.md", "docs/pessoal")["jobs"]
    assert [job["state"] for job in again] == ["done", "done"]
    ids = {document["id"] for document in lastro.json("documents", "list")["items"]}
    assert {document["id"] for document in before} <= ids
    travel = next(job for job in added if job["uri"] == "travel.md")
    assert next(job for job in again if job["uri"] == "travel.md")["document_id"] == travel["document_id"]


def test_a_folder_below_one_that_says_who_may_read_is_as_open_as_that(lastro: Lastro) -> None:
    jobs = lastro.json("add", "docs/pessoal")["jobs"]
    assert (jobs[0]["label"], jobs[0]["readers"]) == ("internal", ["everyone"])


def test_what_the_command_line_says_wins_over_the_folder(lastro: Lastro) -> None:
    jobs = lastro.json("add", "docs/travel.md", "--label", "public", "--readers", "group:a,user:b")["jobs"]
    assert (jobs[0]["label"], jobs[0]["readers"]) == ("public", ["group:a", "user:b"])
    lastro("documents", "access", jobs[0]["document_id"], "--label", "internal", "--readers", "everyone", code=3)


def test_an_unknown_label_is_wrong_usage_and_nothing_is_added(lastro: Lastro) -> None:
    before = len(lastro.json("jobs", "list")["items"])
    assert lastro.json("add", "docs/travel.md", "--label", "top", code=2)["error"]["code"] == "unknown_label"
    assert len(lastro.json("jobs", "list")["items"]) == before


def test_people_see_the_answer_its_source_and_that_nothing_left(lastro: Lastro, added: list[dict[str, Any]]) -> None:
    lastro("keys", "create", "--user", "ana", "--groups", "people", "--clearance", "internal")
    shown = lastro("ask", "How many days of paid leave does every employee have?", "--as", "ana").stdout
    assert "25 days" in shown
    assert "Leave policy (people/leave.md)" in shown
    assert "Nothing left this machine." in shown


def test_a_question_in_portuguese_is_answered_from_a_portuguese_file(
    lastro: Lastro, added: list[dict[str, Any]]
) -> None:
    answer = lastro.json("ask", "Quantos dias úteis de férias tem cada trabalhador por ano?")
    assert answer["status"] == "answered"
    assert "22 dias" in answer["citations"][0]["quote"]
    assert answer["citations"][0]["uri"].endswith("ferias.md")


def test_who_has_not_the_right_gets_a_refusal_and_exit_code_0(lastro: Lastro, added: list[dict[str, Any]]) -> None:
    lastro("keys", "create", "--user", "ben", "--clearance", "public")
    answer = lastro.json("ask", "How many days of paid leave does every employee have?", "--as", "ben")
    assert (answer["status"], answer["refusal"]["reason"]) == ("refused", "nothing_readable")
    assert "leave.md" not in lastro("search", "paid leave", "--as", "ben").stdout


def test_acting_as_nobody_is_not_allowed(lastro: Lastro) -> None:
    assert lastro.json("ask", "Where?", "--as", "nobody", code=3)["error"]["code"] == "not_allowed"


def test_an_empty_question_is_wrong_usage(lastro: Lastro) -> None:
    assert lastro.json("ask", " ", code=2)["error"]["code"] == "question_invalid"


def test_search_shows_passages_with_their_place(lastro: Lastro, added: list[dict[str, Any]]) -> None:
    found = lastro.json("search", "férias", "--limit", "1")["passages"]
    assert len(found) == 1
    assert "ferias.md" in lastro("search", "férias").stdout


def test_a_document_is_shown_listed_and_deleted(lastro: Lastro) -> None:
    (lastro.folder / "note.txt").write_text("A note about the lift in the northern building.")
    document = lastro.json("add", "note.txt")["jobs"][0]["document_id"]
    assert lastro.json("documents", "show", document)["label"] == "restricted"
    assert document in lastro("documents", "list").stdout
    lastro("documents", "show", document)
    changed = lastro.json("documents", "access", document, "--label", "public", "--readers", "everyone")
    assert changed["readers"] == ["everyone"]
    assert lastro.json("documents", "delete", document) == {"deleted": document}
    assert lastro.json("documents", "show", document, code=3)["error"]["code"] == "not_found"


def test_jobs_are_listed_shown_and_repeated(lastro: Lastro, added: list[dict[str, Any]]) -> None:
    failed = lastro.json("jobs", "list", "--state", "failed")["items"]
    job = next(job for job in failed if job["file"] == "empty.md")["id"]
    assert "empty.md" in lastro("jobs", "list").stdout
    assert "The file is empty." in lastro("jobs", "show", job).stdout
    assert lastro.json("jobs", "retry", job)["state"] in {"queued", "running", "failed"}
    assert lastro.json("jobs", "watch", job, code=1)["state"] == "failed"
    assert lastro.json("jobs", "cancel", job)["state"] == "failed"
    lastro("jobs", "show", "00000000-0000-4000-8000-000000000000", code=3)


def test_keys_and_users_are_made_listed_suspended_and_revoked(lastro: Lastro, monkeypatch: pytest.MonkeyPatch) -> None:
    key = lastro.json("keys", "create", "--user", "eva", "--role", "contributor")["key"]
    listed = next(item for item in lastro.json("keys", "list")["items"] if item["hint"] == key[-4:])
    assert "eva" in lastro("users", "list").stdout
    assert listed["id"] in lastro("keys", "list").stdout
    with monkeypatch.context() as as_eva:
        as_eva.setenv("LASTRO_API_KEY", key)
        lastro("keys", "list", code=3)
        lastro("jobs", "list")
    assert lastro.json("users", "suspend", "eva")["active"] is False
    lastro("users", "resume", "eva")
    assert lastro.json("keys", "revoke", listed["id"]) == {"revoked": listed["id"]}
    monkeypatch.setenv("LASTRO_API_KEY", key)
    assert lastro.json("jobs", "list", code=3)["error"]["code"] == "not_signed_in"


def test_parse_shows_what_the_parser_sees_and_stores_nothing(lastro: Lastro) -> None:
    seen = lastro.json("parse", "docs/travel.md")
    assert seen.keys() == {"text", "media_type", "title", "pages", "warnings"}
    assert "48 euros" in seen["text"]
    assert "48 euros" in lastro("parse", "docs/travel.md").stdout
    assert lastro.json("parse", "docs/empty.md", code=1)["error"]["code"] == "empty_file"


def test_the_doctor_finds_what_is_missing_and_repairs_what_can_be(lastro: Lastro, added: list[dict[str, Any]]) -> None:
    assert lastro.json("doctor") == {"differences": [], "repaired": False}
    assert "agree" in lastro("doctor").stdout
    originals = sorted(path for path in (lastro.folder / "lastro-data" / "originals").rglob("*") if path.is_file())
    kept = {path: path.read_bytes() for path in originals}
    for path in originals:
        path.unlink()
    found = lastro.json("doctor", code=1)["differences"]
    assert {difference["what"] for difference in found} == {"original_missing"}
    assert "original_missing" in lastro("doctor", code=1).stdout
    for path, data in kept.items():
        path.write_bytes(data)
    lastro("doctor", "--repair")


def test_models_are_listed_and_verified(lastro: Lastro) -> None:
    names = {item["name"]: item["path"] for item in lastro.json("models", "list")["items"]}
    assert names["embedder"]
    assert lastro.json("models", "verify", "embedder")["items"] == [{"name": "embedder", "state": "ok"}]
    assert lastro.json("models", "pull", "embedder")["items"][0]["path"] == names["embedder"]
    lastro("models", "list")
    lastro("models", "verify", "no-such-model", code=1)


def test_retrieval_is_measured_on_a_collection_of_one_s_own(lastro: Lastro) -> None:
    folder = lastro.folder / "beir"
    (folder / "qrels").mkdir(parents=True)
    documents = {"d1": LEAVE, "d2": ALLOWANCE}
    lines = (json.dumps({"_id": name, "title": "", "text": text}) for name, text in documents.items())
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q1", "text": "How many days of paid leave?"}))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    shown = lastro("evaluate", "retrieval", "beir", "--json", "out/figures.json").stdout
    figures = json.loads((lastro.folder / "out" / "figures.json").read_text())
    assert "ndcg@10" in shown
    assert (figures["ndcg@10"], figures["n"]) == (1.0, 1)
    assert figures["intervals"]["ndcg@10"] == [1.0, 1.0]
    assert figures.keys() >= {"recall@10", "recall@100", "mrr@10", "query_p50_ms", "query_p95_ms", "passages_per_s"}
    lastro("evaluate", "retrieval", "beir", "--split", "dev", code=1)


def test_help_names_every_command(lastro: Lastro) -> None:
    shown = lastro("--help").stdout
    for name in (
        "init",
        "serve",
        "add",
        "ask",
        "search",
        "parse",
        "documents",
        "jobs",
        "keys",
        "models",
        "evaluate",
        "doctor",
    ):
        assert name in shown

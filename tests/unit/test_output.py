import json

import pytest
import typer
from rich.console import Console

from api.client import Json, Refused
from api.commands import output
from api.commands.ask import one_line, show_answer
from api.commands.output import run, show_json, table
from api.folder import NotInitialised
from api.sections import SettingsInvalid
from ingest.errors import EmptyFile
from retrieval.errors import DataFolderInUse, NotFound, StoreUnavailable, UnknownLabel, WrongEmbedder


def failing(error: Exception):  # type: ignore[no-untyped-def]
    async def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(("error", "code"), [
    (EmptyFile(), 1),
    (WrongEmbedder(), 1),
    (NotInitialised(), 1),
    (SettingsInvalid("x"), 2),
    (UnknownLabel(), 2),
    (NotFound(), 3),
    (StoreUnavailable(), 4),
    (DataFolderInUse(), 4),
    (Refused(400, "c", "m", "r"), 2),
    (Refused(422, "c", "m", "r"), 2),
    (Refused(401, "c", "m", "r"), 3),
    (Refused(403, "c", "m", "r"), 3),
    (Refused(404, "c", "m", "r"), 3),
    (Refused(409, "c", "m", "r"), 1),
    (Refused(413, "c", "m", "r"), 1),
    (Refused(429, "c", "m", "r"), 4),
    (Refused(503, "c", "m", "r"), 4),
])  # fmt: skip
@pytest.mark.parametrize("as_json", [False, True])
def test_every_failure_has_its_exit_code(error: Exception, code: int, as_json: bool) -> None:
    with pytest.raises(typer.Exit) as ended:
        run(failing(error), as_json=as_json)
    assert ended.value.exit_code == code


def test_a_failure_is_told_to_people_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        run(failing(NotFound("No [b]such[/b] thing.")), as_json=False)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "No [b]such[/b] thing." in captured.err
    assert NotFound.remedy in captured.err


def test_a_failure_is_the_one_document_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        run(failing(Refused(404, "not_found", "Nothing.", "Look.")), as_json=True)
    told = {"error": {"code": "not_found", "message": "Nothing.", "remedy": "Look."}}
    assert json.loads(capsys.readouterr().out) == told


def test_what_succeeds_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert run(work, as_json=False) == 7


def test_json_is_one_document_and_keeps_letters(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"título": "férias"})
    assert json.loads(capsys.readouterr().out) == {"título": "férias"}


def test_a_table_through_a_pipe_is_lines_with_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    table("title", ("id", "title"), [("1", "[red]x[/red]\ty\n"), (2, None)])
    assert capsys.readouterr().out == "id\ttitle\n1\t[red]x[/red] y\n2\t\n"


def test_a_table_for_people_shows_its_cells_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "out", Console(force_terminal=True, width=40))
    table("title", ("id", "title"), [("0123456789-0123456789", "[red]x[/red] and words that are too long"), (2, None)])
    shown = capsys.readouterr().out
    assert "0123456789-0123456789" in shown
    assert "[red]x[/red]" in shown
    assert "title" in shown


def answer(**changes: object) -> Json:
    citation = {"n": 1, "title": "Leave [policy]", "uri": "leave.pdf", "page": 3, "quote": "25\ndays"}
    return {
        "status": "answered", "answer": "You have 25 days [1].", "refusal": None, "citations": [citation],
        "confidence": 0.93, "label": "internal", "route": {"place": "local", "model": "extractive", "why": ""},
        "egress": {"left": False, "receipt": None}, "timings_ms": {"total": 1234.5}, **changes,
    }  # fmt: skip


def test_an_answer_shows_text_sources_and_that_nothing_left(capsys: pytest.CaptureFixture[str]) -> None:
    show_answer(answer())
    shown = capsys.readouterr().out
    assert "You have 25 days [1]." in shown
    assert "[1] Leave [policy] (leave.pdf, page 3)" in shown
    assert "“25 days”" in shown
    assert "Made here by extractive in 1.2 s, confidence 0.93, label internal. Nothing left this machine." in shown


def test_a_refusal_shows_its_reason_and_the_nearest_passages(capsys: pytest.CaptureFixture[str]) -> None:
    citations = [{"n": n, "title": "", "uri": f"{n}.txt", "page": None, "quote": "q"} for n in range(1, 6)]
    refusal = {"reason": "not_in_documents", "message": "The documents do not say."}
    show_answer(answer(status="refused", answer=None, refusal=refusal, citations=citations))
    shown = capsys.readouterr().out
    assert "No answer (not_in_documents): The documents do not say." in shown
    assert "Nearest passages:" in shown
    assert "[3] 3.txt (3.txt)" in shown
    assert "4.txt" not in shown


def test_a_refusal_without_passages_says_only_why(capsys: pytest.CaptureFixture[str]) -> None:
    refusal = {"reason": "nothing_readable", "message": "You may read nothing."}
    show_answer(answer(status="refused", refusal=refusal, citations=[]))
    assert "Nearest" not in capsys.readouterr().out


def test_what_left_is_shown_with_its_receipt(capsys: pytest.CaptureFixture[str]) -> None:
    route = {"place": "cloud", "model": "m", "why": ""}
    show_answer(answer(route=route, egress={"left": True, "receipt": "r-7"}))
    assert "in the cloud by m" in (shown := capsys.readouterr().out)
    assert "Left the building: receipt r-7." in shown


def test_a_long_quote_is_cut() -> None:
    assert one_line("a  b\nc", 10) == "a b c"
    assert one_line("x" * 20, 10) == "x" * 9 + "…"

"""The child answers every request, whatever the document does to it."""

import io
import sys
from collections.abc import Callable

import pytest

from ingest.adapters import parser_child, parser_frames, sandbox
from ingest.adapters.formats import Format
from ingest.errors import DamagedFile, EmptyFile, ParserCrashed, ParserOutOfMemory, UnreadableDocument
from ingest.model import ParseLimits
from retrieval.model import ParsedDocument

LIMITS = ParseLimits()


@pytest.fixture(autouse=True)
def clocks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This process must not be ended by the document's clocks."""
    ticks: list[str] = []
    monkeypatch.setattr(sandbox, "start_clocks", lambda limits: ticks.append("start"))
    monkeypatch.setattr(sandbox, "stop_clocks", lambda: ticks.append("stop"))
    return ticks


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Make every reader fail with an error."""

    def failing(error: Exception) -> None:
        class Failing:
            def read(self, data: bytes, limits: ParseLimits) -> ParsedDocument:
                raise error

        monkeypatch.setattr(Format, "reader", lambda self: Failing())

    return failing


def reply(frame: bytes) -> ParsedDocument:
    return parser_frames.read_reply(frame[parser_frames.LENGTH.size :])


def served(*requests: tuple[bytes, str]) -> tuple[int, list[bytes]]:
    replies = io.BytesIO()
    frames = io.BytesIO(b"".join(parser_frames.request(data, name) for data, name in requests))
    status = parser_child.serve(frames, replies, LIMITS)
    replies.seek(0)
    bodies = []
    while head := replies.read(parser_frames.LENGTH.size):
        bodies.append(head + replies.read(parser_frames.LENGTH.unpack(head)[0]))
    return status, bodies


def test_documents_are_answered_in_order_until_the_input_ends() -> None:
    status, frames = served((b"one", "a.txt"), (b"# two", "b.md"), (b"<p>three", "c.html"))
    assert status == 0
    assert [reply(frame).text for frame in frames] == ["one", "two", "three"]


def test_an_unreadable_document_is_answered_too_and_the_next_one_read() -> None:
    _, frames = served((b"", "a.txt"), (b"words", "b.txt"))
    with pytest.raises(EmptyFile):
        reply(frames[0])
    assert reply(frames[1]).text == "words"


def test_the_clocks_run_for_each_document_and_stop_after_it(clocks: list[str]) -> None:
    served((b"one", "a.txt"), (b"", "b.txt"))
    assert clocks == ["start", "start", "stop", "start", "stop"]


@pytest.mark.parametrize("error", [RecursionError(), KeyError("x"), OSError(), ValueError("secret words of the file")])
def test_a_failing_parser_is_named_without_the_document_s_words(
    reader: Callable[[Exception], None], error: Exception
) -> None:
    reader(error)
    with pytest.raises(ParserCrashed) as crash:
        reply(parser_child.parse(b"words", "a.txt", LIMITS))
    assert crash.value.message == f"The parser failed with {type(error).__name__}."


def test_our_own_errors_pass(reader: Callable[[Exception], None]) -> None:
    reader(DamagedFile("Cut off."))
    with pytest.raises(UnreadableDocument, match="Cut off"):
        reply(parser_child.parse(b"words", "a.txt", LIMITS))


def test_a_full_memory_is_reported_and_ends_the_process(reader: Callable[[Exception], None]) -> None:
    reader(MemoryError())
    status, frames = served((b"one", "a.txt"), (b"two", "b.txt"))
    assert status == parser_child.OUT_OF_MEMORY
    assert len(frames) == 1
    with pytest.raises(ParserOutOfMemory):
        reply(frames[0])


def test_main_confines_the_process_before_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "argv", ["parser_child", '{"pages": 3}'])
    monkeypatch.setattr(parser_child.os, "dup", lambda fd: 99)
    monkeypatch.setattr(parser_child.os, "fdopen", lambda fd, mode: io.BytesIO())
    monkeypatch.setattr(parser_child.os, "dup2", lambda fd, over: told.append((fd, over)))
    monkeypatch.setattr(parser_child.tempfile, "tempdir", None)
    monkeypatch.setattr(sandbox, "confine", told.append)

    class Input:
        buffer = io.BytesIO()

    monkeypatch.setattr(sys, "stdin", Input)
    assert parser_child.main() == 0
    assert told == [(2, 1), ParseLimits(pages=3)]

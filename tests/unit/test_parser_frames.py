"""The server believes the parser's process nothing that it cannot check."""

import io

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters import parser_frames
from ingest.errors import DamagedFile, NeedsOcr, ParserCrashed, UnreadableDocument
from retrieval.model import Block, BlockKind, Page, ParsedDocument

DOCUMENT = ParsedDocument(
    text="Head\n\nWords and more.",
    media_type="text/plain",
    title="Head",
    pages=(Page(1, 0, 4), Page(2, 6, 21)),
    blocks=(Block(BlockKind.HEADING, 0, 4, 1), Block(BlockKind.TEXT, 6, 21)),
    warnings=("one", "two"),
)


def body(frame: bytes) -> bytes:
    length = parser_frames.LENGTH.unpack_from(frame)[0]
    assert len(frame) == parser_frames.LENGTH.size + length
    return frame[parser_frames.LENGTH.size :]


def changed(**values: object) -> bytes:
    message = msgpack.unpackb(body(parser_frames.parsed(DOCUMENT)))
    packed: bytes = msgpack.packb({**message, **values})
    return packed


def test_a_document_comes_back_as_it_went() -> None:
    assert parser_frames.read_reply(body(parser_frames.parsed(DOCUMENT))) == DOCUMENT


@pytest.mark.parametrize("error", [DamagedFile("The PDF is cut off."), NeedsOcr()])
def test_an_error_comes_back_with_its_class_and_message(error: UnreadableDocument) -> None:
    with pytest.raises(type(error)) as caught:
        parser_frames.read_reply(body(parser_frames.failed(error)))
    assert caught.value.message == error.message
    assert caught.value.hint == error.hint


def test_every_error_of_ours_can_be_sent() -> None:
    assert len(parser_frames.ERRORS) >= 14
    assert all(code == error.code for code, error in parser_frames.ERRORS.items())


@given(st.binary(max_size=100), st.text(alphabet=st.characters()))
def test_any_bytes_under_any_name_arrive(data: bytes, name: str) -> None:
    stream = io.BytesIO(parser_frames.request(data, name) * 2)
    assert parser_frames.read_request(stream) == (data, name)
    assert parser_frames.read_request(stream) == (data, name)
    assert parser_frames.read_request(stream) is None


def test_a_name_with_half_a_character_arrives() -> None:
    name = "bad\udcff\ud800.txt"
    assert parser_frames.read_request(io.BytesIO(parser_frames.request(b"x", name))) == (b"x", name)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\xc1",
        msgpack.packb([1, 2]),
        msgpack.packb({}),
        msgpack.packb({"error": "no_such_code", "message": "x"}),
        msgpack.packb({"error": "empty_file"}),
        changed(text=""),
        changed(text=" \n "),
        changed(pages=[(1, 0, 99)]),
        changed(pages=[(1, -1, 3)]),
        changed(blocks=[("text", 9, 3, 0)]),
        changed(blocks=[("picture", 0, 3, 0)]),
        changed(blocks=[("text", 0)]),
        changed(pages=7),
        changed(warnings=None),
        body(parser_frames.parsed(DOCUMENT))[:-1],
    ],
)
def test_an_answer_that_makes_no_sense_is_a_crash(reply: bytes) -> None:
    with pytest.raises(ParserCrashed, match="no sense"):
        parser_frames.read_reply(reply)


@given(st.binary(max_size=200))
def test_no_answer_raises_anything_but_our_errors(reply: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        parser_frames.read_reply(reply)

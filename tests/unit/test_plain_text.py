"""Plain text keeps its layout and loses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters.plain_text import read
from ingest.errors import NoTextFound
from ingest.model import ParseLimits
from retrieval.model import BlockKind

LIMITS = ParseLimits()


def test_paragraphs_are_what_blank_lines_separate() -> None:
    parsed = read(b"One line\nand another.\r\n \t\r\n\r\nSecond paragraph.\n", LIMITS)
    assert parsed.text == "One line\nand another.\n\nSecond paragraph."
    assert [block.kind for block in parsed.blocks] == [BlockKind.TEXT, BlockKind.TEXT]
    assert parsed.media_type == "text/plain"
    assert (parsed.title, parsed.pages, parsed.warnings) == ("", (), ())


def test_columns_set_with_spaces_stay() -> None:
    table = "name      age\nAna        30"
    assert read(table.encode(), LIMITS).text == table


@pytest.mark.parametrize("data", [b" \n\t ", b"\xef\xbb\xbf", "\u200b\u200b".encode()])
def test_text_without_a_visible_character_is_an_error(data: bytes) -> None:
    with pytest.raises(NoTextFound):
        read(data, LIMITS)


def test_hidden_characters_are_reported() -> None:
    assert read("pay\u200bment".encode(), LIMITS).warnings == ("invisible characters removed: 1",)


def test_one_line_of_a_megabyte_is_one_block() -> None:
    assert len(read(b"word " * 200_000, LIMITS).blocks) == 1


@given(st.text(alphabet="ab .\n\r\t", max_size=200))
def test_every_word_comes_out_in_order(text: str) -> None:
    if text.strip():
        assert read(text.encode(), LIMITS).text.split() == text.split()

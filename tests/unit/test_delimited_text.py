"""Rows and columns come out right, whatever separates them and however they are encoded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters.delimited_text import read, separator
from ingest.errors import DamagedFile, NoTextFound
from ingest.model import ParseLimits
from retrieval.model import BlockKind

LIMITS = ParseLimits()


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "cp1252"])
def test_rows_become_one_table(mark: str, charset: str) -> None:
    text = "\r\n".join(mark.join(row) for row in [("Estado", "Sigla"), ("Maranhão", "MA"), ("Ceará", "CE")])
    parsed = read(text.encode(charset), LIMITS)
    assert parsed.text == "| Estado | Sigla |\n| --- | --- |\n| Maranhão | MA |\n| Ceará | CE |"
    assert [block.kind for block in parsed.blocks] == [BlockKind.TABLE]
    assert parsed.media_type == "text/csv"


def test_quoted_fields_may_hold_separators_and_quotes() -> None:
    assert read(b'name,said\nAna,"Yes, ""maybe"""\n', LIMITS).text.splitlines()[2] == '| Ana | Yes, "maybe" |'


def test_commas_inside_numbers_do_not_win_over_semicolons() -> None:
    assert separator("produto;valor\ncafé;1,50\nchá;2,10\nmel, puro;9,90\n") == ";"
    assert separator("one\ntwo\n") in ",;\t|"
    assert separator("") in ",;\t|"


def test_japanese_of_windows_is_read() -> None:
    assert "佐藤太郎" in read("名前,年齢,住所\n佐藤太郎,30,東京\n".encode("cp932"), LIMITS).text


def test_one_column_is_text_and_empty_rows_are_left_out() -> None:
    parsed = read(b"first\n\n , \nsecond\n", LIMITS)
    assert parsed.text == "first\n\n| second" if parsed.blocks[0].kind is BlockKind.TABLE else "first\nsecond"
    assert read(b"first\nsecond\n", LIMITS).text == "first\nsecond"


def test_formulas_stay_words() -> None:
    assert "=cmd" in read(b"a,b\n=cmd|' /C calc'!A0,plain row\n", LIMITS).text


def test_a_file_without_a_filled_field_holds_no_text() -> None:
    for data in (b",,\n,,\n", b"\n", b'""'):
        with pytest.raises(NoTextFound):
            read(data, LIMITS)


def test_a_field_longer_than_the_module_s_own_limit_is_read() -> None:
    assert len(read(b"a,b\n" + b"x" * 200_000 + b",y\n", LIMITS).text) > 200_000


def test_an_error_of_the_module_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.adapters.delimited_text.LONGEST_FIELD", 10)
    with pytest.raises(DamagedFile):
        read(b"\n" * 3 + b"a,b\n" * 30 + b"x" * 100 + b",y\n", LIMITS)


@given(
    st.lists(st.lists(st.text(alphabet="abc", min_size=1, max_size=4), min_size=2, max_size=4), min_size=1, max_size=6)
)
def test_every_field_comes_out_in_order(rows: list[list[str]]) -> None:
    parsed = read("\n".join(";".join(row) for row in rows).encode(), LIMITS)
    lines = [line for line in parsed.text.split("\n") if "---" not in line]
    assert [line.strip("| ").split(" | ") for line in lines] == rows

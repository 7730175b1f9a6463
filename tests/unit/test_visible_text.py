"""The stored text holds what people see, and nothing they do not."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters.visible_text import clean, one_line


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("one\r\ntwo", "one\ntwo"),
        ("one\rtwo", "one\ntwo"),
        ("one\u2028two\u2029three", "one\ntwo\nthree"),
        ("one\x0btwo\x0cthree\x85four", "one\ntwo\nthree\nfour"),
        ("10\u00a0000\u202feuro", "10 000 euro"),
        ("nul\x00l and \x07bell", "null and bell"),
        ("hy\u00adphen", "hyphen"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_line_ends_spaces_and_controls_become_plain(written: str, stored: str) -> None:
    assert clean(written) == (stored, 0)


@pytest.mark.parametrize(
    ("written", "stored", "removed"),
    [
        ("H\u200bI\u200bD", "HID", 2),
        ("word\ufeffs", "words", 1),
        ("a\u2060b\u180ec", "abc", 2),
        ("see \U000e0069\U000e0067nothing", "see nothing", 2),
        ("abc\u202edcba\u202c", "abcdcba", 2),
        ("smuggled\U000e0101\ufe01", "smuggled", 2),
        ("pass\u200dword", "password", 1),
        ("\u200cstart", "start", 1),
    ],
)
def test_what_nobody_sees_is_removed_and_counted(written: str, stored: str, removed: int) -> None:
    assert clean(written) == (stored, removed)


@pytest.mark.parametrize("text", ["👩\u200d🔬 in the lab", "می\u200cخواهم", "❤\ufe0f", "नमस्\u200dते"])
def test_joiners_that_shape_other_scripts_and_emoji_stay(text: str) -> None:
    assert clean(text) == (unicodedata.normalize("NFC", text), 0)


def test_letters_and_their_accents_become_one_character() -> None:
    assert clean("ação") == ("ação", 0)


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once, _ = clean(text)
    assert clean(once) == (once, 0)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_ascii_is_left_alone(text: str) -> None:
    assert clean(text) == (text, 0)


@given(st.text())
def test_the_result_can_be_stored_as_utf_8(text: str) -> None:
    cleaned, removed = clean(text)
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert "\0" not in cleaned
    assert "\r" not in cleaned
    assert removed >= 0


def test_a_line_has_single_spaces_and_none_at_its_ends() -> None:
    assert one_line("  a \n\t b\r\n c ") == "a b c"
    assert one_line(" \n ") == ""

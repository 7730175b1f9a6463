"""Texts are cut where people would cut them."""

import pytest

from serving.sentences import sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("  \n ", []),
        ("No stop at the end", ["No stop at the end"]),
        ("One here. Two there! Three? Four.", ["One here.", "Two there!", "Three?", "Four."]),
        ("Dr. Silva and Eng. Costa agree. Yes.", ["Dr. Silva and Eng. Costa agree.", "Yes."]),
        ("J. Costa signs. Art. 5 holds.", ["J. Costa signs.", "Art. 5 holds."]),
        ("Pays 3.5 percent. É certo.", ["Pays 3.5 percent.", "É certo."]),
        ('He said "no." (She did.) Then', ['He said "no."', "(She did.)", "Then"]),
        ("A line\nthat goes on. Next", ["A line\nthat goes on.", "Next"]),
        ("Heading\n\nText", ["Heading", "Text"]),
        ("# Title\nText of it", ["# Title", "Text of it"]),
        ("Intro:\n- one\n- two\n1. three\na) four", ["Intro:", "- one", "- two", "1. three", "a) four"]),
        ("| a | b |\n| 1 | 2 |\nAfter", ["| a | b |", "| 1 | 2 |", "After"]),
        ("ends in lower case. like this", ["ends in lower case. like this"]),
        ("Costs rose. 25 days", ["Costs rose.", "25 days"]),
    ],
)
def test_a_text_is_cut_into_sentences_items_and_rows(text: str, pieces: list[str]) -> None:
    assert cut(text) == pieces


def test_a_stop_after_no_word_ends_a_sentence() -> None:
    assert sentences("It cost 5 %. Then more.") == ["It cost 5 %.", "Then more."]


def test_no_break_is_seen_across_a_very_long_word() -> None:
    text = f"{'x' * 10_000}. Next one."
    assert sentences(text) == [f"{'x' * 10_000}.", "Next one."]


def test_a_stop_after_no_word_ends_a_sentence() -> None:
    assert sentences("It cost 5 %. Then more.") == ["It cost 5 %.", "Then more."]


def test_no_break_is_missed_after_a_very_long_word() -> None:
    text = f"{'x' * 10_000}. Next one."
    assert sentences(text) == [f"{'x' * 10_000}.", "Next one."]

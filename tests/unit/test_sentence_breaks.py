"""Chunks end where sentences do, in both languages."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sentence_breaks import line_starts, sentence_starts


def sentences(text: str) -> list[str]:
    cuts = [0, *sentence_starts(text, 0, len(text)), len(text)]
    return [text[start:end].strip() for start, end in pairwise(cuts)]


@pytest.mark.parametrize(
    "expected",
    [
        ["One sentence.", "Another one!", "A third?", "Done."],
        ["He left.", '"Why?" she asked.'],
        ["São trinta dias.", "É possível vender dez.", "À noite, não."],
        ["It ended…", "Then it began."],
        ["(It was late.)", "They left."],
        ["Version 2.", "3 files follow."],
        ["First paragraph without a stop\n\n", "second one"],
        ["O prazo é de 5 dias.", "§ 2º do contrato."],
    ],
)
def test_sentences_end_where_readers_end_them(expected: list[str]) -> None:
    expected = [sentence.strip() for sentence in expected]
    joined = "\n\n".join(expected) if "paragraph" in expected[0] else " ".join(expected)
    assert sentences(joined) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Silva and Mrs. Jones agreed.",
        "O art. 5º e a Sra. Lima concordam.",
        "See p. 12 and fig. 3 for more.",
        "Conforme o n. 3 do inc. II.",
        "Signed by J. Smith.",
        "Costs 3.50 euros, i.e. little.",
        "It uses e.g. Word.",
        "Ask at example.org or call.",
        "no capital. after the stop",
        "Acme Ltda. São Paulo",
    ],
)
def test_abbreviations_numbers_and_names_end_none(text: str) -> None:
    assert sentences(text) == [text]


def test_only_the_stretch_asked_for_is_searched() -> None:
    text = "One. Two. Three. Four."
    assert sentence_starts(text, 5, 15) == [10]
    assert line_starts("a\nb\n\nc\n", 0, 7) == [2, 5]
    assert line_starts("a\nb\n\nc\n", 2, 5) == []


@given(st.text(alphabet="Ab. \n!?", max_size=80))
def test_positions_ascend_inside_the_text(text: str) -> None:
    for starts in (sentence_starts(text, 0, len(text)), line_starts(text, 0, len(text))):
        assert starts == sorted(set(starts))
        assert all(0 < start < len(text) for start in starts)


def test_a_stop_after_no_word_ends_a_sentence() -> None:
    assert sentences("It cost 5 %. Then more.") == ["It cost 5 %.", "Then more."]


def test_no_break_is_missed_after_a_very_long_word() -> None:
    text = f"{'x' * 10_000}. Next one."
    assert sentences(text) == [f"{'x' * 10_000}.", "Next one."]

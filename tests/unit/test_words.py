"""Words are compared without case, accents and inflection."""

import pytest

from serving.words import NEGATIONS, content, content_stems, fold, stem, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Férias", "ferias"),
        ("reembolsos", "reembolsar"),
        ("aprovação", "aprovado"),
        ("organizações", "organização"),
        ("policies", "policy"),
        ("approved", "approves"),
        ("days", "day"),
        ("úteis", "útil"),
        ("company's", "company"),
        ("founded", "founds"),
        ("running", "run"),
    ],
)
def test_inflections_of_a_word_have_one_stem(one: str, other: str) -> None:
    assert stem(fold(one)) == stem(fold(other))


@pytest.mark.parametrize(
    ("one", "other"), [("meal", "mail"), ("25", "26"), ("contrato", "contador"), ("RF-203", "RF-204")]
)
def test_different_words_keep_different_stems(one: str, other: str) -> None:
    assert content_stems(one) != content_stems(other)


def test_contractions_are_negations() -> None:
    assert all(fold(word) in NEGATIONS["en"] for word in ("isn't", "can’t", "No", "Never"))
    assert all(fold(word) in NEGATIONS["pt"] for word in ("não", "Nunca", "sem"))


def test_no_denies_in_english_only() -> None:
    assert "no" in NEGATIONS["en"]
    assert "no" not in NEGATIONS["pt"]


def test_short_words_and_words_with_digits_stay_as_they_are() -> None:
    assert [stem(word) for word in ("bus", "as", "b2b", "2025s")] == ["bus", "as", "b2b", "2025s"]


def test_a_word_knows_its_place_in_the_text() -> None:
    text = "A política, enfim: 25 dias!"
    assert [text[word.start : word.end] for word in words(text)] == ["A", "política", "enfim", "25", "dias"]


def test_stop_words_and_negations_say_nothing() -> None:
    assert [word.folded for word in content("What is not allowed in the Lisbon office?")] == [
        "allowed",
        "lisbon",
        "office",
    ]
    assert content("Quanto é que eu tenho?") == []

"""What the terms of a text promise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.adapters.bm25 import MEAN_TERMS, B, Bm25Encoder, K
from retrieval.model import Language, SparseVector
from retrieval.ports import SparseEncoder

LANGUAGES: list[Language] = ["en", "pt"]
TEXTS = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from(["férias", "holiday", "days", "22", "de"])).map(" ".join)
)


@pytest.fixture(scope="module")
def encoder() -> SparseEncoder:
    return Bm25Encoder()


def terms(vector: SparseVector) -> set[int]:
    return set(vector.indices)


@given(text=TEXTS, language=st.sampled_from(LANGUAGES))
def test_terms_ascend_and_have_positive_weights(encoder: SparseEncoder, text: str, language: Language) -> None:
    for vector in (encoder.encode_passage(text, language), encoder.encode_query(text, [language])):
        assert list(vector.indices) == sorted(terms(vector))
        assert all(value > 0 for value in vector.values)


@given(text=TEXTS, language=st.sampled_from(LANGUAGES))
def test_a_question_has_the_terms_of_the_same_passage_each_once(
    encoder: SparseEncoder, text: str, language: Language
) -> None:
    question = encoder.encode_query(text, [language])
    assert terms(question) == terms(encoder.encode_passage(text, language))
    assert set(question.values) <= {1.0}


@given(text=TEXTS)
def test_a_question_in_both_languages_has_the_terms_of_each(encoder: SparseEncoder, text: str) -> None:
    both = encoder.encode_query(text, LANGUAGES)
    english, portuguese = (terms(encoder.encode_query(text, [language])) for language in LANGUAGES)
    assert terms(both) == english | portuguese
    assert set(both.values) <= {1.0}
    assert encoder.encode_query(text, LANGUAGES[::-1]) == both


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("pt", "férias", "ferias"),
        ("pt", "trabalhadores", "trabalhador"),
        ("pt", "AÇÃO", "ação"),
        ("pt", "fe\u0301rias", "férias"),
        ("en", "vacations", "vacation"),
        ("en", "Working", "works"),
    ],
)
def test_forms_of_a_word_are_one_term(encoder: SparseEncoder, language: Language, one: str, other: str) -> None:
    assert terms(encoder.encode_passage(one, language)) == terms(encoder.encode_query(other, [language])) != set()


@pytest.mark.parametrize(
    ("language", "text"), [("en", "the of and to"), ("pt", "de a o que e"), ("en", ""), ("pt", " \n")]
)
def test_stop_words_and_blanks_are_no_terms(encoder: SparseEncoder, language: Language, text: str) -> None:
    assert encoder.encode_passage(text, language) == SparseVector((), ())


def test_no_language_gives_no_terms(encoder: SparseEncoder) -> None:
    assert encoder.encode_query("holiday", []) == SparseVector((), ())


@pytest.mark.parametrize("count", [1, 2, 5, 50])
def test_weights_are_those_of_the_formula(encoder: SparseEncoder, count: int) -> None:
    (weight,) = encoder.encode_passage("holiday " * count, "en").values
    assert weight == pytest.approx(count * (K + 1) / (count + K * (1 - B + B * count / MEAN_TERMS)), rel=1e-4)


def test_a_word_weighs_less_in_a_longer_passage(encoder: SparseEncoder) -> None:
    short = encoder.encode_passage("holiday", "en")
    long = encoder.encode_passage("holiday " + " ".join(f"word{n}" for n in range(300)), "en")
    assert dict(zip(long.indices, long.values, strict=True))[short.indices[0]] < short.values[0]


def test_half_a_surrogate_pair_does_no_harm(encoder: SparseEncoder) -> None:
    assert terms(encoder.encode_passage("holiday \ud83d", "en")) >= terms(encoder.encode_query("holiday", ["en"]))


def test_the_identity_changes_with_everything_that_changes_a_weight(encoder: SparseEncoder) -> None:
    assert encoder.identity == Bm25Encoder().identity
    for part in ("bm25", f"k={K}", f"b={B}", "mean=100", "en+pt", "folded", "qdrant-edge 0."):
        assert part in encoder.identity

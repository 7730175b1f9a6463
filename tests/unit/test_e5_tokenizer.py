import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.adapters.e5_tokenizer import BEGIN, END, UNKNOWN, E5Tokenizer, build_tokenizer
from retrieval.adapters.e5_weights import E5Shape, E5Weights

WORDS = ["▁holiday", "▁s", "day", "s", "e", "é", "▁fim", "<", ">", "/", *"adkmnpu"]
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁", *WORDS, "<mask>")


@pytest.fixture(scope="module")
def definition() -> str:
    shape = E5Shape(4, 1, 1, 4, len(PIECES), 8, 1e-12)
    scores = (0.0, 0.0, 0.0, 0.0, -3.0, *(-float(n) for n in range(1, len(WORDS) + 1)), 0.0)
    return build_tokenizer(E5Weights(shape, PIECES, scores, {"none": np.zeros(1, np.float32)}))


@pytest.fixture(scope="module")
def tokenizer(definition: str) -> E5Tokenizer:
    return E5Tokenizer(definition)


def words(tokenizer: E5Tokenizer, text: str) -> list[str]:
    return [PIECES[n] for n in tokenizer.ids(text, 512)]


def test_a_text_stands_between_begin_and_end(tokenizer: E5Tokenizer) -> None:
    assert words(tokenizer, "holiday") == ["<s>", "▁holiday", "</s>"]
    assert tokenizer.ids("", 512) == [BEGIN, END]


@pytest.mark.parametrize("special", ["<s>", "</s>", "<mask>", "<unk>", "<pad>"])
def test_a_special_piece_written_in_a_text_is_plain_text(tokenizer: E5Tokenizer, special: str) -> None:
    inside = tokenizer.ids(f"holiday {special} fim", 512)[1:-1]
    assert not {0, 1, 2, PIECES.index("<mask>")} & set(inside)


def test_no_special_token_is_added_to_the_definition(definition: str) -> None:
    assert json.loads(definition)["added_tokens"] == []


@pytest.mark.parametrize(("limit", "expected"), [(4, 4), (5, 5), (6, 6), (7, 6), (512, 6)])
def test_a_long_text_is_cut_and_still_ends(tokenizer: E5Tokenizer, limit: int, expected: int) -> None:
    ids = tokenizer.ids("holiday holiday holiday holiday", limit)
    assert len(ids) == min(limit, expected)
    assert (ids[0], ids[-1]) == (BEGIN, END)


def test_forms_of_a_character_are_one(tokenizer: E5Tokenizer) -> None:
    assert words(tokenizer, "ﬁm") == words(tokenizer, "fim")
    assert words(tokenizer, "s e\u0301") == words(tokenizer, "s é")
    assert words(tokenizer, "s   s") == words(tokenizer, "s s")


def test_an_accent_of_its_own_lies_in_the_span_of_its_letter(tokenizer: E5Tokenizer) -> None:
    assert tokenizer.offsets("fime\u0301s") == [(0, 3), (3, 5), (5, 6)]


def test_what_the_vocabulary_lacks_is_unknown_but_has_its_place(tokenizer: E5Tokenizer) -> None:
    assert UNKNOWN in tokenizer.ids("日", 512)
    assert tokenizer.offsets("fim 日")[-1] == (4, 5)


@given(text=st.text(alphabet=st.characters(exclude_categories=()), max_size=60))
def test_spans_lie_in_the_text_and_never_go_back(tokenizer: E5Tokenizer, text: str) -> None:
    spans = tokenizer.offsets(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)
    assert len(spans) + 2 == len(tokenizer.ids(text, 10_000))

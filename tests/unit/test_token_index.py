"""Counting tokens in a stretch agrees with tokenizing it."""

from collections.abc import Sequence
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from ingest import token_index
from ingest.token_index import TokenIndex
from retrieval.adapters.memory_encoders import WordTokenizer


def test_a_token_counts_where_it_is_touched() -> None:
    index = TokenIndex("one two, three", WordTokenizer())
    assert index.count(0, 14) == 4
    assert index.count(0, 3) == 1
    assert index.count(1, 2) == 1
    assert index.count(2, 5) == 2
    assert index.count(3, 4) == 0
    assert index.count(8, 8) == 0


def test_reach_is_where_one_more_token_would_begin() -> None:
    text = "one two, three"
    index = TokenIndex(text, WordTokenizer())
    assert text[: index.reach(0, 2)] == "one two"
    assert text[4 : index.reach(4, 2)] == "two, "
    assert index.reach(0, 99) == len(text)
    assert TokenIndex("", WordTokenizer()).reach(0, 5) == 0


class Recording(WordTokenizer):
    def __init__(self) -> None:
        self.lengths: list[int] = []

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        self.lengths.append(len(text))
        return super().offsets(text)


def test_a_long_text_is_given_in_pieces_cut_between_words() -> None:
    text = "some words to count\n" * 50
    with patch.object(token_index, "PIECE", 100), patch.object(token_index, "LOOK_BACK", 50):
        tokenizer = Recording()
        index = TokenIndex(text, tokenizer)
    assert max(tokenizer.lengths) <= 100
    assert sum(tokenizer.lengths) == len(text)
    assert index.count(0, len(text)) == 200


def test_a_line_without_end_is_cut_anywhere() -> None:
    with patch.object(token_index, "PIECE", 100), patch.object(token_index, "LOOK_BACK", 50):
        tokenizer = Recording()
        TokenIndex("x" * 250, tokenizer)
    assert tokenizer.lengths == [100, 100, 50]


@given(st.text(alphabet="ab ,\n", max_size=60), st.data())
def test_a_stretch_between_words_has_the_tokens_that_its_text_has(text: str, data: st.DataObject) -> None:
    index = TokenIndex(text, WordTokenizer())
    borders = [n for n in range(len(text) + 1) if n in (0, len(text)) or text[n - 1].isspace() or text[n].isspace()]
    start = data.draw(st.sampled_from(borders))
    end = data.draw(st.sampled_from([n for n in borders if n >= start]))
    assert index.count(start, end) == len(WordTokenizer().offsets(text[start:end]))
    tokens = data.draw(st.integers(1, 20))
    assert index.count(start, index.reach(start, tokens)) <= tokens

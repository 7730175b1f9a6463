"""Thinking is told from text wherever the pieces of the stream are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.adapters.thinking import ThinkingSplitter
from serving.model import ReasoningDelta, TextDelta


def split(pieces: list[str]) -> tuple[str, str]:
    splitter = ThinkingSplitter()
    deltas = [delta for piece in pieces for delta in splitter.feed(piece)] + [*splitter.flush()]
    assert all(delta.text for delta in deltas)
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return text, "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))


@pytest.mark.parametrize(
    ("whole", "text", "thinking"),
    [
        ("plain", "plain", ""),
        ("<think>hm</think>so", "so", "hm"),
        ("a<think>b</think>c<think>d</think>e", "ace", "bd"),
        ("<think>never closed", "", "never closed"),
        ("no opening</think>", "no opening</think>", ""),
        ("<think></think>", "", ""),
        ("a < b <thin> c", "a < b <thin> c", ""),
        ("ends with <thi", "ends with <thi", ""),
        ("<think>ends with </thi", "", "ends with </thi"),
        ("", "", ""),
    ],
)
def test_marks_divide_text_from_thinking(whole: str, text: str, thinking: str) -> None:
    assert split([whole]) == (text, thinking)
    assert split(list(whole)) == (text, thinking)


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "think>", "/", "a", " b"]), max_size=12),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_where_the_stream_is_cut_does_not_matter(parts: list[str], cuts: list[int]) -> None:
    whole = "".join(parts)
    ends = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[start:end] for start, end in pairwise(ends)]
    assert split(pieces) == split([whole])


def test_text_is_not_held_back_longer_than_needed() -> None:
    splitter = ThinkingSplitter()
    assert list(splitter.feed("hello <")) == [TextDelta("hello ")]
    assert list(splitter.feed("b")) == [TextDelta("<b")]
    assert list(splitter.flush()) == []

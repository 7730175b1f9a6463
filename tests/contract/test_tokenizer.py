"""What every tokenizer promises about the spans of its tokens."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retrieval.adapters.memory_encoders import WordTokenizer
from retrieval.adapters.model_files import FolderModelFiles
from retrieval.adapters.onnx_encoder import load_tokenizer
from retrieval.ports import Tokenizer

# Accents of their own, ligatures, compatibility forms, joined emoji, odd blanks, half pairs, special pieces.
PARTS = [
    "fe\u0301rias",
    "ﬁm",
    "½",
    "①②",
    "👩‍👩‍👧",
    "🇵🇹",
    "\u00a0",
    "\u200b",
    "\ufeff",
    "\ud800",
    "</s>",
    "▁",
    "㎏",
    "ﷺ",
    "\u0301",
    "\r\n",
    "日本語",
]
TEXTS = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=8))).map("".join)


@pytest.fixture(params=["words", pytest.param("e5", marks=pytest.mark.models)])
def tokenizer(request: pytest.FixtureRequest, model_cache: Path) -> Tokenizer:
    if request.param == "words":
        return WordTokenizer()
    folder = FolderModelFiles(model_cache).present("embedder")
    if folder is None:
        pytest.skip("the embedder was not fetched: lastro models pull embedder")
    return load_tokenizer(folder)


kept = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)


@kept
@given(text=TEXTS)
@example(text="fe\u0301rias de  vera\u0303o, ½ ﬁm</s>")
def test_spans_lie_in_the_text_and_never_go_back(tokenizer: Tokenizer, text: str) -> None:
    before = (0, 0)
    for start, end in tokenizer.offsets(text):
        assert 0 <= start < end <= len(text)
        assert start >= before[0]
        assert end >= before[1]
        before = (start, end)


@kept
@given(text=st.text(alphabet="abc ãéíôç,.?!\n-(1/", max_size=80))
def test_every_character_of_plain_text_but_blanks_is_in_a_token(tokenizer: Tokenizer, text: str) -> None:
    covered = {n for start, end in tokenizer.offsets(text) for n in range(start, end)}
    assert {n for n, character in enumerate(text) if not character.isspace()} <= covered


def test_the_spans_are_those_of_the_words(tokenizer: Tokenizer) -> None:
    text = "22 dias de férias"
    assert [text[start:end] for start, end in tokenizer.offsets(text)] == ["22", "dias", "de", "férias"]


def test_spans_count_characters_not_bytes(tokenizer: Tokenizer) -> None:
    text = "👩 ação final"
    assert [text[start:end] for start, end in tokenizer.offsets(text)][-1] == "final"


def test_blank_text_has_no_tokens(tokenizer: Tokenizer) -> None:
    assert list(tokenizer.offsets(" \n\t ")) == []
    assert list(tokenizer.offsets("")) == []


def test_a_longer_text_has_more_tokens_and_is_never_cut(tokenizer: Tokenizer) -> None:
    spans = tokenizer.offsets("palavra outra " * 3000)
    assert len(spans) >= 6000
    assert spans[-1][1] >= 3000 * 14 - 1

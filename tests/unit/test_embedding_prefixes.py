import pytest

from retrieval.adapters.embedding_prefixes import Prefixes, prefixes_for

E5 = Prefixes("query: ", "passage: ")


@pytest.mark.parametrize(
    "model",
    [
        "intfloat/multilingual-e5-small",
        "/models/e5-large-v2/",
        "Multilingual_E5_Base",
        "portuguese-multilingual-e5-small",
    ],
)
def test_e5_gets_its_two_words(model: str) -> None:
    assert prefixes_for(model) == E5


@pytest.mark.parametrize(
    "model",
    ["BAAI/bge-m3", "Qwen/Qwen3-Embedding-0.6B", "intfloat/multilingual-e5-large-instruct", "e5/all-MiniLM", ""],
)
def test_other_models_get_none(model: str) -> None:
    assert prefixes_for(model) == Prefixes("", "")

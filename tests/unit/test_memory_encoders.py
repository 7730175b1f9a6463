import numpy as np
import pytest

from retrieval.adapters.memory_encoders import MemoryEmbedder, MemoryTranslator, WordTokenizer


async def test_texts_are_similar_as_far_as_they_share_words() -> None:
    embedder = MemoryEmbedder()
    question, same, half, other = await embedder.embed_queries(["red car", "Car: red!", "red bus", "green bus"])
    assert question @ same == pytest.approx(1)
    assert question @ same > question @ half > question @ other


async def test_vectors_are_the_same_in_every_process() -> None:
    (vector,) = await MemoryEmbedder(4).embed_queries(["lastro"])
    assert vector == pytest.approx([0.00596, -0.73213, 0.16312, 0.66132], abs=1e-5)
    assert np.array_equal((await MemoryEmbedder(4).embed_passages(["lastro"]))[0], vector)


async def test_another_name_stands_for_another_model() -> None:
    assert MemoryEmbedder(name="other").identity != MemoryEmbedder().identity


def test_words_and_marks_are_tokens() -> None:
    assert WordTokenizer().offsets("Olá, mundo") == [(0, 3), (3, 4), (5, 10)]


async def test_what_is_not_in_the_dictionary_stays() -> None:
    translator = MemoryTranslator({"days": "dias", "day": "dias"})
    assert await translator.translate("22 days (now)", "en", "pt") == "22 dias (now)"
    assert await translator.translate("22 dias (agora)", "pt", "en") == "22 days (agora)"

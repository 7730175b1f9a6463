"""Questions in the languages of the library."""

import numpy as np
import pytest
from structlog.testing import capture_logs

from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.memory_encoders import MemoryEmbedder, MemoryTranslator
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.errors import TemporaryFailure
from retrieval.model import Language
from retrieval.questions import QuestionEncoder

ENGLISH = "How many vacation days do the employees get?"
WORDS = {"vacation": "férias", "days": "dias", "employees": "empregados", "how": "quantos", "many": "", "the": "os"}


class NoTranslator:
    async def translate(self, text: str, source: Language, target: Language) -> str:
        raise TemporaryFailure


def encoder(translator: object = None) -> QuestionEncoder:
    return QuestionEncoder(
        embedder=MemoryEmbedder(),
        sparse=Bm25Encoder(),
        detector=WordEvidenceDetector(),
        translator=translator,  # type: ignore[arg-type]
    )


async def test_in_its_own_language_a_question_has_one_form() -> None:
    (form,) = await encoder(MemoryTranslator(WORDS)).encode(ENGLISH, {"en"})
    assert form.sparse == Bm25Encoder().encode_query(ENGLISH, ["en"])
    assert np.array_equal(form.dense, (await MemoryEmbedder().embed_queries([ENGLISH]))[0])
    assert form.weight == 1.0


@pytest.mark.parametrize("present", [{"pt"}, {"en", "pt"}])
async def test_the_other_language_adds_a_form_that_counts_a_little_less(present: set[Language]) -> None:
    translator = MemoryTranslator(WORDS)
    forms = await encoder(translator).encode(ENGLISH, present)
    translation = await translator.translate(ENGLISH, "en", "pt")
    vectors = await MemoryEmbedder().embed_queries([ENGLISH, translation])
    assert np.array_equal(np.stack([form.dense for form in forms]), vectors)
    bm25 = Bm25Encoder()
    terms = [bm25.encode_query(ENGLISH, ["en"]), bm25.encode_query(translation, ["pt"])]
    assert [form.sparse for form in forms] == terms
    assert forms[0].weight > forms[1].weight > 0


async def test_a_portuguese_question_is_translated_into_english() -> None:
    forms = await encoder(MemoryTranslator(WORDS)).encode("Quantos dias de férias os empregados recebem?", {"en"})
    assert forms[1].sparse == Bm25Encoder().encode_query("how days de vacation the employees recebem?", ["en"])


@pytest.mark.parametrize(("present", "translator"), [(set(), MemoryTranslator(WORDS)), ({"pt"}, None)])
async def test_without_texts_or_translator_a_question_stays_as_it_was_asked(
    present: set[Language], translator: object
) -> None:
    assert len(await encoder(translator).encode(ENGLISH, present)) == 1


async def test_a_translator_that_fails_stops_no_search_and_is_logged_without_the_text() -> None:
    with capture_logs() as logs:
        (form,) = await encoder(NoTranslator()).encode(ENGLISH, {"pt"})
    assert form.sparse == Bm25Encoder().encode_query(ENGLISH, ["en"])
    assert [entry["event"] for entry in logs] == ["question_not_translated"]
    assert "vacation" not in str(logs)

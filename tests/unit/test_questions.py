"""Questions in the languages of the library."""

import numpy as np
import pytest
from structlog.testing import capture_logs

from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.memory_encoders import MemoryEmbedder, MemoryTranslator
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.errors import TemporaryFailure
from retrieval.model import Language, SparseVector
from retrieval.questions import QuestionEncoder, merged

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
    encoded = await encoder(MemoryTranslator(WORDS)).encode(ENGLISH, {"en"})
    assert len(encoded.dense) == 1
    assert encoded.sparse == Bm25Encoder().encode_query(ENGLISH, ["en"])


@pytest.mark.parametrize("present", [{"pt"}, {"en", "pt"}])
async def test_the_other_language_adds_a_form_and_its_terms(present: set[Language]) -> None:
    translator = MemoryTranslator(WORDS)
    encoded = await encoder(translator).encode(ENGLISH, present)
    translation = await translator.translate(ENGLISH, "en", "pt")
    expected = await MemoryEmbedder().embed_queries([ENGLISH, translation])
    assert np.array_equal(np.stack(encoded.dense), expected)
    bm25 = Bm25Encoder()
    assert encoded.sparse == merged([bm25.encode_query(ENGLISH, ["en"]), bm25.encode_query(translation, ["pt"])])


async def test_without_any_text_a_question_is_in_its_own_language() -> None:
    assert len((await encoder(MemoryTranslator(WORDS)).encode(ENGLISH, set())).dense) == 1


async def test_without_a_translator_it_stays_as_it_was_asked() -> None:
    assert len((await encoder().encode(ENGLISH, {"pt"})).dense) == 1


async def test_a_translator_that_fails_stops_no_search_and_is_logged_without_the_text() -> None:
    with capture_logs() as logs:
        encoded = await encoder(NoTranslator()).encode(ENGLISH, {"pt"})
    assert len(encoded.dense) == 1
    assert encoded.sparse == Bm25Encoder().encode_query(ENGLISH, ["en"])
    assert [entry["event"] for entry in logs] == ["question_not_translated"]
    assert "vacation" not in str(logs)


def test_merged_terms_are_ascending_and_count_once_at_their_highest() -> None:
    vectors = [SparseVector((3, 7), (1.0, 2.0)), SparseVector((1, 7), (0.5, 1.0))]
    assert merged(vectors) == SparseVector((1, 3, 7), (0.5, 1.0, 2.0))
    assert merged([]) == SparseVector((), ())

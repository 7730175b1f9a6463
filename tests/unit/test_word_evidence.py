import gzip
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.model import Language

ENGLISH = [
    "How many vacation days do employees get?",
    "Who signs the contract?",
    "vacation policy",
    "price list",
    "Is parking free?",
    "Can I work from Lisbon in August?",
    "password reset",
    "What does 'teletrabalho' mean?",
    "Employees are entitled to 22 working days of paid holiday per calendar year.",
]
PORTUGUESE = [
    "Quantos dias de férias têm os funcionários?",
    "Quem assina o contrato?",
    "política de férias",
    "lista de preços",
    "O estacionamento é gratuito?",
    "Posso trabalhar a partir de Lisboa em agosto?",
    "subsidio de alimentacao",
    "O que significa 'remote work'?",
    "O trabalhador tem direito a 22 dias úteis de férias pagas por ano civil.",
]


@pytest.fixture(scope="module")
def detector() -> WordEvidenceDetector:
    return WordEvidenceDetector()


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_told(detector: WordEvidenceDetector, text: str) -> None:
    assert detector.detect(text) == "en"
    assert detector.detect(text.upper()) == "en"


@pytest.mark.parametrize("text", PORTUGUESE)
def test_portuguese_is_told(detector: WordEvidenceDetector, text: str) -> None:
    assert detector.detect(text) == "pt"
    assert detector.detect(text.upper()) == "pt"


@pytest.mark.parametrize("text", PORTUGUESE)
def test_accents_of_their_own_are_accents(detector: WordEvidenceDetector, text: str) -> None:
    assert detector.detect(unicodedata.normalize("NFD", text)) == "pt"


@pytest.mark.parametrize("text", ["", "  ", "2026-11-24", "???", "日本語", "\ud83d", "RX-7"])
def test_a_text_without_evidence_counts_as_english(detector: WordEvidenceDetector, text: str) -> None:
    assert detector.detect(text) == "en"


@given(text=st.text(max_size=200))
def test_every_text_gets_a_language(detector: WordEvidenceDetector, text: str) -> None:
    assert detector.detect(text) in ("en", "pt")


def test_of_a_long_text_the_beginning_decides(detector: WordEvidenceDetector) -> None:
    assert detector.detect("o contrato dos trabalhadores " * 200 + "the contract of the workers " * 5_000) == "pt"


def rows(path: Path) -> list[str]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line)["text"] for line in content.splitlines()]


@pytest.mark.parametrize(
    ("file", "language", "least"),
    [
        ("faquad/queries.jsonl", "pt", 0.998),
        ("faquad/corpus.jsonl", "pt", 1.0),
        ("scifact/queries.jsonl", "en", 0.997),
        ("scifact/corpus.jsonl.gz", "en", 0.999),
    ],
)
def test_questions_and_documents_that_others_wrote_are_told(
    detector: WordEvidenceDetector, shared: Path, file: str, language: Language, least: float
) -> None:
    texts = rows(shared / "evaldata" / file)
    right = sum(detector.detect(text) == language for text in texts)
    assert right / len(texts) >= least, f"{right} of {len(texts)}"

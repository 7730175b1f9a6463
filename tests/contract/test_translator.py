"""What every translator promises."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from retrieval.adapters.bergamot import BergamotTranslator
from retrieval.adapters.bergamot_process import TranslationService
from retrieval.adapters.memory_encoders import MemoryTranslator
from retrieval.errors import TemporaryFailure
from retrieval.ports import Translator

WORDS = {"how": "quantos", "days": "dias", "holiday": "férias", "contract": "contrato", "employees": "funcionários"}


@pytest.fixture
async def bergamot() -> AsyncIterator[BergamotTranslator]:
    translator = BergamotTranslator()
    yield translator
    await translator.close()


@pytest.fixture(params=["memory", "bergamot"])
def translator(request: pytest.FixtureRequest, bergamot: BergamotTranslator) -> Translator:
    return MemoryTranslator(WORDS) if request.param == "memory" else bergamot


async def test_the_words_of_a_question_arrive_in_the_other_language(translator: Translator) -> None:
    assert "dias" in (await translator.translate("How many days of holiday do employees get?", "en", "pt")).lower()
    assert "contract" in (await translator.translate("Quem assina o contrato?", "pt", "en")).lower()


@pytest.mark.parametrize("text", ["", "  ", "\n"])
async def test_blank_text_stays_blank(translator: Translator, text: str) -> None:
    assert await translator.translate(text, "en", "pt") == text


async def test_the_same_language_is_no_translation(translator: Translator) -> None:
    assert await translator.translate("days", "en", "en") == "days"


@pytest.mark.parametrize("text", ["👩‍👩‍👧", "half a pair: \ud83d", "\x00", "```x = 1```", "22/2026", "days " * 1_600])
async def test_any_text_gives_a_text(translator: Translator, text: str) -> None:
    assert isinstance(await translator.translate(text, "en", "pt"), str)


async def test_calls_at_the_same_time_do_not_mix(translator: Translator) -> None:
    first, second = await asyncio.gather(
        translator.translate("How many days?", "en", "pt"), translator.translate("Este contrato", "pt", "en")
    )
    assert "dias" in first.lower()
    assert "contract" in second.lower()


async def test_of_a_long_text_only_the_beginning_is_translated(bergamot: BergamotTranslator) -> None:
    translated = await bergamot.translate("The contract has many days. " + "holiday " * 1_000, "en", "pt")
    assert "contrato" in translated
    assert len(translated) < 2_000


async def test_a_crash_of_the_engine_is_survived(bergamot: BergamotTranslator) -> None:
    await bergamot.translate("How many days?", "en", "pt")
    pid = bergamot._child.pid
    assert pid is not None
    os.kill(pid, signal.SIGSEGV)
    assert "dias" in (await bergamot.translate("How many days?", "en", "pt")).lower()
    assert bergamot._child.pid != pid


async def test_an_engine_that_never_answers_is_a_temporary_failure() -> None:
    translator = BergamotTranslator(python="/bin/false")
    with pytest.raises(TemporaryFailure, match="ended"):
        await translator.translate("How many days?", "en", "pt")
    await translator.close()


async def test_a_direction_that_the_engine_lacks_is_a_temporary_failure(bergamot: BergamotTranslator) -> None:
    with pytest.raises(TemporaryFailure, match="ValueError"):
        await bergamot.translate("Wie viele Tage?", "de", "en")  # type: ignore[arg-type]


def test_the_service_translates_both_ways_and_names_failures_without_the_text() -> None:
    service = TranslationService()
    assert "contrato" in service.answer(["Where is the contract?", "en-pt"])[1]
    assert "contract" in service.answer(["Onde está o contrato?", "pt-en"])[1]
    assert service.answer(["canary", "xx-yy"]) == ["failed", "ValueError"]

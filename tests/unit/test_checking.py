"""A claim stands on verified words or not at all; what falls is listed."""

import pytest

from retrieval.access import EVERYONE, Access, LabelScale, Principal
from retrieval.errors import StoreUnavailable
from retrieval.model import Language, ParsedDocument, Passage
from serving.adapters.memory import MemoryLibrary, StoredText
from serving.checking import Check, Verdict
from serving.claims import DraftedClaim, ParsedDraft, parse
from serving.reading import read

SCALE = LabelScale()
ANA = Principal("main", "ana", frozenset(), SCALE.label("internal"))
EVE = Principal("other", "eve", frozenset(), SCALE.highest)
LEAVE = "Every employee has 25 days of leave.\n\nLeave is asked for 30 days ahead.\n\nTravel is paid by the company."
FERIAS = "Cada trabalhador tem 25 dias de férias."


class Dictionary:
    """A translator of whole sentences that counts its work."""

    def __init__(self, pairs: dict[str, str]) -> None:
        self.pairs, self.asked = pairs, 0

    async def translate(self, text: str, source: Language, target: Language) -> str:
        self.asked += 1
        if text not in self.pairs:
            raise StoreUnavailable
        return self.pairs[text]


class Counting(MemoryLibrary):
    """A library that counts how often a text is fetched."""

    fetched = 0

    async def parsed(self, document, version, *, reader):  # type: ignore[no-untyped-def]
        self.fetched += 1
        return await super().parsed(document, version, reader=reader)


def stored(text: str, language: Language = "en", uri: str = "leave.md") -> StoredText:
    access = Access("main", frozenset({EVERYONE}), SCALE.label("internal"))
    return StoredText(uri, ParsedDocument(text, "text/plain"), access, language)


def checking(*texts: StoredText, reader: Principal = ANA, translator: Dictionary | None = None) -> Check:
    passages: list[Passage] = [passage for text in texts for passage in text.passages()]
    return Check(Counting(*texts), reader, read(passages), "en", translator)


async def verdict_on(draft: str, check: Check | None = None) -> Verdict:
    return await (check or checking(stored(LEAVE))).draft(parse(draft, 3))


async def test_the_text_is_put_together_from_what_stands() -> None:
    verdict = await verdict_on("Every employee has 25 days of leave. Dogs may fly. Travel is paid by the company.")
    assert verdict.text == "Every employee has 25 days of leave. [1] Travel is paid by the company. [2]"
    assert verdict.unsupported == ("Dogs may fly.",)
    assert verdict.kept == pytest.approx(2 / 3)
    assert verdict.support == 1.0


async def test_lists_stay_lists() -> None:
    verdict = await verdict_on("- Every employee has 25 days of leave [1]\n- Travel is paid by the company [3]")
    assert verdict.text == "- Every employee has 25 days of leave [1]\n- Travel is paid by the company [2]"


async def test_two_claims_on_the_same_words_share_a_citation() -> None:
    verdict = await verdict_on("Every employee has 25 days of leave. Employees have 25 days of leave, every one.")
    assert [one.claim.citations for one in verdict.supported] == [(1,), (1,)]
    assert len(verdict.citations) == 1


async def test_a_claim_from_two_sentences_cites_both() -> None:
    verdict = await verdict_on("Employees have 25 days of leave and travel is paid by the company.")
    assert [citation.quote for citation in verdict.citations] == [
        "Every employee has 25 days of leave.",
        "Travel is paid by the company.",
    ]
    assert verdict.text.endswith("[1][2]")


async def test_a_refusal_among_the_claims_is_taken_out() -> None:
    verdict = await verdict_on("Every employee has 25 days of leave. The documents do not say more.")
    assert len(verdict.supported) == 1
    assert verdict.unsupported == ("The documents do not say more.",)


async def test_what_was_left_over_when_parsing_is_listed_too() -> None:
    verdict = await checking(stored(LEAVE)).draft(ParsedDraft((), ("cut off in the mid",)))
    assert verdict.unsupported == ("cut off in the mid",)
    assert (verdict.text, verdict.support, verdict.kept, verdict.citations) == ("", 0.0, 0.0, ())


async def test_nothing_at_all_is_nothing() -> None:
    verdict = await checking(stored(LEAVE)).draft(ParsedDraft())
    assert verdict == Verdict()
    assert verdict.kept == 0.0


async def test_each_document_is_fetched_once() -> None:
    check = checking(stored(LEAVE))
    await verdict_on("Every employee has 25 days of leave. Travel is paid by the company.", check)
    assert isinstance(check.library, Counting)
    assert check.library.fetched == 1


async def test_another_reader_s_rights_hold_for_the_stored_text() -> None:
    verdict = await verdict_on("Every employee has 25 days of leave.", checking(stored(LEAVE), reader=EVE))
    assert verdict.supported == ()


async def test_a_gap_in_the_numbers_cannot_come_from_a_claim_that_fell() -> None:
    good, gone = stored(LEAVE), stored("Parking costs 40 euros a month.", uri="gone.md")
    check = checking(good, gone)
    assert isinstance(check.library, Counting)
    check.library.documents.remove(gone)
    verdict = await verdict_on(
        "Leave is 25 days for every employee. Parking costs 40 euros a month. Travel is paid by the company.", check
    )
    assert verdict.unsupported == ("Parking costs 40 euros a month.",)
    assert [citation.n for citation in verdict.citations] == [1, 2]


async def test_half_of_a_citation_is_no_citation() -> None:
    good, gone = stored(LEAVE), stored("Parking costs 40 euros a month.", uri="gone.md")
    check = checking(good, gone)
    assert isinstance(check.library, Counting)
    check.library.documents.remove(gone)
    verdict = await verdict_on("Employees have 25 days of leave and parking costs 40 euros a month.", check)
    assert verdict.supported == ()


async def test_a_claim_in_another_language_stands_by_its_translation() -> None:
    translator = Dictionary({"Every worker has 25 days of vacation.": "Cada trabalhador tem 25 dias de férias."})
    check = checking(stored(FERIAS, "pt"), translator=translator)
    verdict = await verdict_on("Every worker has 25 days of vacation [1].", check)
    assert verdict.text == "Every worker has 25 days of vacation. [1]"
    assert verdict.citations[0].quote == FERIAS


async def test_a_translation_is_held_to_the_rules_as_well() -> None:
    translator = Dictionary({"Every worker has 26 days of vacation.": "Cada trabalhador tem 26 dias de férias."})
    verdict = await verdict_on(
        "Every worker has 26 days of vacation.", checking(stored(FERIAS, "pt"), translator=translator)
    )
    assert verdict.supported == ()


async def test_nothing_is_translated_when_it_stands_as_it_is_or_nothing_is_foreign() -> None:
    translator = Dictionary({})
    both = checking(stored(LEAVE), stored(FERIAS, "pt", "ferias.md"), translator=translator)
    await verdict_on("Every employee has 25 days of leave.", both)
    await verdict_on("Dogs may fly.", checking(stored(LEAVE), translator=translator))
    assert translator.asked == 0


async def test_a_translator_that_fails_takes_nothing_away() -> None:
    translator = Dictionary({})
    both = checking(stored(LEAVE), stored(FERIAS, "pt", "ferias.md"), translator=translator)
    verdict = await verdict_on("Dogs may fly. Every employee has 25 days of leave.", both)
    assert translator.asked == 1
    assert len(verdict.supported) == 1


async def test_the_least_support_may_be_raised() -> None:
    claim = DraftedClaim("Employees gladly take their 25 days of leave.")
    lenient, strict = checking(stored(LEAVE)), checking(stored(LEAVE))
    strict.least_support = 0.95
    assert await lenient.claim(claim) is not None
    assert await strict.claim(claim) is None

"""The story of an answer, told with a scripted model and a library in memory."""

from collections.abc import Callable, Iterator
from uuid import UUID, uuid5

import pytest

from retrieval.access import EVERYONE, Access, Label, LabelScale, Principal
from retrieval.errors import StoreUnavailable
from retrieval.model import Evidence, Language, Page, ParsedDocument, SearchFilters
from serving.adapters.memory import MemoryLibrary, StoredText
from serving.adapters.scripted import Reply, ScriptedModel
from serving.answering import Answering, AnsweringSettings
from serving.errors import ModelTimedOut, ModelUnavailable, QuestionInvalid
from serving.model import (
    Answer,
    ClaimChecked,
    DraftEnd,
    PassagesFound,
    Prompt,
    Question,
    ReasoningDelta,
    RefusalReason,
    TextDelta,
    TokenDrafted,
)

SCALE = LabelScale()
ANA = Principal("main", "ana", frozenset({"hr"}), SCALE.label("confidential"))
BEN = Principal("main", "ben", frozenset(), SCALE.label("internal"))
LEAVE = (
    "Annual leave\n\n"
    "Every employee has 25 working days of annual leave. Leave is asked for 30 days ahead.\n\n"
    "Unused annual leave does not carry over to the next year."
)
FERIAS = (
    "Férias\n\nCada trabalhador tem direito a 25 dias úteis de férias por ano. O pedido faz-se até 31 de março de 2025."
)
PAY = "Pay\n\nThe annual bonus of managers is 1,234.56 euros."


def stored(uri: str, text: str, label: str, *readers: str, language: Language = "en") -> StoredText:
    pages = (Page(1, 0, 20), Page(2, 20, len(text)))
    access = Access("main", frozenset(readers or {EVERYONE}), SCALE.label(label))
    return StoredText(uri, ParsedDocument(text, "text/plain", title=uri, pages=pages), access, language)


class Detector:
    """Portuguese has accents here."""

    def detect(self, text: str) -> Language:
        return "pt" if any(letter in text for letter in "ãçéíúàê") else "en"


class Dictionary:
    """A translator of whole sentences."""

    def __init__(self, pairs: dict[str, str]) -> None:
        self.pairs = pairs

    async def translate(self, text: str, source: Language, target: Language) -> str:
        if text not in self.pairs:
            raise StoreUnavailable
        return self.pairs[text]


def clock() -> Callable[[], float]:
    ticks: Iterator[int] = iter(range(10**6))
    return lambda: next(ticks) / 1000


def ids() -> Callable[[], UUID]:
    numbers = iter(range(10**6))
    return lambda: uuid5(UUID(int=1), str(next(numbers)))


def library() -> MemoryLibrary:
    return MemoryLibrary(
        stored("leave.md", LEAVE, "internal"),
        stored("ferias.pdf", FERIAS, "internal", language="pt"),
        stored("pay.md", PAY, "confidential", "group:hr"),
    )


def answering(
    reply: Reply | Callable[[Prompt], Reply], *, found_in: MemoryLibrary | None = None, **settings: object
) -> tuple[Answering, ScriptedModel]:
    model = ScriptedModel(reply if callable(reply) else [reply])
    translator = settings.pop("translator", None)
    story = Answering(
        library=found_in or library(),
        local=model,
        scale=SCALE,
        detector=Detector(),
        clock=clock(),
        new_id=ids(),
        settings=AnsweringSettings(**settings),  # type: ignore[arg-type]
        translator=translator,  # type: ignore[arg-type]
    )
    return story, model


async def ask(question: str, reply: Reply, *, reader: Principal = ANA, **settings: object) -> Answer:
    story, _ = answering(reply, **settings)
    return await story.answer(Question(question), reader=reader)


def quotes_are_exact(answer: Answer) -> bool:
    texts = {document.id: document.parsed.text for document in library().documents}
    return all(texts[one.document_id][one.start : one.end] == one.quote for one in answer.citations)


async def test_a_supported_draft_becomes_an_answer_with_exact_quotes() -> None:
    answer = await ask(
        "How many days of annual leave are there?", "Every employee has 25 working days of annual leave [1]."
    )
    assert answer.status == "answered"
    assert answer.answer == "Every employee has 25 working days of annual leave. [1]"
    (citation,) = answer.citations
    assert citation.quote == "Every employee has 25 working days of annual leave."
    assert (citation.n, citation.uri, citation.page) == (1, "leave.md", 1)
    assert quotes_are_exact(answer)
    assert answer.claims[0].citations == (1,)
    assert answer.refusal is None
    assert 0.5 < answer.confidence <= 1.0


async def test_nothing_left_and_the_answer_says_so() -> None:
    answer = await ask("annual leave days?", "Every employee has 25 working days of annual leave.")
    assert (answer.egress.left, answer.egress.receipt) == (False, None)
    assert answer.egress.why_not == "the cloud fallback is off"
    assert (answer.route.place, answer.route.model) == ("local", "scripted")


async def test_wrong_markers_are_put_right_and_numbered_from_one() -> None:
    draft = "Leave is asked for 30 days ahead [9]. Every employee has 25 working days of annual leave [7]."
    answer = await ask("How is annual leave asked for and how many working days?", draft)
    assert answer.answer == (
        "Leave is asked for 30 days ahead. [1] Every employee has 25 working days of annual leave. [2]"
    )
    assert [citation.n for citation in answer.citations] == [1, 2]
    assert quotes_are_exact(answer)


async def test_an_unsupported_sentence_is_taken_out_and_listed() -> None:
    draft = "Every employee has 25 working days of annual leave. Pets get 10 of them as well."
    answer = await ask("How many days of annual leave are there?", draft)
    assert answer.answer is not None
    assert "Pets" not in answer.answer
    assert answer.unsupported == ("Pets get 10 of them as well.",)


@pytest.mark.parametrize(
    "draft",
    [
        "Every employee has 26 working days of annual leave [1].",
        "Every employee has no annual leave of 25 working days [1].",
        "Every employee of Borealis has 25 working days of annual leave [1].",
        "Unused annual leave does carry over to the next year [2].",
        "The moon is made of green cheese.",
    ],
)
async def test_a_draft_without_support_becomes_a_refusal(draft: str) -> None:
    answer = await ask("How many days of annual leave are there in the year?", draft)
    assert answer.status == "refused"
    assert answer.refusal is not None
    assert answer.refusal.reason == RefusalReason.LOW_CONFIDENCE
    assert answer.answer is None
    assert answer.confidence == 0.0
    assert len(answer.unsupported) == 1
    assert answer.citations
    assert quotes_are_exact(answer)


@pytest.mark.parametrize("draft", ["", "The documents do not say.", "Os documentos não dizem.", "???"])
async def test_a_model_that_refuses_in_words_makes_a_refusal(draft: str) -> None:
    answer = await ask("How many days of annual leave are there?", draft)
    assert answer.refusal is not None
    assert answer.refusal.reason == RefusalReason.NOT_IN_DOCUMENTS


async def test_the_gate_refuses_before_any_model_is_asked() -> None:
    story, model = answering("Elephants!")
    answer = await story.answer(Question("Do elephants working in Mongolia need vaccination certificates?"), reader=ANA)
    assert answer.refusal is not None
    assert answer.refusal.reason == RefusalReason.NOT_IN_DOCUMENTS
    assert model.prompts == []
    assert answer.citations
    assert quotes_are_exact(answer)


async def test_a_year_that_no_passage_knows_is_refused_before_the_model() -> None:
    story, model = answering("25 days")
    answer = await story.answer(Question("How many days of annual leave were there in 1987?"), reader=ANA)
    assert answer.status == "refused"
    assert model.prompts == []


@pytest.mark.parametrize("text", ["", "   \n", "x" * 8_001])
async def test_an_empty_or_endless_question_is_invalid(text: str) -> None:
    with pytest.raises(QuestionInvalid):
        await ask(text, "x")


@pytest.mark.parametrize("text", ["?!", "…", "what is it?", "🙂"])
async def test_a_question_without_content_is_unclear(text: str) -> None:
    answer = await ask(text, "x")
    assert answer.refusal is not None
    assert answer.refusal.reason == RefusalReason.QUESTION_UNCLEAR
    assert answer.timings_ms.keys() >= {"search", "draft", "check", "total"}


async def test_who_may_read_nothing_learns_nothing() -> None:
    story, model = answering("The annual bonus of managers is 1,234.56 euros [1].")
    answer = await story.answer(Question("managers bonus"), reader=BEN)
    assert answer.refusal is not None
    assert answer.refusal.reason == RefusalReason.NOTHING_READABLE
    assert (answer.citations, answer.label.name, model.prompts) == ((), "public", [])


async def test_an_answer_carries_the_highest_label_of_the_passages_it_was_made_from() -> None:
    draft = "The annual bonus of managers is 1.234,56 euros."
    answer = await ask("What is the annual bonus of managers?", draft)
    assert answer.status == "answered"
    assert answer.label.name == "confidential"
    lower = await ask("How many working days of annual leave?", "25 working days of annual leave.", reader=BEN)
    assert lower.label.name == "internal"


async def test_a_right_taken_away_while_the_model_wrote_acts_at_once() -> None:
    found_in = library()

    def reply(prompt: Prompt) -> Reply:
        found_in.documents.clear()
        return "Every employee has 25 working days of annual leave [1]."

    story, _ = answering(reply, found_in=found_in)
    answer = await story.answer(Question("How many days of annual leave are there?"), reader=ANA)
    assert answer.status == "refused"
    assert answer.citations == ()


async def test_a_version_that_changed_underneath_is_not_cited() -> None:
    found_in = library()

    class Tampered(MemoryLibrary):
        async def parsed(self, document: UUID, version: str | None, *, reader: Principal) -> ParsedDocument:
            return ParsedDocument("Something else stands here now.", "text/plain")

    answer = await ask(
        "How many days of annual leave are there?",
        "Every employee has 25 working days of annual leave [1].",
        found_in=Tampered(*found_in.documents),
    )
    assert answer.status == "refused"


async def test_events_come_in_order_and_the_answer_is_the_last() -> None:
    reply: Reply = [
        ReasoningDelta("hm"),
        TextDelta("Every employee has 25 working days "),
        TextDelta("of annual leave."),
        DraftEnd(),
    ]
    story, _ = answering(reply)
    events = [event async for event in story.events(Question("How many days of annual leave?"), reader=ANA)]
    kinds = [type(event) for event in events]
    assert kinds == [PassagesFound, TokenDrafted, TokenDrafted, ClaimChecked, Answer]
    assert "hm" not in str(events)


async def test_a_refused_draft_has_no_claims_among_its_events() -> None:
    story, _ = answering("Every employee has 26 working days of annual leave.")
    events = [event async for event in story.events(Question("How many days of annual leave?"), reader=ANA)]
    assert not [event for event in events if isinstance(event, ClaimChecked)]


@pytest.mark.parametrize("failure", [ModelUnavailable(), ModelTimedOut()])
async def test_a_model_that_fails_is_an_error_and_no_refusal(failure: ModelUnavailable) -> None:
    with pytest.raises(type(failure)):
        await ask("How many days of annual leave?", [TextDelta("Every"), failure])


async def test_the_draft_has_a_deadline() -> None:
    model = ScriptedModel(["Every employee has 25 days"], pause=0.2)
    story, _ = answering("")
    story = Answering(
        library=library(),
        local=model,
        scale=SCALE,
        detector=Detector(),
        clock=clock(),
        new_id=ids(),
        settings=AnsweringSettings(draft_seconds=0.05),
    )
    with pytest.raises(ModelTimedOut):
        await story.answer(Question("How many days of annual leave?"), reader=ANA)


@pytest.mark.parametrize(("fixed", "status"), [(1.01, "refused"), (0.0, "answered")])
async def test_the_threshold_may_be_fixed(fixed: float, status: str) -> None:
    draft = "Every employee has 25 working days of annual leave."
    answer = await ask("How many days of annual leave are there?", draft, min_confidence=fixed)
    assert answer.status == status
    assert answer.confidence > 0.0


async def test_a_threshold_of_nought_still_wants_support() -> None:
    answer = await ask("How many days of annual leave?", "Green cheese.", min_confidence=0.0)
    assert answer.status == "refused"


async def test_a_portuguese_question_is_answered_and_refused_in_portuguese() -> None:
    answer = await ask(
        "Quantos dias úteis de férias há?", "Cada trabalhador tem direito a 25 dias úteis de férias por ano [1]."
    )
    assert answer.status == "answered"
    refusal = await ask("Quantos dias úteis de férias há?", "Os documentos não dizem.")
    assert refusal.refusal is not None
    assert refusal.refusal.message.startswith("Os documentos")


async def test_an_answer_in_another_language_than_its_passage_is_checked_in_translation() -> None:
    question = "Quantos dias de licença há, e são pagos à parte?"
    draft = "Cada empregado tem 25 dias de licença."
    pairs = {
        question: "How many days of annual leave are there?",
        draft: "Every employee has 25 working days of annual leave.",
    }
    only_english = MemoryLibrary(library().documents[0])
    # The search itself finds across languages by its vectors; in memory, words must be shared.
    only_english.evidence = lambda _, **rest: MemoryLibrary.evidence(only_english, pairs[question], **rest)  # type: ignore[method-assign]
    translated = await ask(question, draft, found_in=only_english, translator=Dictionary(pairs))
    assert translated.status == "answered"
    assert translated.answer == "Cada empregado tem 25 dias de licença. [1]"
    assert "translate" in translated.timings_ms
    untranslated = await ask(question, draft, found_in=only_english, translator=Dictionary({}))
    assert untranslated.status == "refused"


async def test_filters_and_limit_reach_the_library() -> None:
    story, model = answering("25 working days of annual leave.")
    await story.answer(Question("annual leave days", filters=SearchFilters(uri_prefix="leave")), reader=ANA)
    assert {passage.uri for passage in model.prompts[0].passages} == {"leave.md"}
    story, model = answering("25 working days of annual leave.", passages=1)
    await story.answer(Question("annual leave working days"), reader=ANA)
    assert len(model.prompts[0].passages) == 1


async def test_the_times_of_the_steps_add_up() -> None:
    answer = await ask("How many days of annual leave?", "25 working days of annual leave.")
    parts = sum(value for name, value in answer.timings_ms.items() if name != "total")
    assert parts <= answer.timings_ms["total"] <= parts + 2.0


async def test_a_library_that_finds_nothing_is_no_error() -> None:
    class Empty(MemoryLibrary):
        async def evidence(self, question: str, *, reader: Principal, filters: SearchFilters, limit: int) -> Evidence:
            return Evidence()

    answer = await ask("How many days of annual leave?", "x", found_in=Empty())
    assert answer.refusal is not None
    assert answer.refusal.reason == RefusalReason.NOTHING_READABLE


def test_labels_are_those_of_the_scale() -> None:
    assert SCALE.label("internal") == Label(1, "internal")

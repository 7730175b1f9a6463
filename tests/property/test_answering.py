"""Laws of answering: whatever a model writes, what leaves is an answer with exact quotes, or a refusal."""

import asyncio
import re
import time
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.access import EVERYONE, Access, LabelScale, Principal, highest
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.model import Language, ParsedDocument
from serving.adapters.memory import MemoryLibrary, StoredText
from serving.adapters.scripted import ScriptedModel
from serving.answering import Answering, AnsweringSettings
from serving.grounding import broken_rule
from serving.model import Answer, AnswerEvent, ClaimChecked, Question

SCALE = LabelScale()
READER = Principal("main", "ana", frozenset({"hr"}), SCALE.label("confidential"))
TEXTS: list[tuple[str, Language, str, str]] = [
    ("leave.md", "en", "internal", "Every employee has 25 working days of leave.\n\nUnused leave does not carry over."),
    ("ferias.md", "pt", "public", "Cada trabalhador tem 25 dias úteis de férias.\n\nNão há férias em março de 2025."),
    ("pay.md", "en", "confidential", "The bonus of managers is 1,234.56 euros.\n\nThe bonus is paid by 3 March 2025."),
    (
        "board.md",
        "en",
        "restricted",
        "The merger of leave and bonus with Borealis closes on 14 May for 81 million euros.",
    ),
]
SECRET = {"borealis", "merger", "81 million"}
PIECES = st.sampled_from(
    [part for _, _, _, text in TEXTS for part in text.replace("\n\n", " ").split(" ")]
    + ["[1]", "[2]", "[1, 3]", "[99]", ".", "not", "não", "26", "Acme", "\n", "- ", "<think>", "</passage>", "**"]
)
DRAFTS = st.one_of(
    st.lists(PIECES, max_size=40).map(" ".join),
    st.lists(st.sampled_from([part for _, _, _, text in TEXTS for part in text.split("\n\n")]), max_size=5).map(
        " ".join
    ),
    st.text(max_size=200),
)
QUESTIONS = st.sampled_from(
    [
        "How many working days of leave?",
        "Quantos dias úteis de férias?",
        "What is the bonus of managers?",
        "leave bonus",
    ]
)


def story(draft: str) -> Answering:
    stored = [
        StoredText(
            uri, ParsedDocument(text, "text/plain"), Access("main", frozenset({EVERYONE}), SCALE.label(label)), lang
        )
        for uri, lang, label, text in TEXTS
    ]
    return Answering(
        library=MemoryLibrary(*stored),
        local=ScriptedModel(lambda _: draft),
        scale=SCALE,
        detector=WordEvidenceDetector(),
        clock=time.monotonic,
        new_id=uuid4,
        settings=AnsweringSettings(min_confidence=0.0),
    )


def events_of(question: str, draft: str) -> list[AnswerEvent]:
    async def run() -> list[AnswerEvent]:
        return [event async for event in story(draft).events(Question(question), reader=READER)]

    return asyncio.run(run())


def answer_of(question: str, draft: str) -> Answer:
    last = events_of(question, draft)[-1]
    assert isinstance(last, Answer)
    return last


@given(QUESTIONS, DRAFTS)
@settings(max_examples=120, deadline=None)
def test_there_is_an_answer_or_a_refusal_and_never_both(question: str, draft: str) -> None:
    answer = answer_of(question, draft)
    assert (answer.answer is None) != (answer.refusal is None)
    assert 0.0 <= answer.confidence <= 1.0
    assert bool(answer.claims) == (answer.answer is not None)
    assert not answer.egress.left


@given(QUESTIONS, DRAFTS)
@settings(max_examples=120, deadline=None)
def test_every_quote_is_an_exact_slice_and_every_marker_a_citation(question: str, draft: str) -> None:
    answer = answer_of(question, draft)
    texts = {uri: text for uri, _, _, text in TEXTS}
    assert all(texts[one.uri][one.start : one.end] == one.quote != "" for one in answer.citations)
    numbers = {one.n for one in answer.citations}
    assert numbers == set(range(1, len(numbers) + 1)) or answer.refusal
    assert {n for claim in answer.claims for n in claim.citations} == numbers or answer.refusal
    if answer.answer is not None:
        shown = re.findall(r"\[(\d+)\]", answer.answer)
        assert {int(n) for n in shown} == numbers


@given(QUESTIONS, DRAFTS)
@settings(max_examples=120, deadline=None)
def test_every_claim_keeps_the_rules_against_what_it_cites(question: str, draft: str) -> None:
    answer = answer_of(question, draft)
    cited = {one.n: one for one in answer.citations}
    texts = {uri: text for uri, _, _, text in TEXTS}
    languages = {uri: language for uri, language, _, _ in TEXTS}
    for claim in answer.claims:
        places = [cited[n] for n in claim.citations]
        whole = [texts[place.uri] for place in places]
        assert (
            broken_rule(claim.text, [place.quote for place in places], whole, language=languages[places[0].uri]) is None
        )


@given(QUESTIONS, DRAFTS)
@settings(max_examples=80, deadline=None)
def test_what_the_reader_may_not_read_is_nowhere_in_what_comes_back_as_fact(question: str, draft: str) -> None:
    answer = answer_of(question, draft)
    quoted = " ".join(one.quote for one in answer.citations).casefold()
    assert not any(word in quoted for word in SECRET)
    assert all(one.uri != "board.md" for one in answer.citations)


@given(QUESTIONS, DRAFTS)
@settings(max_examples=80, deadline=None)
def test_the_label_is_at_least_that_of_everything_cited(question: str, draft: str) -> None:
    answer = answer_of(question, draft)
    labels = {uri: SCALE.label(label) for uri, _, label, _ in TEXTS}
    assert answer.label >= highest((labels[one.uri] for one in answer.citations), SCALE)


@given(QUESTIONS, DRAFTS)
@settings(max_examples=80, deadline=None)
def test_claims_come_before_the_answer_and_are_the_answer_s(question: str, draft: str) -> None:
    events = events_of(question, draft)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert sum(isinstance(event, Answer) for event in events) == 1
    assert tuple(event.claim for event in events if isinstance(event, ClaimChecked)) == answer.claims


@given(QUESTIONS, DRAFTS)
@settings(max_examples=40, deadline=None)
def test_the_same_draft_has_the_same_answer(question: str, draft: str) -> None:
    one, other = answer_of(question, draft), answer_of(question, draft)
    assert (one.answer, one.citations, one.confidence) == (other.answer, other.citations, other.confidence)

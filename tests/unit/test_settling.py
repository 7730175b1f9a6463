"""What the caller gets is complete in every case, and the times of its steps add up."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from retrieval.access import EVERYONE, Access, LabelScale, Principal
from retrieval.model import Chunk, Passage, chunk_id
from serving.checking import Supported, Verdict
from serving.claims import DraftedClaim
from serving.model import Citation, Claim, Question, RefusalReason
from serving.reading import read
from serving.settling import CLOUD_OFF, Trip, answered, refused

SCALE = LabelScale()
READER = Principal("main", "ana", frozenset(), SCALE.highest)
DOCUMENT = UUID(int=6)
CITATION = Citation(1, DOCUMENT, "v", "Leave", "a.md", None, 0, 5, "Leave")


def ticking(*seconds: float) -> Callable[[], float]:
    times = iter(seconds)
    return lambda: next(times)


def passage(n: int, text: str, label: str) -> Passage:
    chunk = Chunk(chunk_id(DOCUMENT, "v", n), DOCUMENT, "v", n, 0, len(text), text)
    return Passage(chunk, "a.md", "folder", Access("main", frozenset({EVERYONE}), SCALE.label(label)), 1.0)


def trip(*passages: Passage, clock: Callable[[], float] = lambda: 0.0) -> Trip:
    made = Trip(UUID(int=1), Question("Q?"), READER, "en", clock)
    made.passages, made.readings = passages, read(passages)
    return made


def verdict(text: str = "Leave is 25 days.") -> Verdict:
    claim = Claim(text, 0.9, (1,))
    return Verdict((Supported(DraftedClaim(text), claim, (CITATION,), ()),), ("Dogs fly.",))


def test_a_refusal_holds_a_reason_in_words_and_no_answer() -> None:
    refusal = refused(trip(), RefusalReason.NOTHING_READABLE, SCALE, "m")
    assert refusal.status == "refused"
    assert refusal.refusal is not None
    assert refusal.refusal.message
    assert (refusal.answer, refusal.claims, refusal.citations, refusal.confidence) == (None, (), (), 0.0)


def test_an_answer_holds_what_the_verdict_leaves() -> None:
    answer = answered(trip(passage(0, "Leave.", "public")), verdict(), 0.8, SCALE, "m")
    assert answer.status == "answered"
    assert answer.answer == "Leave is 25 days. [1]"
    assert (answer.citations, answer.unsupported, answer.confidence) == ((CITATION,), ("Dogs fly.",), 0.8)
    assert answer.claims[0].support == 0.9


@pytest.mark.parametrize("labels", [("public",), ("internal", "public"), ("public", "confidential", "internal")])
def test_the_label_is_the_highest_of_the_passages_whether_it_is_answered_or_refused(labels: tuple[str, ...]) -> None:
    on_way = trip(*(passage(n, "Leave.", label) for n, label in enumerate(labels)))
    highest = max(SCALE.label(label) for label in labels)
    assert answered(on_way, verdict(), 0.8, SCALE, "m").label == highest
    assert refused(on_way, RefusalReason.LOW_CONFIDENCE, SCALE, "m").label == highest


def test_nothing_left_and_why() -> None:
    answer = answered(trip(passage(0, "Leave.", "public")), verdict(), 0.8, SCALE, "the-model")
    assert (answer.egress.left, answer.egress.receipt, answer.egress.why_not) == (False, None, CLOUD_OFF)
    assert (answer.route.place, answer.route.model, answer.route.why) == ("local", "the-model", CLOUD_OFF)
    assert answer.cost.cloud_usd == 0.0


def test_laps_add_up_to_the_steps_in_milliseconds() -> None:
    on_way = trip(clock=ticking(10.0, 10.1, 10.4, 10.5, 10.6, 10.7))
    on_way.lap("search")
    on_way.lap("draft")
    on_way.lap("check")
    refusal = refused(on_way, RefusalReason.LOW_CONFIDENCE, SCALE, "m")
    assert refusal.timings_ms == pytest.approx({"search": 100, "draft": 300, "check": 200, "total": 700})


def test_every_step_has_its_time_even_when_it_did_not_happen() -> None:
    assert refused(trip(), RefusalReason.QUESTION_UNCLEAR, SCALE, "m").timings_ms.keys() == {
        "search",
        "draft",
        "check",
        "total",
    }


def test_showing_fewer_passages_keeps_what_was_read() -> None:
    passages = [passage(n, f"Leave number {n}.", "public") for n in range(3)]
    on_way = trip(*passages)
    before = on_way.readings
    on_way.show(tuple(passages[:2]))
    assert on_way.passages == tuple(passages[:2])
    assert on_way.readings[0] is before[0]
    assert on_way.readings[1] is before[1]
    assert len(on_way.readings) == 2


def test_a_passage_that_was_cut_is_read_again() -> None:
    whole = [passage(n, f"Leave number {n}. And more of it.", "public") for n in range(2)]
    cut = replace(whole[1], chunk=replace(whole[1].chunk, text="Leave number 1.", end=15))
    on_way = trip(*whole)
    before = on_way.readings
    on_way.show((whole[0], cut))
    assert on_way.readings[0] is before[0]
    assert (on_way.readings[1].n, on_way.readings[1].text) == (2, "Leave number 1.")

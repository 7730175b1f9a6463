"""Puts together what the caller gets: an answer with verified citations, or a refusal with the nearest passages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from retrieval.access import LabelScale, Principal, highest
from retrieval.model import Language, Passage
from serving.checking import Verdict
from serving.model import Answer, Citation, Cost, Egress, Question, Refusal, RefusalReason, Route
from serving.prompts import refusal_message
from serving.reading import Reading, read

CLOUD_OFF = "the cloud fallback is off"


@dataclass(slots=True)
class Trip:
    """One question on its way: what was found so far, and how long each step took."""

    id: UUID
    question: Question
    reader: Principal
    language: Language
    clock: Callable[[], float]
    passages: tuple[Passage, ...] = ()
    readings: tuple[Reading, ...] = ()
    translations: Mapping[Language, str] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=lambda: {"search": 0.0, "draft": 0.0, "check": 0.0})
    started: float = field(init=False)
    _lap: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self._lap = self.clock()

    def show(self, passages: tuple[Passage, ...]) -> None:
        """Narrow down to the passages of the prompt; only one that was cut for it has to be read again."""
        kept = self.readings[: len(passages)]
        if passages[-1] is not kept[-1].passage:
            kept = (*kept[:-1], *read(passages[-1:], first=len(passages)))
        self.passages, self.readings = passages, kept

    def lap(self, step: str) -> None:
        """Book the time since the last lap on a step."""
        now = self.clock()
        self.timings_ms[step] = self.timings_ms.get(step, 0.0) + (now - self._lap) * 1000
        self._lap = now


def refused(
    trip: Trip,
    reason: RefusalReason,
    scale: LabelScale,
    model: str,
    *,
    confidence: float = 0.0,
    citations: tuple[Citation, ...] = (),
    unsupported: tuple[str, ...] = (),
) -> Answer:
    """A refusal. Its label is the highest of the passages it was made from: even a refusal says something of them."""
    trip.lap("check")
    return Answer(
        id=trip.id,
        answer=None,
        refusal=Refusal(reason, refusal_message(reason, trip.language)),
        claims=(),
        citations=citations,
        confidence=confidence,
        label=highest((passage.access.label for passage in trip.passages), scale),
        route=Route("local", model, CLOUD_OFF),
        egress=Egress(left=False, why_not=CLOUD_OFF),
        cost=Cost(),
        timings_ms={**trip.timings_ms, "total": (trip.clock() - trip.started) * 1000},
        unsupported=unsupported,
    )


def answered(trip: Trip, verdict: Verdict, confidence: float, scale: LabelScale, model: str) -> Answer:
    """The answer that the verdict leaves; of everything else what a refusal would say, too."""
    frame = refused(trip, RefusalReason.LOW_CONFIDENCE, scale, model, confidence=confidence)
    return replace(
        frame,
        answer=verdict.text,
        refusal=None,
        claims=tuple(one.claim for one in verdict.supported),
        citations=verdict.citations,
        unsupported=verdict.unsupported,
    )

"""The story of an answer: find evidence, ask whether it can hold the answer, draft, check, and answer or refuse.

Nothing can leave from here: there is no cloud branch yet, and every answer says so.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog

from retrieval.access import LabelScale, Principal
from retrieval.errors import TemporaryFailure
from retrieval.model import Language
from retrieval.ports import LanguageDetector, Translator
from serving.checking import LEAST_SUPPORT, Check, Verdict
from serving.claims import parse
from serving.confidence import Confidence
from serving.drafting import drafting
from serving.errors import ModelUnavailable
from serving.gate import Asked, Outlook, asked, covered_by, nearest, outlook
from serving.model import (
    Answer,
    AnswerEvent,
    Citation,
    ClaimChecked,
    Draft,
    PassagesFound,
    Question,
    RefusalReason,
)
from serving.ports import ChatModel, EvidenceFinder
from serving.prompts import VERSION, Room, compose
from serving.reading import read
from serving.settling import Trip, answered, refused
from serving.words import content_stems

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AnsweringSettings:
    """How answers are made. `passages`: how many are looked for and, room permitting, shown to the model.

    `min_confidence` None means the fitted threshold. `embedder` is the name in the embedder's identity: the scores of
    one that nothing was fitted for are left out of the confidence.
    """

    passages: int = 6
    room: Room = field(default_factory=Room)
    draft_seconds: float = 120.0
    min_confidence: float | None = None
    least_support: float = LEAST_SUPPORT
    embedder: str = ""


class Answering:
    """Answers questions from the library."""

    def __init__(
        self,
        *,
        library: EvidenceFinder,
        local: ChatModel,
        scale: LabelScale,
        detector: LanguageDetector,
        clock: Callable[[], float],
        new_id: Callable[[], UUID],
        settings: AnsweringSettings,
        translator: Translator | None = None,
    ) -> None:
        """`clock` counts seconds. Without a `translator` claims stand only in the language of their passages."""
        self._library, self._local, self._scale = library, local, scale
        self._detector, self._translator = detector, translator
        self._clock, self._new_id, self._settings = clock, new_id, settings
        self._confidence = Confidence.load(settings.embedder)

    async def answer(self, question: Question, *, reader: Principal) -> Answer:
        """The answer or refusal. Raises QuestionInvalid, and what the library and the model raise."""
        async with aclosing(self.events(question, reader=reader)) as events:
            async for event in events:
                if isinstance(event, Answer):
                    return event
        raise ModelUnavailable("The answer broke off.")

    async def events(self, question: Question, *, reader: Principal) -> AsyncGenerator[AnswerEvent]:
        """What happens, as it happens: passages, tokens of the draft, checked claims; the Answer comes last."""
        question.check()
        language = question.language or self._detector.detect(question.text)
        trip = Trip(self._new_id(), question, reader, language, self._clock)
        if not content_stems(question.text):
            yield self._refused(trip, RefusalReason.QUESTION_UNCLEAR)
            return
        said = await self._find(trip)
        if not trip.passages:
            yield self._refused(trip, RefusalReason.NOTHING_READABLE)
            return
        yield PassagesFound(trip.passages)
        seen = outlook(said, trip.readings)
        likely = self._confidence.before.probability(seen.features)
        if not seen.figures_present or likely < self._confidence.before.threshold:
            yield await self._refused_with_nearest(trip, said, RefusalReason.NOT_IN_DOCUMENTS, likely)
            return
        async with aclosing(self._written(trip, said, seen)) as events:
            async for event in events:
                yield event

    async def _find(self, trip: Trip) -> Asked:
        """Look for passages, read them, and read the question in their languages."""
        evidence = await self._library.evidence(
            trip.question.text, reader=trip.reader, filters=trip.question.filters, limit=self._settings.passages
        )
        trip.passages = evidence.passages[: self._settings.passages]
        trip.lap("search")
        trip.readings = read(trip.passages)
        trip.lap("check")
        trip.translations = await self._translations(trip)
        if trip.translations:
            trip.lap("translate")
        return asked(trip.question.text, trip.translations, trip.language)

    async def _translations(self, trip: Trip) -> dict[Language, str]:
        """The question in the other languages of the passages; none where nobody translates."""
        translations: dict[Language, str] = {}
        if self._translator is not None:
            for language in sorted({reading.language for reading in trip.readings} - {trip.language}):
                with suppress(TemporaryFailure):
                    translations[language] = await self._translator.translate(
                        trip.question.text, trip.language, language
                    )
        return translations

    async def _written(self, trip: Trip, said: Asked, seen: Outlook) -> AsyncGenerator[AnswerEvent]:
        """Draft and check. Raises what the model raises."""
        room = self._settings.room
        room = replace(room, context_tokens=min(room.context_tokens, self._local.context_tokens))
        prompt = compose(trip.question.text, trip.language, trip.passages, room, trip.translations)
        trip.lap("check")
        draft = Draft("", self._local.name)
        async with aclosing(drafting(self._local, prompt, seconds=self._settings.draft_seconds)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Draft):
                    draft = piece
                else:
                    yield piece
        trip.lap("draft")
        trip.show(prompt.passages)
        parsed = parse(draft.text, len(prompt.passages), cut_off=draft.finish_reason == "length")
        if parsed.is_refusal:
            yield await self._refused_with_nearest(trip, said, RefusalReason.NOT_IN_DOCUMENTS, 0.0)
            return
        verdict = await self._check(trip).draft(parsed)
        confidence = self._sure(trip, said, seen, verdict)
        if confidence < self._threshold:
            reason = RefusalReason.LOW_CONFIDENCE
            yield await self._refused_with_nearest(trip, said, reason, confidence, verdict)
            return
        for one in verdict.supported:
            yield ClaimChecked(one.claim, one.citations)
        yield self._logged(answered(trip, verdict, confidence, self._scale, draft.model))

    def _check(self, trip: Trip) -> Check:
        return Check(
            self._library, trip.reader, trip.readings, trip.language, self._translator, self._settings.least_support
        )

    def _sure(self, trip: Trip, said: Asked, seen: Outlook, verdict: Verdict) -> float:
        """The probability that the answer is right; 0 when nothing in it is supported."""
        if not verdict.supported:
            return 0.0
        places = [place for one in verdict.supported for place in one.places]
        measured = {"support": verdict.support, "kept": verdict.kept, "near": covered_by(said, places)}
        return self._confidence.after.probability(seen.features | measured)

    @property
    def _threshold(self) -> float:
        fixed = self._settings.min_confidence
        # Whatever the setting, an answer without a supported claim has confidence 0 and is refused.
        return self._confidence.after.threshold if fixed is None else max(fixed, 1e-9)

    async def _refused_with_nearest(
        self, trip: Trip, said: Asked, reason: RefusalReason, confidence: float, verdict: Verdict | None = None
    ) -> Answer:
        """A refusal that cites the sentences nearest to the question."""
        check, citations = self._check(trip), list[Citation]()
        for place in nearest(said, trip.readings):
            citations += await check.cited([place]) or ()
        refusal = refused(
            trip, reason, self._scale, self._local.name, confidence=confidence, citations=tuple(citations)
        )
        taken_out = () if verdict is None else (*(one.drafted.text for one in verdict.supported), *verdict.unsupported)
        return self._logged(replace(refusal, unsupported=taken_out))

    def _refused(self, trip: Trip, reason: RefusalReason) -> Answer:
        return self._logged(refused(trip, reason, self._scale, self._local.name))

    @staticmethod
    def _logged(answer: Answer) -> Answer:
        log.info(
            "answer.settled",
            answer=str(answer.id),
            status=answer.status,
            reason=answer.refusal.reason if answer.refusal else None,
            claims=len(answer.claims),
            unsupported=len(answer.unsupported),
            label=answer.label.name,
            prompt=VERSION,
            milliseconds=round(answer.timings_ms["total"]),
        )
        return answer

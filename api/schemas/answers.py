"""Questions and answers over the wire; the shape is fixed by the public contract."""

from typing import Literal, Self
from uuid import UUID

from pydantic import Field

from api.schemas.shapes import Filters, Given, Milliseconds, Rounded, Shown
from retrieval.model import Language
from serving.model import Answer, Citation, Claim, Question


class QuestionAsked(Given):
    """`POST /v1/answers`. The story itself refuses an empty or overlong question."""

    question: str
    conversation_id: str | None = Field(default=None, max_length=200)
    filters: Filters = Filters()
    language: Language | None = None
    may_leave: bool = False
    stream: bool = False

    def value(self) -> Question:
        """As answering takes it."""
        return Question(self.question, self.language, self.filters.value(), self.may_leave)


class RefusalShown(Shown):
    """Why there is no answer."""

    reason: str
    message: str


class ClaimShown(Shown):
    """One statement with its support and the numbers of its citations."""

    text: str
    support: Rounded
    citations: list[int]

    @classmethod
    def of(cls, claim: Claim) -> Self:
        """From serving's value."""
        return cls(text=claim.text, support=claim.support, citations=list(claim.citations))


class CitationShown(Shown):
    """Words in a stored version."""

    n: int
    document_id: UUID
    version: str
    title: str
    uri: str
    page: int | None
    start: int
    end: int
    quote: str

    @classmethod
    def of(cls, citation: Citation) -> Self:
        """From serving's value."""
        return cls(**{name: getattr(citation, name) for name in cls.model_fields})


class ClaimEvent(Shown):
    """The event `claim` of a stream."""

    claim: ClaimShown
    citations: list[CitationShown]


class RouteShown(Shown):
    """Where the answer was made and why there."""

    place: Literal["local", "cloud"]
    model: str
    why: str


class EgressShown(Shown):
    """What left the building."""

    left: bool
    receipt: str | None
    why_not: str | None


class CostShown(Shown):
    """In US dollars."""

    local_usd: Rounded
    cloud_usd: Rounded
    cloud_would_have_cost_usd: Rounded


class AnswerShown(Shown):
    """The answer: text with [n] markers and verified citations, or a refusal."""

    id: UUID
    status: Literal["answered", "refused"]
    answer: str | None
    refusal: RefusalShown | None
    claims: list[ClaimShown]
    citations: list[CitationShown]
    unsupported: list[str]
    confidence: Rounded
    label: str
    route: RouteShown
    egress: EgressShown
    cost: CostShown
    timings_ms: dict[str, Milliseconds]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """From serving's value."""
        refusal, route, egress, cost = answer.refusal, answer.route, answer.egress, answer.cost
        return cls(
            id=answer.id,
            status=answer.status,
            answer=answer.answer,
            refusal=RefusalShown(reason=refusal.reason, message=refusal.message) if refusal else None,
            claims=[ClaimShown.of(claim) for claim in answer.claims],
            citations=[CitationShown.of(citation) for citation in answer.citations],
            unsupported=list(answer.unsupported),
            confidence=answer.confidence,
            label=answer.label.name,
            route=RouteShown(place=route.place, model=route.model, why=route.why),
            egress=EgressShown(left=egress.left, receipt=egress.receipt, why_not=egress.why_not),
            cost=CostShown(
                local_usd=cost.local_usd,
                cloud_usd=cost.cloud_usd,
                cloud_would_have_cost_usd=cost.cloud_would_have_cost_usd,
            ),
            timings_ms=answer.timings_ms,
        )


class TokenEvent(Shown):
    """The event `token` of a stream: a piece of the draft, not yet checked."""

    text: str

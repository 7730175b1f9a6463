"""What serving talks about: a question, a draft, what was checked, and the answer that left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias
from uuid import UUID

from retrieval.access import Label
from retrieval.model import Language, Passage, SearchFilters
from serving.errors import QuestionInvalid

MAX_QUESTION_CHARACTERS = 8_000


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller asks. `language` is the language to answer in; None means that of the question."""

    text: str
    language: Language | None = None
    filters: SearchFilters = field(default_factory=SearchFilters)
    may_leave: bool = False

    def check(self) -> None:
        """Raise QuestionInvalid if there is nothing to answer, or too much."""
        if not self.text.strip() or len(self.text) > MAX_QUESTION_CHARACTERS:
            raise QuestionInvalid


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything a model gets. Chat models read `messages`; the extractive one reads question and passages.

    Passage n of the prompt (from 1) is `passages[n - 1]`. `translations` hold the question in other languages that
    passages are in. `json_schema` is a JSON document that the reply must follow, where the server can hold it to that.
    """

    question: str
    language: Language
    passages: tuple[Passage, ...]
    messages: tuple[Message, ...]
    max_tokens: int = 400
    translations: Mapping[Language, str] = field(default_factory=dict)
    json_schema: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one draft; None where the server does not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the draft's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of a reasoning model's thinking: kept apart, never shown as answer."""

    text: str


@dataclass(frozen=True, slots=True)
class DraftEnd:
    """The last delta of every draft that was not cut off."""

    usage: Usage = field(default_factory=Usage)
    finish_reason: str = "stop"
    mean_logprob: float | None = None


Delta: TypeAlias = TextDelta | ReasoningDelta | DraftEnd


@dataclass(frozen=True, slots=True)
class Draft:
    """A model's text, not yet checked."""

    text: str
    model: str
    reasoning: str = ""
    usage: Usage = field(default_factory=Usage)
    finish_reason: str = "stop"
    mean_logprob: float | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """Words in a stored version: `quote` is exactly `parsed_text[start:end]`."""

    n: int
    document_id: UUID
    version: str
    title: str
    uri: str
    page: int | None
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of an answer, how well its citations support it (0 to 1), and their numbers."""

    text: str
    support: float
    citations: tuple[int, ...]


class RefusalReason(StrEnum):
    """Why there is no answer."""

    NOTHING_READABLE = "nothing_readable"
    NOT_IN_DOCUMENTS = "not_in_documents"
    LOW_CONFIDENCE = "low_confidence"
    QUESTION_UNCLEAR = "question_unclear"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A normal result: no answer, why, and in the answer's citations the nearest passages."""

    reason: RefusalReason
    message: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where the answer was made and why there."""

    place: Literal["local", "cloud"]
    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Egress:
    """What left the building for this answer."""

    left: bool = False
    receipt: str | None = None
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """In US dollars."""

    local_usd: float = 0.0
    cloud_usd: float = 0.0
    cloud_would_have_cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets: an answer with verified citations, or a refusal. Never both.

    The markers [n] in `answer` are the `n` of `citations`. A refusal's citations are the nearest passages.
    `unsupported` are sentences of the draft that were taken out because nothing verified supports them.
    """

    id: UUID
    answer: str | None
    refusal: Refusal | None
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    confidence: float
    label: Label
    route: Route
    egress: Egress
    cost: Cost
    timings_ms: dict[str, float]
    unsupported: tuple[str, ...] = ()

    @property
    def status(self) -> Literal["answered", "refused"]:
        """Whether there is an answer."""
        return "refused" if self.refusal else "answered"


@dataclass(frozen=True, slots=True)
class PassagesFound:
    """Event: what the answer will be made from."""

    passages: Sequence[Passage]


@dataclass(frozen=True, slots=True)
class TokenDrafted:
    """Event: a piece of the draft, not yet checked."""

    text: str


@dataclass(frozen=True, slots=True)
class ClaimChecked:
    """Event: a claim and its citations, checked."""

    claim: Claim
    citations: tuple[Citation, ...]


AnswerEvent: TypeAlias = PassagesFound | TokenDrafted | ClaimChecked | Answer

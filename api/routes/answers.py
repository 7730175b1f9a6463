"""`POST /v1/answers`: a question, answered as one document or as a stream of events."""

from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from api.auth import Reader
from api.errors import RequestTimedOut
from api.parts import Parts, Wired
from api.patience import unless_gone, within
from api.schemas.answers import AnswerShown, CitationShown, ClaimEvent, ClaimShown, QuestionAsked, TokenEvent
from api.schemas.search import PassagesShown
from api.sse import error_event, event, stream
from retrieval.access import Principal
from retrieval.errors import LastroError
from serving.model import Answer, AnswerEvent, ClaimChecked, PassagesFound, Question, TokenDrafted

router = APIRouter(tags=["answers"])


@router.post("/v1/answers", response_model=AnswerShown)
async def ask(asked: QuestionAsked, request: Request, parts: Wired, caller: Reader) -> AnswerShown | StreamingResponse:
    """Answer from what the caller may read, or refuse with a reason and the nearest passages."""
    question = asked.value()
    if asked.stream:
        question.check()
        return stream(events(parts, question, caller.principal))
    answer = await unless_gone(request, parts.answering.answer(question, reader=caller.principal))
    parts.metrics.answered(answer)
    return AnswerShown.of(answer)


async def events(parts: Parts, question: Question, reader: Principal) -> AsyncGenerator[bytes]:
    """What happens, as it happens; ends with `answer` or `error`."""
    try:
        async for happened in within(
            parts.settings.server.request_seconds, parts.answering.events(question, reader=reader)
        ):
            if isinstance(happened, Answer):
                parts.metrics.answered(happened)
            yield shown(happened)
    except TimeoutError:
        yield error_event(RequestTimedOut())
    except LastroError as error:
        yield error_event(error)


def shown(happened: AnswerEvent) -> bytes:
    """One event of the story as one of the stream."""
    match happened:
        case PassagesFound():
            return event("passages", PassagesShown.of(happened.passages))
        case TokenDrafted():
            return event("token", TokenEvent(text=happened.text))
        case ClaimChecked():
            citations = [CitationShown.of(citation) for citation in happened.citations]
            return event("claim", ClaimEvent(claim=ClaimShown.of(happened.claim), citations=citations))
        case Answer():
            return event("answer", AnswerShown.of(happened))

"""What the routes work with: the parts as the wiring put them together."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.accounts import Accounts
from api.idempotency import Replies
from api.settings import Settings
from api.telemetry import Metrics
from ingest.intake import Intake
from ingest.ports import JobLog
from retrieval.access import LabelScale
from retrieval.library import Library
from serving.answering import Answering


@dataclass(frozen=True, slots=True)
class Parts:
    """One application, wired. `checks` are what must work for it to be ready, each raising when it does not."""

    settings: Settings
    scale: LabelScale
    library: Library
    answering: Answering
    intake: Intake
    jobs: JobLog
    accounts: Accounts
    replies: Replies
    checks: Mapping[str, Callable[[], Awaitable[object]]]
    local_digest: str = ""
    metrics: Metrics = field(default_factory=Metrics)


def parts_of(request: Request) -> Parts:
    """The parts of the application that serves this request."""
    parts = request.app.state.parts
    if not isinstance(parts, Parts):
        raise TypeError("the application was made without its parts")
    return parts


Wired = Annotated[Parts, Depends(parts_of)]

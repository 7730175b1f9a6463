"""Where one page of a list of jobs ends and the next begins, as text that callers hand back."""

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from ingest.model import Job
from retrieval.errors import NotFound


def cursor_of(last: Job) -> str:
    """The place of a job in the list, newest first and then by id."""
    return base64.urlsafe_b64encode(f"{last.created.isoformat()} {last.id}".encode()).decode()


def place_of(cursor: str) -> tuple[datetime, UUID]:
    """The place again. Raises NotFound for what `cursor_of` did not make."""
    try:
        created, _, job = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        moment = datetime.fromisoformat(created)
        place = moment.astimezone(UTC), UUID(job)
    except (binascii.Error, OverflowError, ValueError) as error:
        raise NotFound("There is no such page.", remedy="Begin again without a cursor.") from error
    if moment.tzinfo is None:
        raise NotFound("There is no such page.", remedy="Begin again without a cursor.")
    return place

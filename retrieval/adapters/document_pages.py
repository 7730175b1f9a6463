"""Where one page of the list of documents ends and the next begins, as text that callers hand back."""

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from retrieval.errors import NotFound
from retrieval.model import CatalogueEntry


def cursor_of(last: CatalogueEntry) -> str:
    """The place of an entry in the list, newest first and then by id."""
    place = f"{last.added.isoformat()} {last.version.document_id}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def place_of(cursor: str) -> tuple[datetime, UUID]:
    """The place again. Raises NotFound for what `cursor_of` did not make."""
    try:
        added, _, document = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        moment = datetime.fromisoformat(added)
        place = moment.astimezone(UTC), UUID(document)
    except (binascii.Error, OverflowError, ValueError) as error:
        raise NotFound("There is no such page.", remedy="Begin again without a cursor.") from error
    if moment.tzinfo is None:
        raise NotFound("There is no such page.", remedy="Begin again without a cursor.")
    return place

"""`POST /v1/search`: passages, without an answer."""

from fastapi import APIRouter

from api.auth import Reader
from api.parts import Wired
from api.schemas.search import PassagesShown, SearchAsked

router = APIRouter(tags=["search"])


@router.post("/v1/search")
async def search(asked: SearchAsked, parts: Wired, caller: Reader) -> PassagesShown:
    """The best passages among those that the caller may read."""
    filters = asked.filters.value()
    found = await parts.library.search(asked.query, reader=caller.principal, filters=filters, limit=asked.limit)
    return PassagesShown.of(found)

"""`GET /v1/me`: who the key says you are."""

from fastapi import APIRouter

from api.auth import Reader
from api.schemas.keys import MeShown

router = APIRouter(tags=["me"])


@router.get("/v1/me")
async def me(caller: Reader) -> MeShown:
    """The caller's name, groups, clearance and role."""
    principal = caller.principal
    return MeShown(
        user=principal.user,
        tenant=principal.tenant,
        groups=sorted(principal.groups),
        clearance=principal.clearance.name,
        role=caller.role.label,
    )

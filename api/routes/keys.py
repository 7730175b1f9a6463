"""Users and keys, for administrators."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import Administrator, Role, User
from api.parts import Wired
from api.schemas.keys import ActiveGiven, KeyAsked, KeyMade, KeyShown, KeysShown, UserShown, UsersShown

router = APIRouter(tags=["keys"])


@router.post("/v1/keys", status_code=201)
async def create_key(asked: KeyAsked, parts: Wired, caller: Administrator) -> KeyMade:
    """Make or update the user, and make a key for them. The key is shown this once."""
    clearance = parts.scale.label(asked.clearance).name if asked.clearance else parts.scale.lowest.name
    user = User(caller.principal.tenant, asked.user, asked.groups, clearance, Role.named(asked.role))
    key_id, key = await parts.accounts.create_key(user)
    return KeyMade(id=key_id, key=key, user=user.name, role=user.role.label)


@router.get("/v1/keys")
async def list_keys(parts: Wired, caller: Administrator, cursor: str | None = None, limit: int = 50) -> KeysShown:
    """All keys, without their secrets."""
    page = await parts.accounts.keys(cursor=cursor, limit=min(max(limit, 1), 200))
    return KeysShown(items=[KeyShown.of(record) for record in page.items], next=page.cursor)


@router.delete("/v1/keys/{key_id}", status_code=204)
async def revoke_key(key_id: UUID, parts: Wired, caller: Administrator) -> Response:
    """Revoke a key: it is refused from the next request on."""
    await parts.accounts.revoke(key_id)
    return Response(status_code=204)


@router.get("/v1/users")
async def list_users(parts: Wired, caller: Administrator, cursor: str | None = None, limit: int = 50) -> UsersShown:
    """All users and their rights."""
    page = await parts.accounts.users(cursor=cursor, limit=min(max(limit, 1), 200))
    return UsersShown(items=[UserShown.of(user) for user in page.items], next=page.cursor)


@router.put("/v1/users/{name}/active")
async def set_active(name: str, given: ActiveGiven, parts: Wired, caller: Administrator) -> UserShown:
    """Suspend a user, or let them in again: acts on the next request of all their keys."""
    return UserShown.of(await parts.accounts.set_active(name, active=given.active))

"""Users and keys over the wire. A key is shown once, when it is made."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field

from api.accounts import KeyRecord
from api.auth import User
from api.schemas.shapes import Given, Shown, Time

RoleName = Literal["reader", "contributor", "curator", "administrator"]
# Names stand in lists with commas and before a slash in the names of sources.
Name = Annotated[str, Field(pattern=r"^[^\s/\\,]{1,200}$")]
Group = Annotated[str, Field(pattern=r"^[^\s,](?:[^,\n]{0,198}[^\s,])?$")]


class KeyAsked(Given):
    """`POST /v1/keys`: makes the user or gives them exactly these rights, and makes a key."""

    user: Name
    groups: frozenset[Group] = frozenset()
    clearance: str | None = None
    role: RoleName = "reader"


class KeyMade(Shown):
    """The new key; it cannot be shown again."""

    id: UUID
    key: str
    user: str
    role: str


class KeyShown(Shown):
    """A key without its secret."""

    id: UUID
    user: str
    hint: str
    created: Time
    revoked: Time | None

    @classmethod
    def of(cls, record: KeyRecord) -> Self:
        """From the table's row."""
        return cls(
            id=record.id,
            user=record.user,
            hint=record.hint,
            created=record.created,
            revoked=record.revoked,
        )


class KeysShown(Shown):
    """One page of keys."""

    items: list[KeyShown]
    next: str | None = None


class UserShown(Shown):
    """A user and their rights."""

    user: str
    groups: list[str]
    clearance: str
    role: str
    active: bool

    @classmethod
    def of(cls, user: User) -> Self:
        """From the table's row."""
        return cls(
            user=user.name,
            groups=sorted(user.groups),
            clearance=user.clearance,
            role=user.role.label,
            active=user.active,
        )


class UsersShown(Shown):
    """One page of users."""

    items: list[UserShown]
    next: str | None = None


class ActiveGiven(Given):
    """`PUT /v1/users/{name}/active`."""

    active: bool


class MeShown(Shown):
    """Who the key says you are."""

    user: str
    tenant: str
    groups: list[str]
    clearance: str
    role: str

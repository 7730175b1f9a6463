"""Who is calling: one way in (`Authorization: Bearer KEY`), closed by default.

The check runs before routing, so that without a key nothing can be learned, not even which paths exist, and no body
is read. User and key are looked up at each request: suspending or revoking acts on the next one.
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from hmac import compare_digest
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Request
from fastapi.params import Depends as Dependency
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import NotAllowed, NotSignedIn, problem_of
from api.headers import ACTING
from retrieval.access import LabelScale, Principal
from retrieval.errors import LastroError, UnknownLabel

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
KEY_PREFIX = "lastro_"


class Role(IntEnum):
    """What a user may do; each role includes those below it."""

    READER = 0
    CONTRIBUTOR = 1
    CURATOR = 2
    ADMINISTRATOR = 3

    @property
    def label(self) -> str:
        """As users write it."""
        return self.name.lower()

    @classmethod
    def named(cls, name: str) -> "Role":
        """The role of that name; an unknown one is the lowest."""
        return cls.__members__.get(name.upper(), cls.READER)


@dataclass(frozen=True, slots=True)
class User:
    """A person or a program as the users table knows it."""

    tenant: str
    name: str
    groups: frozenset[str]
    clearance: str
    role: Role
    active: bool = True

    def principal(self, scale: LabelScale) -> Principal:
        """What decides what they may read; a clearance that left the scale is the lowest."""
        try:
            clearance = scale.label(self.clearance)
        except UnknownLabel:
            clearance = scale.lowest
        return Principal(self.tenant, self.name, self.groups, clearance)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, as their key proves it."""

    principal: Principal
    role: Role
    key_id: UUID


class Users(Protocol):
    """Where keys and users are looked up."""

    async def by_key(self, digest: str) -> tuple[UUID, User] | None:
        """The unrevoked key of that digest and its user, whatever the user's state."""

    async def user(self, name: str) -> User | None:
        """One user."""


def digest_of_key(key: str) -> str:
    """What is stored of a key. It has 256 random bits, so that a plain SHA-256 cannot be searched backwards."""
    return sha256(key.encode()).hexdigest()


def bearer(authorization: str | None) -> str:
    """The key in the header. Raises NotSignedIn."""
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key.startswith(KEY_PREFIX) or not key.isascii():
        raise NotSignedIn
    return key


class Authenticator:
    """Turns the headers of a request into a caller."""

    def __init__(self, users: Users, scale: LabelScale, *, local_digest: str = "") -> None:
        self.users = users
        self.scale = scale
        self.local_digest = local_digest

    async def caller(self, authorization: str | None, acting_as: str | None = None) -> Caller:
        """The caller. Raises NotSignedIn alike for every reason; NotAllowed for acting as somebody else.

        Only the key in the data folder's token file may act as another user: who can read that file can read the
        documents anyway.
        """
        digest = digest_of_key(bearer(authorization))
        found = await self.users.by_key(digest)
        if found is None or not found[1].active:
            raise NotSignedIn
        key_id, user = found
        if acting_as is not None:
            user = await self._other(acting_as, digest)
        return Caller(user.principal(self.scale), user.role, key_id)

    async def _other(self, name: str, digest: str) -> User:
        if not (self.local_digest and compare_digest(self.local_digest, digest)):
            raise NotAllowed(f"Only the local token may send `{ACTING}`.")
        user = await self.users.user(name)
        if user is None or not user.active:
            raise NotAllowed(f"There is no active user {name!r}.", remedy="Make one with `lastro keys create`.")
        return user


class SignIn:
    """Answers 401 to whatever comes without a valid key, whichever path it is for."""

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator) -> None:
        self.app = app
        self.authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with the caller in the request's state."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            headers = Headers(scope=scope)
            try:
                caller = await self.authenticator.caller(only(headers, "authorization"), only(headers, ACTING))
            except LastroError as error:
                await problem_of(error)(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, receive, send)


def only(headers: Headers, name: str) -> str | None:
    """The header's value. Raises NotSignedIn when it came twice: a proxy before us may have read the other one."""
    values = headers.getlist(name)
    if len(values) > 1:
        raise NotSignedIn
    return values[0] if values else None


def caller_of(request: HTTPConnection) -> Caller:
    """The caller of this request."""
    caller = getattr(request.state, "caller", None)
    if not isinstance(caller, Caller):
        raise NotSignedIn
    return caller


def require(role: Role) -> Dependency:
    """A dependency that lets callers of at least this role through."""

    async def check(request: Request) -> Caller:
        caller = caller_of(request)
        if caller.role < role:
            raise NotAllowed(f"This needs the role {role.label}; yours is {caller.role.label}.")
        return caller

    return Dependency(check)


Reader = Annotated[Caller, require(Role.READER)]
Contributor = Annotated[Caller, require(Role.CONTRIBUTOR)]
Administrator = Annotated[Caller, require(Role.ADMINISTRATOR)]

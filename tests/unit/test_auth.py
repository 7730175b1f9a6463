from uuid import UUID, uuid4

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from api.auth import Authenticator, Caller, Role, SignIn, User, bearer, digest_of_key
from api.errors import NotAllowed, NotSignedIn
from retrieval.access import LabelScale
from retrieval.errors import StoreUnavailable

KEY = "lastro_" + "k" * 43
LOCAL = "lastro_" + "l" * 43
SCALE = LabelScale()
ANNA = User("main", "anna", frozenset({"hr"}), "internal", Role.CONTRIBUTOR)
ADMIN = User("main", "admin", frozenset(), "restricted", Role.ADMINISTRATOR)


class Table:
    """Users and keys in a dictionary."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[UUID, User]] = {
            digest_of_key(KEY): (uuid4(), ANNA),
            digest_of_key(LOCAL): (uuid4(), ADMIN),
        }
        self.people = {"anna": ANNA, "admin": ADMIN}
        self.down = False

    async def by_key(self, digest: str) -> tuple[UUID, User] | None:
        if self.down:
            raise StoreUnavailable
        return self.keys.get(digest)

    async def user(self, name: str) -> User | None:
        return self.people.get(name)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def authenticator(table: Table) -> Authenticator:
    return Authenticator(table, SCALE, local_digest=digest_of_key(LOCAL))


async def test_a_valid_key_gives_its_user_with_groups_clearance_and_role(authenticator: Authenticator) -> None:
    caller = await authenticator.caller(f"Bearer {KEY}")
    assert caller.principal.user == "anna"
    assert caller.principal.groups == {"hr"}
    assert caller.principal.clearance == SCALE.label("internal")
    assert caller.role is Role.CONTRIBUTOR


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", KEY, f"Basic {KEY}", f"Token {KEY}", "Bearer lastro_wrong", f"Bearer {KEY} x",
     f"Bearer  {KEY}", "Bearer none", "Bearer lastro_\u00e9", "Bearer eyJhbGciOiJub25lIn0.e30."],
)  # fmt: skip
async def test_anything_but_a_valid_key_is_refused_alike(authenticator: Authenticator, header: str | None) -> None:
    with pytest.raises(NotSignedIn) as failure:
        await authenticator.caller(header)
    assert failure.value.message == NotSignedIn().message


def test_the_scheme_s_case_does_not_matter() -> None:
    assert bearer(f"bearer {KEY}") == bearer(f"BEARER {KEY}") == KEY


async def test_a_suspended_user_s_key_is_refused_at_the_next_request(
    table: Table, authenticator: Authenticator
) -> None:
    await authenticator.caller(f"Bearer {KEY}")
    key_id, _ = table.keys[digest_of_key(KEY)]
    table.keys[digest_of_key(KEY)] = (key_id, User("main", "anna", frozenset(), "internal", Role.READER, active=False))
    with pytest.raises(NotSignedIn):
        await authenticator.caller(f"Bearer {KEY}")


async def test_a_clearance_that_left_the_scale_is_the_lowest(table: Table) -> None:
    user = User("main", "old", frozenset(), "secret-of-yore", Role.READER)
    assert user.principal(SCALE).clearance == SCALE.lowest


async def test_the_local_token_may_act_as_another_user_with_that_user_s_rights(authenticator: Authenticator) -> None:
    caller = await authenticator.caller(f"Bearer {LOCAL}", "anna")
    assert (caller.principal.user, caller.role) == ("anna", Role.CONTRIBUTOR)
    assert caller.principal.clearance == SCALE.label("internal")


async def test_no_other_key_may_act_as_another_user(authenticator: Authenticator) -> None:
    with pytest.raises(NotAllowed, match="local token"):
        await authenticator.caller(f"Bearer {KEY}", "admin")


async def test_without_a_local_token_nobody_may_act_as_another(table: Table) -> None:
    with pytest.raises(NotAllowed, match="local token"):
        await Authenticator(table, SCALE).caller(f"Bearer {LOCAL}", "anna")


@pytest.mark.parametrize("name", ["", "nobody", "ghost"])
async def test_acting_as_nobody_is_refused(table: Table, authenticator: Authenticator, name: str) -> None:
    table.people["ghost"] = User("main", "ghost", frozenset(), "public", Role.READER, active=False)
    with pytest.raises(NotAllowed, match="no active user"):
        await authenticator.caller(f"Bearer {LOCAL}", name)


def test_an_unknown_role_is_the_lowest() -> None:
    assert Role.named("emperor") is Role.READER
    assert [Role.named(role.label) for role in Role] == list(Role)


async def reached(scope: Scope, receive: Receive, send: Send) -> None:
    caller = scope.get("state", {}).get("caller")
    name = caller.principal.user if isinstance(caller, Caller) else "nobody"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": name.encode()})


async def ask(authenticator: Authenticator, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(SignIn(reached, authenticator=authenticator))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return await http.get(path, headers=headers)


async def test_only_health_answers_without_a_key(authenticator: Authenticator) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await ask(authenticator, path)).text == "nobody"
    replies = [await ask(authenticator, path) for path in ("/", "/v1/me", "/metrics", "/docs", "/nothing", "/healthz/")]
    assert {reply.status_code for reply in replies} == {401}
    assert len({reply.content for reply in replies}) == 1
    assert {reply.headers["www-authenticate"] for reply in replies} == {"Bearer"}


@pytest.mark.parametrize("alias", ["x-api-key", "api-key", "x-authorization", "cookie"])
async def test_a_key_in_any_other_header_is_ignored(authenticator: Authenticator, alias: str) -> None:
    assert (await ask(authenticator, "/v1/me", **{alias: f"Bearer {KEY}"})).status_code == 401
    assert (await ask(authenticator, f"/v1/me?api_key={KEY}")).status_code == 401


async def test_the_caller_goes_along_with_the_request(authenticator: Authenticator) -> None:
    assert (await ask(authenticator, "/v1/me", authorization=f"Bearer {KEY}")).text == "anna"
    acting = {"authorization": f"Bearer {LOCAL}", "lastro-as": "anna"}
    assert (await ask(authenticator, "/v1/me", **acting)).text == "anna"
    refused = await ask(authenticator, "/v1/me", **{**acting, "authorization": f"Bearer {KEY}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")


async def test_when_users_cannot_be_looked_up_nobody_comes_in(table: Table, authenticator: Authenticator) -> None:
    table.down = True
    reply = await ask(authenticator, "/v1/me", authorization=f"Bearer {KEY}")
    assert (reply.status_code, reply.json()["code"]) == (503, "store_unavailable")


async def test_what_is_not_http_passes(authenticator: Authenticator) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> Message:
        return {}

    await SignIn(app, authenticator=authenticator)({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"]

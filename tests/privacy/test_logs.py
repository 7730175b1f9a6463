"""What documents say, what people ask and their keys stand in no log, no metric and no error, on any path."""

import json
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import structlog

from api.auth import Role
from api.logs import configure_logs
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.errors import StoreUnavailable
from serving.adapters.scripted import ScriptedModel
from serving.errors import ModelUnavailable
from serving.model import Delta, Prompt

DOCUMENT, QUESTION, NAME, DRAFT = "canarydocument", "canaryquestion", "canaryname", "canarydraft"
TEXT = f"The {DOCUMENT} opens the north gate at noon."
ASKED = f"When does the {DOCUMENT} {QUESTION} open the north gate?"


Told: TypeAlias = Callable[[], str]


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Iterator[Told]:
    """What was written to the terminal since it was last asked, with logs at the finest level in the product's form."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logs("debug", process="test")
    yield lambda: "".join(capfd.readouterr())
    structlog.configure(**before)
    root.handlers, root.level = handlers, level


class Broken(MemoryVectorStore):
    """Fails with a text that quotes what it was asked, as libraries do."""

    failure: Exception | None = None

    async def search(self, query: Any) -> Any:
        if self.failure is not None:
            raise self.failure
        return await super().search(query)


@pytest.fixture
def vectors() -> Broken:
    return Broken()


class Blabbing(ScriptedModel):
    """Falls over in the middle of a draft, and says what it read."""

    def __init__(self, error: Exception) -> None:
        super().__init__([])
        self.error = error

    async def draft(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        raise self.error
        yield


@contextmanager
def silent(told: Told, *secrets: str) -> Iterator[None]:
    """Something is logged in the block, and none of the canaries or of the secrets is in it or on the terminal."""
    told()
    yield
    logged = told()
    assert logged, "nothing was logged: the test looks in the wrong place"
    for secret in (DOCUMENT, QUESTION, NAME, DRAFT, *secrets):
        assert secret not in logged, secret
    for line in logged.splitlines():
        assert json.loads(line)["level"]


@asynccontextmanager
async def asker(house: Any, role: Role = Role.CONTRIBUTOR, **changed: Any) -> AsyncGenerator[Any]:
    key = await house.key("anna", role)
    async with house.client(key, **changed) as client:
        client.secret = key
        yield client


async def test_a_day_of_ordinary_work_leaves_no_text_behind(house: Any, told: Told) -> None:
    async with asker(house) as client:
        with silent(told, client.secret):
            document, job = await house.add("anna", TEXT, f"{NAME}/{NAME}.txt")
            for stream in (False, True):
                reply = await client.post("/v1/answers", json={"question": ASKED, "stream": stream})
                assert DOCUMENT in reply.text
            assert DOCUMENT in (await client.post("/v1/search", json={"query": ASKED})).text
            await client.get(f"/v1/documents?source={NAME}")
            await client.get(f"/v1/{NAME}")
            assert NAME in (await client.get(f"/v1/jobs/{job}")).text
            assert DOCUMENT in (await client.get(f"/v1/documents/{document}/content")).text
            await client.put(f"/v1/documents/{document}/access", json={"label": "public", "readers": [f"user:{NAME}"]})
            metrics = (await client.get("/metrics")).text
            await client.delete(f"/v1/documents/{document}")
        assert "lastro_answers_total{" in metrics
        for secret in (DOCUMENT, QUESTION, NAME, client.secret):
            assert secret not in metrics


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/answers", {"question": f"{QUESTION} " * 1_000}),
        ("POST", "/v1/answers", {"question": [QUESTION]}),
        ("POST", "/v1/answers", {"question": {"text": QUESTION}}),
        ("POST", "/v1/answers", {"question": "Where?", "language": QUESTION}),
        ("POST", "/v1/answers", {"question": "Where?", "may_leave": QUESTION}),
        ("POST", "/v1/answers", {"question": f"{QUESTION}\x00"}),
        ("POST", "/v1/search", {"query": f"{QUESTION} " * 1_000}),
        ("POST", "/v1/search", {"query": "x", "limit": QUESTION}),
        ("POST", "/v1/search", {"query": "x", "filters": QUESTION}),
        ("POST", "/v1/search", QUESTION),
        ("GET", f"/v1/documents/{QUESTION}", None),
        ("GET", f"/v1/documents?cursor={QUESTION}", None),
        ("GET", f"/v1/jobs?state={QUESTION}", None),
        ("GET", f"/v1/jobs?limit={QUESTION}", None),
        ("PATCH", f"/v1/jobs/{QUESTION}", None),
    ],
)
async def test_what_cannot_be_understood_is_not_repeated(
    house: Any, told: Told, method: str, path: str, body: Any
) -> None:
    async with asker(house) as client:
        with silent(told, client.secret):
            reply = await client.request(method, path, json=body)
        assert 400 <= reply.status_code < 500
        assert QUESTION not in reply.text


@pytest.mark.parametrize("content", [f'{{"question": "{QUESTION}', f"{QUESTION}", f'["{QUESTION}"' * 40_000])
async def test_broken_json_is_not_repeated(house: Any, told: Told, content: str) -> None:
    async with asker(house) as client:
        with silent(told):
            reply = await client.post("/v1/answers", content=content, headers={"content-type": "application/json"})
        assert reply.status_code in {400, 422}
        assert QUESTION not in reply.text


@pytest.mark.parametrize(
    ("error", "stream"),
    [
        (ValueError(TEXT), False),
        (RuntimeError(f"{DRAFT}: {ASKED}"), False),
        (KeyError(DOCUMENT), False),
        (ModelUnavailable("No answer."), False),
        (ModelUnavailable("No answer."), True),
    ],
)
async def test_a_model_that_fails_over_a_text_does_not_tell_it(
    house: Any, told: Told, error: Exception, stream: bool
) -> None:
    await house.add("anna", TEXT)
    async with asker(house, answering=house.answering(Blabbing(error))) as client:
        with silent(told, client.secret):
            reply = await client.post("/v1/answers", json={"question": ASKED, "stream": stream})
        if not stream:
            assert reply.status_code in {500, 503}
            assert DOCUMENT not in reply.text
        assert DRAFT not in reply.text
        assert QUESTION not in reply.text


@pytest.mark.parametrize("error", [StoreUnavailable("The index does not answer."), RuntimeError(ASKED), OSError(TEXT)])
async def test_an_index_that_fails_over_a_question_does_not_tell_it(
    house: Any, vectors: Broken, told: Told, error: Exception
) -> None:
    await house.add("anna", TEXT)
    vectors.failure = error
    async with asker(house) as client:
        with silent(told, client.secret):
            replies = [
                await client.post("/v1/search", json={"query": ASKED}),
                await client.post("/v1/answers", json={"question": ASKED}),
            ]
    for reply in replies:
        assert reply.status_code in {500, 503}
        assert reply.headers["content-type"] == "application/problem+json"
        assert DOCUMENT not in reply.text
        assert QUESTION not in reply.text


async def test_a_database_that_breaks_does_not_quote_the_statement(house: Any, told: Told, tmp_path: Path) -> None:
    await house.add("anna", TEXT, f"{NAME}.txt")
    async with asker(house) as client:
        for file in tmp_path.glob("lastro.db*"):
            file.write_bytes(DOCUMENT.encode() * 5_000)
        with silent(told, client.secret):
            replies = [
                await client.get(f"/v1/documents?source={NAME}"),
                await client.post("/v1/search", json={"query": ASKED}),
                await client.post("/v1/documents", files={"files": (f"{NAME}.txt", TEXT.encode())}),
            ]
    for reply in replies:
        assert reply.status_code >= 500
        assert not any(secret in reply.text for secret in (DOCUMENT, QUESTION, NAME))


async def test_a_document_that_cannot_be_read_fails_without_its_text(house: Any, told: Told) -> None:
    async with asker(house) as client:
        with silent(told, client.secret):
            files = [("files", (f"{NAME}.exe", TEXT.encode())), ("files", (f"{NAME}.txt", b""))]
            jobs = (await client.post("/v1/documents", files=files)).json()["jobs"]
            await house.work()
        for job in jobs:
            error = (await client.get(f"/v1/jobs/{job['id']}")).json()["error"]
            assert error["code"]
            assert DOCUMENT not in json.dumps(error)


@pytest.mark.parametrize("carrier", ["authorization", "x-api-key", "cookie", "lastro-as"])
async def test_keys_are_told_to_nobody(house: Any, told: Told, carrier: str) -> None:
    stray = "lastro_" + "canarykey" * 4
    async with asker(house, Role.ADMINISTRATOR) as client:
        told()
        made = (await client.post("/v1/keys", json={"user": "ben"})).json()
        headers = {"authorization": f"Bearer {client.secret}", carrier: f"Bearer {stray}"}
        replies = [await client.get(f"/v1/me?key={stray}", headers=headers), await client.get("/v1/keys")]
        replies += [await client.delete(f"/v1/keys/{made['id']}"), await client.get("/metrics")]
        logged = told()
    assert '"request"' in logged
    for secret in (stray, made["key"], client.secret):
        assert secret not in logged
        assert not any(secret in reply.text for reply in replies)

"""The embedder over the wire: what is sent, what is tried again, and what each wrong answer becomes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import httpx
import numpy as np
import pytest

from retrieval.adapters.embedding_prefixes import Prefixes
from retrieval.adapters.openai_embeddings import OpenAIEmbeddings
from retrieval.errors import EmbedderUnavailable, InvalidVector, LastroError, PermanentFailure

Reply = tuple[int, dict[str, str], bytes]


def vectors_of(texts: list[str]) -> bytes:
    rows = [{"index": n, "embedding": [3.0, float(len(text))]} for n, text in enumerate(texts)]
    return json.dumps({"data": rows}).encode()


@dataclass
class Server:
    """Answers by script, then properly; keeps what it was asked."""

    script: list[Reply | None] = field(default_factory=list)
    asked: list[tuple[dict[str, str], dict[str, object]]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    url: str = ""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n"):
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                self.asked.append(({**headers, "request": head[0]}, body))
                reply = self.script.pop(0) if self.script else (200, {}, vectors_of(body["input"]))
                if reply is None:
                    return
                status, more, content = reply
                lines = [
                    f"HTTP/1.1 {status} x",
                    f"content-length: {len(content)}",
                    *(f"{k}: {v}" for k, v in more.items()),
                ]
                writer.write("\r\n".join([*lines, "", ""]).encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    state = Server()
    listening = await asyncio.start_server(state.converse, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield state
    listening.close()


Make = Callable[..., OpenAIEmbeddings]


@pytest.fixture
async def make(server: Server) -> AsyncIterator[Make]:
    made: list[OpenAIEmbeddings] = []

    def embedder(model: str = "bge-m3", **options: object) -> OpenAIEmbeddings:
        settings = {"url": server.url, "sleep": server.sleep, **options}
        made.append(OpenAIEmbeddings(model=model, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield embedder
    for each in made:
        await each.close()


def inputs(server: Server) -> Iterator[object]:
    return (body["input"] for _, body in server.asked)


async def test_a_request_is_what_openai_compatible_servers_take(server: Server, make: Make) -> None:
    await make(api_key="secret").embed_queries(["a", "b"])
    headers, body = server.asked[0]
    assert headers["request"] == "POST /v1/embeddings HTTP/1.1"
    assert headers["authorization"] == "Bearer secret"
    assert body == {"model": "bge-m3", "input": ["a", "b"], "encoding_format": "float"}


async def test_without_a_key_none_is_sent(server: Server, make: Make) -> None:
    await make().embed_queries(["a"])
    assert "authorization" not in server.asked[0][0]


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/v1/embeddings"])
async def test_the_address_may_end_as_users_write_it(server: Server, make: Make, ending: str) -> None:
    await make(url=server.url + ending).embed_queries(["a"])
    assert server.asked[0][0]["request"] == "POST /v1/embeddings HTTP/1.1"


async def test_the_model_s_name_decides_about_prefixes(server: Server, make: Make) -> None:
    embedder = make("intfloat/multilingual-e5-small")
    await embedder.embed_queries(["a"])
    await embedder.embed_passages(["b"])
    await make("intfloat/multilingual-e5-small", prefixes=Prefixes("Q ", "P ")).embed_passages(["c"])
    assert list(inputs(server)) == [["query: a"], ["passage: b"], ["P c"]]


async def test_many_texts_go_in_batches(server: Server, make: Make) -> None:
    texts = ["x" * (n + 1) for n in range(70)]
    vectors = await make().embed_passages(texts)
    assert [len(batch) for batch in inputs(server)] == [32, 32, 6]  # type: ignore[arg-type]
    assert vectors[:, 1] / vectors[:, 0] * 3 == pytest.approx(np.arange(1, 71), rel=1e-4)


async def test_the_dimensions_are_known_once_a_text_was_embedded(server: Server, make: Make) -> None:
    embedder = make(max_tokens=8192)
    with pytest.raises(EmbedderUnavailable, match="not been asked"):
        _ = embedder.identity
    assert await embedder.open() is embedder
    identity = embedder.identity
    assert (identity.name, identity.dimensions, identity.max_tokens, identity.digest) == ("bge-m3", 2, 8192, "")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_busy_server_is_asked_again_after_growing_pauses(server: Server, make: Make, status: int) -> None:
    server.script = [(status, {}, b"")] * 3
    assert (await make().embed_queries(["a"])).shape == (1, 2)
    assert server.pauses == [0.5, 1.0, 2.0]


async def test_a_server_that_stays_busy_is_given_up(server: Server, make: Make) -> None:
    server.script = [(503, {}, b"")] * 9
    with pytest.raises(EmbedderUnavailable, match="503"):
        await make().embed_queries(["a"])
    assert len(server.asked) == 4


async def test_the_server_says_how_long_to_wait(server: Server, make: Make) -> None:
    server.script = [(429, {"Retry-After": "7"}, b""), (429, {"Retry-After": "tomorrow"}, b"")]
    await make().embed_queries(["a"])
    assert server.pauses == [7, 1.0]


async def test_a_long_wait_is_the_caller_s_to_decide(server: Server, make: Make) -> None:
    server.script = [(503, {"Retry-After": "3600"}, b"")]
    with pytest.raises(EmbedderUnavailable):
        await make().embed_queries(["a"])
    assert server.pauses == []


async def test_a_connection_that_breaks_is_tried_again(server: Server, make: Make) -> None:
    server.script = [None]
    assert (await make().embed_queries(["a"])).shape == (1, 2)
    assert len(server.asked) == 2


async def test_nobody_at_the_address_makes_the_embedder_unavailable(make: Make, server: Server) -> None:
    with pytest.raises(EmbedderUnavailable, match="does not answer: ConnectError") as failure:
        await make(url="http://127.0.0.1:1").open()
    assert isinstance(failure.value.__cause__, httpx.ConnectError)


async def test_a_server_that_hangs_is_not_asked_again(server: Server, make: Make) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    with pytest.raises(EmbedderUnavailable, match="in time"):
        await make(url=url, timeout_seconds=0.1).embed_queries(["a"])
    assert server.pauses == []
    listening.close()


@pytest.mark.parametrize(
    ("status", "word"), [(400, "log"), (401, "api_key"), (403, "api_key"), (404, "model"), (422, "log"), (301, "log")]
)
async def test_a_refusal_is_permanent_and_names_the_remedy(server: Server, make: Make, status: int, word: str) -> None:
    server.script = [(status, {"Location": "/elsewhere"}, b"{}")]
    with pytest.raises(PermanentFailure, match=str(status)) as failure:
        await make().embed_queries(["a"])
    assert word in failure.value.hint
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<html>", EmbedderUnavailable),
        (b"[]", EmbedderUnavailable),
        (b'{"data": [{"embedding": [1.0]}]}', EmbedderUnavailable),
        (b'{"data": [{"index": "first", "embedding": [1.0]}]}', EmbedderUnavailable),
        (b'{"data": []}', InvalidVector),
        (b'{"data": [{"index": 0, "embedding": "AACAPw=="}]}', InvalidVector),
        (b'{"data": [{"index": 0, "embedding": [0.0, 0.0]}]}', InvalidVector),
        (b'{"data": [{"index": 0, "embedding": [NaN, 1.0]}]}', InvalidVector),
        (b'{"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]}', InvalidVector),
    ],
)
async def test_an_answer_without_the_vectors_is_never_stored(
    server: Server, make: Make, content: bytes, kind: type[LastroError]
) -> None:
    server.script = [(200, {}, content)]
    with pytest.raises(kind):
        await make().embed_queries(["a"])


async def test_vectors_of_another_length_than_before_are_refused(server: Server, make: Make) -> None:
    embedder = await make().open()
    server.script = [(200, {}, b'{"data": [{"index": 0, "embedding": [1.0, 2.0, 3.0]}]}')]
    with pytest.raises(InvalidVector, match="3 numbers instead of 2"):
        await embedder.embed_passages(["a"])


async def test_a_failure_never_repeats_the_text(server: Server, make: Make) -> None:
    server.script = [(400, {}, b'{"error": "canary-text is too long"}')]
    with pytest.raises(PermanentFailure) as failure:
        await make().embed_passages(["canary-text"])
    assert "canary" not in f"{failure.value} {failure.value.hint}"

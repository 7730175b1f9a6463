"""The HTTP adapter against servers that are slow, broken, closed, or not what they should be, on real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from retrieval.errors import LastroError
from serving.adapters.openai_compatible import OpenAICompatibleModel, Timeouts
from serving.errors import ModelOverloaded, ModelRejected, ModelTimedOut, ModelUnavailable, WrongModel
from serving.model import Delta, DraftEnd, Message, Prompt, ReasoningDelta, TextDelta, Usage

PROMPT = Prompt("Q?", "en", (), (Message("system", "S"), Message("user", "Q?")), max_tokens=9)
QUICK = Timeouts(connect=1.0, first=0.3, total=0.6)
Writer = asyncio.StreamWriter
Behaviour = Callable[["Request", Writer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)  # type: ignore[no-any-return]


@dataclass
class Server:
    """A server that lists its models and treats chat requests as the test says."""

    chat: Behaviour
    models: Behaviour | None = None
    served: tuple[str, ...] = ("stub",)
    requests: list[Request] = field(default_factory=list)
    broken_off: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        request = Request(
            head[0].split(" ")[1], headers, await reader.readexactly(int(headers.get("content-length", 0)))
        )
        self.requests.append(request)
        try:
            if request.path.endswith("/models") and self.models is None:
                await answer(writer, 200, json.dumps({"data": [{"id": name} for name in self.served]}))
            else:
                await (self.models or self.chat if request.path.endswith("/models") else self.chat)(request, writer)
        except ConnectionError:
            self.broken_off.set()
        finally:
            writer.close()


async def answer(writer: Writer, status: int, body: str, kind: str = "application/json") -> None:
    writer.write(f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}".encode())
    await writer.drain()


async def begin(writer: Writer) -> None:
    await answer(writer, 200, "", "text/event-stream; charset=utf-8")


async def send(writer: Writer, *contents: object) -> None:
    for content in contents:
        writer.write(f"data: {content if isinstance(content, str) else json.dumps(content)}\n\n".encode())
        await writer.drain()


def piece(text: str | None, **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": text}, **more}]}


def says(*contents: object) -> Behaviour:
    async def chat(_: Request, writer: Writer) -> None:
        await begin(writer)
        await send(writer, *contents)

    return chat


def refuses(status: int, body: str = "", kind: str = "application/json") -> Behaviour:
    async def chat(_: Request, writer: Writer) -> None:
        await answer(writer, status, body, kind)

    return chat


@asynccontextmanager
async def running(server: Server, name: str = "stub", **options: object) -> AsyncIterator[OpenAICompatibleModel]:
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        model = OpenAICompatibleModel(f"http://127.0.0.1:{port}", name, **{"timeouts": QUICK, **options})  # type: ignore[arg-type]
        yield model
        await model.close()


async def drafted(chat: Behaviour, **options: object) -> list[Delta]:
    async with running(Server(chat), **options) as model:
        return [delta async for delta in model.draft(PROMPT)]


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


STOP = piece(None, finish_reason="stop")


async def test_text_usage_and_logprobs_of_a_stream() -> None:
    logprobs = {"content": [{"logprob": -0.5}, {"logprob": -1.5}, {"logprob": float("-inf")}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    deltas = await drafted(says(piece("Olá", logprobs=logprobs), piece(" mundo"), STOP, usage, "[DONE]"))
    assert text_of(deltas) == "Olá mundo"
    assert deltas[-1] == DraftEnd(Usage(5, 2), "stop", -1.0)


async def test_what_is_asked_for_is_what_the_prompt_says() -> None:
    server = Server(says(STOP))
    async with running(server, api_key="secret") as model:
        [_ async for _ in model.draft(PROMPT)]
    models, chat = server.requests
    assert (models.path, chat.path) == ("/v1/models", "/v1/chat/completions")
    assert chat.headers["authorization"] == "Bearer secret"
    assert chat.json["messages"] == [{"role": "system", "content": "S"}, {"role": "user", "content": "Q?"}]
    assert (chat.json["model"], chat.json["max_tokens"], chat.json["temperature"]) == ("stub", 9, 0.0)
    assert (chat.json["stream"], chat.json["stream_options"]) == (True, {"include_usage": True})


async def test_a_json_schema_is_handed_on() -> None:
    server = Server(says(STOP))
    async with running(server) as model:
        [_ async for _ in model.draft(Prompt("Q", "en", (), (), json_schema='{"type": "object"}'))]
    assert server.requests[-1].json["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "strict": True, "schema": {"type": "object"}},
    }


async def test_a_stream_without_logprobs_or_usage_is_complete_all_the_same() -> None:
    assert (await drafted(says(piece("x"), STOP)))[-1] == DraftEnd(Usage(), "stop", None)


@pytest.mark.parametrize("field_name", ["reasoning_content", "reasoning"])
async def test_reasoning_in_a_field_of_its_own_is_kept_apart(field_name: str) -> None:
    deltas = await drafted(says({"choices": [{"delta": {field_name: "hm"}}]}, piece("so"), STOP))
    assert deltas[:2] == [ReasoningDelta("hm"), TextDelta("so")]


async def test_reasoning_between_marks_is_kept_apart() -> None:
    deltas = await drafted(says(piece("<thi"), piece("nk>h"), piece("m</think"), piece(">so"), piece(" <b"), STOP))
    assert [delta for delta in deltas if isinstance(delta, ReasoningDelta)] == [
        ReasoningDelta("h"),
        ReasoningDelta("m"),
    ]
    assert text_of(deltas) == "so <b"


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (401, "", ModelRejected),
        (403, "", ModelRejected),
        (404, '{"error": "no such model"}', WrongModel),
        (429, "", ModelOverloaded),
        (400, '{"error": "too long"}', ModelRejected),
        (422, "", ModelRejected),
        (302, "", ModelRejected),
        (408, "", ModelTimedOut),
        (500, "boom", ModelUnavailable),
        (503, "loading", ModelUnavailable),
        (504, "", ModelTimedOut),
    ],
)
async def test_each_status_has_its_error(status: int, body: str, failure: type[LastroError]) -> None:
    with pytest.raises(failure) as caught:
        await drafted(refuses(status, body))
    assert type(caught.value) is failure
    async with running(Server(says(STOP), models=refuses(status, body)), name="") as model:
        with pytest.raises(failure):
            await model.check()


async def test_a_web_page_is_no_model() -> None:
    with pytest.raises(ModelUnavailable, match="does not stream"):
        await drafted(refuses(200, "<html>Welcome</html>", "text/html"))
    async with running(Server(says(STOP), models=refuses(200, "<html>", "text/html"))) as model:
        with pytest.raises(ModelUnavailable):
            await model.check()


async def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(_: Request, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\n\r\n")
        await writer.drain()

    with pytest.raises(ModelRejected):
        await drafted(elsewhere)


@pytest.mark.parametrize(
    "contents",
    [
        (piece("x"), "{not json"),
        (piece("x"), "[1]"),
        (piece("x"), {"choices": [{"delta": "text"}]}),
        (piece("x"), {"choices": [{"delta": {}, "logprobs": {"content": [{}]}}]}),
        (piece("x"), {"error": {"message": "out of memory"}}),
        (piece("x"),),
        (),
    ],
)
async def test_a_broken_stream_is_unavailable_and_not_an_answer(contents: tuple[object, ...]) -> None:
    with pytest.raises(ModelUnavailable):
        await drafted(says(*contents))


async def test_a_server_killed_in_mid_stream_is_unavailable_after_what_it_said() -> None:
    async def killed(_: Request, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        data = f"data: {json.dumps(piece('Half'))}\n\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await writer.drain()
        writer.transport.abort()

    server = Server(killed)
    async with running(server) as model:
        stream = model.draft(PROMPT)
        with pytest.raises(ModelUnavailable):
            [_ async for _ in stream]
    assert [request.path for request in server.requests] == ["/v1/models", "/v1/chat/completions"]


async def test_a_reply_without_end_is_cut_off() -> None:
    async def endless(_: Request, writer: Writer) -> None:
        await begin(writer)
        while True:
            await send(writer, piece("x" * 500))

    with pytest.raises(ModelUnavailable, match="more than"):
        await drafted(endless, most_bytes=20_000, timeouts=Timeouts(1, 5, 5))


async def test_a_line_without_end_is_cut_off() -> None:
    async def endless(_: Request, writer: Writer) -> None:
        await begin(writer)
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()

    with pytest.raises(ModelUnavailable, match="more than"):
        await drafted(endless, most_bytes=50_000, timeouts=Timeouts(1, 5, 5))


async def test_a_huge_refusal_is_not_read_to_its_end() -> None:
    with pytest.raises(ModelRejected):
        await drafted(refuses(400, "x" * 2_000_000))


async def silent(_: Request, writer: Writer) -> None:
    await asyncio.sleep(3)


async def silent_after_the_head(_: Request, writer: Writer) -> None:
    await begin(writer)
    await asyncio.sleep(3)


async def drops(_: Request, writer: Writer) -> None:
    await begin(writer)
    for _n in range(30):
        await send(writer, piece("x"))
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("slow", [silent, silent_after_the_head, drops])
async def test_a_slow_server_times_out(slow: Behaviour) -> None:
    begun = asyncio.get_running_loop().time()
    with pytest.raises(ModelTimedOut):
        await drafted(slow)
    assert asyncio.get_running_loop().time() - begun < 2.5


async def test_a_slow_consumer_is_not_the_model_s_fault() -> None:
    async with running(Server(says(piece("a"), piece("b"), STOP, "[DONE]"))) as model:
        deltas = []
        async for delta in model.draft(PROMPT):
            deltas.append(delta)
            await asyncio.sleep(0.15)
    assert text_of(deltas) == "ab"


async def test_leaving_a_draft_hangs_up() -> None:
    async def patient(_: Request, writer: Writer) -> None:
        await begin(writer)
        while True:
            await send(writer, piece("x"))
            await asyncio.sleep(0.01)

    server = Server(patient)
    async with running(server, timeouts=Timeouts(1, 9, 9)) as model:
        stream = model.draft(PROMPT)
        await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(server.broken_off.wait(), 5)


async def test_nobody_listens() -> None:
    model = OpenAICompatibleModel("http://127.0.0.1:1/v1/", "stub", timeouts=QUICK)
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await model.check()
    await model.close()


@pytest.mark.parametrize(("asked", "served"), [("other", ("stub",)), ("", ("a", "b")), ("stub", ())])
async def test_a_model_that_is_not_served_is_wrong(asked: str, served: tuple[str, ...]) -> None:
    server = Server(says(STOP), served=served)
    async with running(server, asked) as model:
        with pytest.raises(WrongModel):
            [_ async for _ in model.draft(PROMPT)]
    assert all(request.path == "/v1/models" for request in server.requests)


async def test_without_a_name_the_only_model_is_taken() -> None:
    async with running(Server(says(STOP), served=("only",)), "") as model:
        assert model.name == "unknown"
        await model.check()
        assert model.name == "only"


async def test_what_fits_is_what_the_server_says() -> None:
    async def lists(_: Request, writer: Writer) -> None:
        await answer(writer, 200, '{"data": [{"id": "stub", "max_model_len": 2048}]}')

    async with running(Server(says(STOP), models=lists)) as model:
        assert model.context_tokens > 100_000
        await model.check()
        assert model.context_tokens == 2048


async def test_a_server_that_cannot_list_is_believed() -> None:
    async with running(Server(says(piece("x"), STOP), models=refuses(404))) as model:
        await model.check()
        assert text_of([delta async for delta in model.draft(PROMPT)]) == "x"


async def test_parts_that_a_server_objects_to_are_left_out_from_then_on() -> None:
    async def picky(request: Request, writer: Writer) -> None:
        for name in ("logprobs", "stream_options"):
            if name in request.json:
                await answer(writer, 400, f'{{"error": "{name} is not supported"}}')
                return
        await says(piece("x"), STOP)(request, writer)

    server = Server(picky)
    async with running(server) as model:
        assert text_of([delta async for delta in model.draft(PROMPT)]) == "x"
        assert text_of([delta async for delta in model.draft(PROMPT)]) == "x"
    assert len(server.requests) == 5


async def test_after_a_failure_the_models_are_asked_for_again() -> None:
    server = Server(refuses(500))
    async with running(server) as model:
        for _ in range(2):
            with pytest.raises(ModelUnavailable):
                [_ async for _ in model.draft(PROMPT)]
    assert [request.path for request in server.requests].count("/v1/models") == 2

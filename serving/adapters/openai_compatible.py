"""Speaks to a model server in the house by the OpenAI chat protocol: vLLM first, llama.cpp's and others as well.

Written on httpx: the vendor's own client would bring a default address outside the house. No proxy of the environment
is used and no redirect followed, so a prompt goes to the configured server and nowhere else.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

import httpx
import structlog

from retrieval.errors import LastroError
from serving.adapters.chat_failures import failure, translated
from serving.adapters.chat_wire import UNBOUNDED, Reply, objected, request_body, served_models
from serving.adapters.event_stream import DONE, events
from serving.errors import ModelTimedOut, ModelUnavailable, WrongModel
from serving.model import Delta, Prompt

T = TypeVar("T")

MOST_PLAIN_BYTES = 262_144
MOST_NAMES = 5
LISTING_SECONDS = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds: for the connection, for the first piece of the draft (reading a long prompt takes long), for all."""

    connect: float = 5.0
    first: float = 90.0
    total: float = 120.0


DEFAULT_TIMEOUTS = Timeouts()


class OpenAICompatibleModel:
    """Port `ChatModel` over `{url}/chat/completions`. `url` may end in /v1 or not.

    An empty `model` means the one the server serves. Nothing is tried twice once the server has begun to answer.
    """

    def __init__(
        self,
        url: str,
        model: str = "",
        *,
        api_key: str = "",
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        temperature: float = 0.0,
        most_bytes: int = 4_000_000,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`most_bytes` bounds a whole reply; `transport` replaces the network."""
        plain = url.rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=plain if plain.endswith("/v1") else f"{plain}/v1",
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(timeouts.total, connect=timeouts.connect),
            trust_env=False,
            transport=transport,
        )
        self._model, self._timeouts = model, timeouts
        self._temperature, self._most_bytes = temperature, most_bytes
        self._without = frozenset[str]()
        self._checked = False
        self.context_tokens = UNBOUNDED  # until the server has been asked

    @property
    def name(self) -> str:
        """The configured model, or the one found at the first check."""
        return self._model or "unknown"

    async def check(self) -> None:
        """Ask the server which models it serves: some accept any name. Raises as `draft` does."""
        self._checked = False
        deadline = asyncio.get_running_loop().time() + self._timeouts.connect + LISTING_SECONDS
        with translated():
            response = await _by(deadline, self._client.send(self._client.build_request("GET", "models"), stream=True))
        content = await self._content(response, deadline)
        if response.status_code == httpx.codes.NOT_FOUND and self._model:
            log.warning("model.not_listed", model=self._model)
        elif response.status_code != httpx.codes.OK:
            raise failure(response.status_code, content.decode("utf-8", "replace"), self.name)
        else:
            self._choose(served_models(content))
        self._checked = True

    async def draft(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        """Stream a draft; see the port."""
        begun = asyncio.get_running_loop().time()
        try:
            if not self._checked:
                await self.check()
            response = await self._open(prompt, begun + self._timeouts.first)
            async with aclosing(response), aclosing(self._deltas(response, begun)) as deltas:
                async for delta in deltas:
                    yield delta
        except ModelUnavailable:
            # What comes back under that address may be another server: ask for its models again.
            self._checked = False
            raise

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def _open(self, prompt: Prompt, deadline: float) -> httpx.Response:
        """Send the request; parts that the server objects to are left out from then on."""
        while True:
            body = request_body(prompt, self._model, temperature=self._temperature, without=self._without)
            request = self._client.build_request("POST", "chat/completions", json=body)
            with translated():
                response = await _by(deadline, self._client.send(request, stream=True))
            if _is_event_stream(response):
                return response
            detail = (await self._content(response, deadline)).decode("utf-8", "replace")
            objections = objected(detail) - self._without
            if response.status_code not in {400, 422} or not objections:
                raise _no_stream(response.status_code, detail, self.name)
            self._without |= objections
            log.info("model.asked_for_less", without=sorted(self._without))

    async def _deltas(self, response: httpx.Response, begun: float) -> AsyncGenerator[Delta]:
        reply, deadline = Reply(), begun + self._timeouts.first
        async with aclosing(events(response.aiter_bytes(), most_bytes=self._most_bytes)) as data:
            while True:
                with translated():
                    event = await _by(deadline, anext(data, None))
                if event is None or event == DONE:
                    break
                deadline = begun + self._timeouts.total
                for delta in reply.read(event):
                    yield delta
        if event is None and not reply.finish_reason:
            raise ModelUnavailable("The language model's draft broke off.")
        for delta in reply.end():
            yield delta

    async def _content(self, response: httpx.Response, deadline: float) -> bytes:
        """What a server that does not stream says, as far as it matters."""
        said = b""
        try:
            with translated():
                chunks = response.aiter_bytes()
                while len(said) < MOST_PLAIN_BYTES and (chunk := await _by(deadline, anext(chunks, None))) is not None:
                    said += chunk
        finally:
            await response.aclose()
        return said[:MOST_PLAIN_BYTES]

    def _choose(self, served: Mapping[str, int]) -> None:
        if not self._model and len(served) == 1:
            (self._model,) = served
        if self._model not in served:
            names = ", ".join([*served][:MOST_NAMES]) or "nothing"
            raise WrongModel(f"The language model's server serves {names}; asked for is {self._model or 'any one'!r}.")
        self.context_tokens = served[self._model]


async def _by(deadline: float, work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout_at(deadline):
            return await work
    except TimeoutError as error:
        raise ModelTimedOut from error


def _is_event_stream(response: httpx.Response) -> bool:
    kind = response.headers.get("content-type", "")
    return response.status_code == httpx.codes.OK and kind.startswith("text/event-stream")


def _no_stream(status: int, detail: str, model: str) -> LastroError:
    if status == httpx.codes.OK:
        return ModelUnavailable("The language model's server does not stream: something else answers at this address.")
    return failure(status, detail, model)

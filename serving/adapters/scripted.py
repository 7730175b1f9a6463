"""A model that says what it is told: for tests, for trials, and as the shortest statement of the port."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import TypeAlias

from retrieval.errors import LastroError
from serving.errors import ModelUnavailable
from serving.model import Delta, DraftEnd, Prompt, TextDelta

Reply: TypeAlias = str | LastroError | Sequence[Delta | LastroError]


class ScriptedModel:
    """Port `ChatModel`. `script` is a function of the prompt, or the replies in order.

    A string is streamed word by word and ended properly. A sequence is streamed as it stands: without a DraftEnd the
    draft breaks off, and an error in it is raised there. `prompts` are those it was asked; `closed` whether it was.
    """

    def __init__(
        self,
        script: Callable[[Prompt], Reply] | Iterable[Reply],
        *,
        name: str = "scripted",
        pause: float = 0.0,
        context_tokens: int = 1_000_000,
    ) -> None:
        """`pause` seconds go by before each delta."""
        self._reply = script if callable(script) else self._next_of(iter(script))
        self._pause = pause
        self.name = name
        self.context_tokens = context_tokens
        self.prompts: list[Prompt] = []
        self.closed = False

    async def draft(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        """The scripted deltas. Raises ModelUnavailable when the script has come to its end or breaks off."""
        self.prompts.append(prompt)
        ended = False
        for delta in self._deltas(self._reply(prompt)):
            await asyncio.sleep(self._pause)
            if isinstance(delta, LastroError):
                raise delta
            ended = isinstance(delta, DraftEnd)
            yield delta
        if not ended:
            raise ModelUnavailable("The scripted draft broke off.")

    async def check(self) -> None:
        """A script is always ready."""

    async def close(self) -> None:
        """Remember it."""
        self.closed = True

    @staticmethod
    def _deltas(reply: Reply) -> Sequence[Delta | LastroError]:
        if isinstance(reply, str):
            words = reply.split(" ")
            return [*(TextDelta(f"{' ' if n else ''}{word}") for n, word in enumerate(words)), DraftEnd()]
        return [reply] if isinstance(reply, LastroError) else reply

    @staticmethod
    def _next_of(replies: Iterable[Reply]) -> Callable[[Prompt], Reply]:
        remaining = iter(replies)
        return lambda _: next(remaining, ModelUnavailable("The script has come to its end."))

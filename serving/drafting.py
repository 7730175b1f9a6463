"""Collects a model's draft under a deadline and a bound: models may be slow, endless, or stop without a word."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from serving.errors import ModelTimedOut, ModelUnavailable
from serving.model import Draft, DraftEnd, Prompt, ReasoningDelta, TokenDrafted
from serving.ports import ChatModel

# A token rarely has more characters than this: beyond, the model ignores its limit and is stopped.
LONGEST_TOKEN = 12


async def drafting(model: ChatModel, prompt: Prompt, *, seconds: float) -> AsyncGenerator[TokenDrafted | Draft]:
    """Each piece of text as it comes, the whole Draft last. Raises ModelTimedOut, and what the model raises."""
    deadline = asyncio.get_running_loop().time() + seconds
    text, reasoning = list[str](), list[str]()
    end = DraftEnd(finish_reason="length")
    room = prompt.max_tokens * LONGEST_TOKEN
    async with aclosing(model.draft(prompt)) as deltas:
        while room > 0:
            try:
                # Only around the wait for the model: a consumer may take its time between two pieces.
                async with asyncio.timeout_at(deadline):
                    delta = await anext(deltas)
            except TimeoutError as error:
                raise ModelTimedOut from error
            except StopAsyncIteration as error:
                raise ModelUnavailable("The language model's draft broke off.") from error
            if isinstance(delta, DraftEnd):
                end = delta
                break
            room -= len(delta.text)
            if isinstance(delta, ReasoningDelta):
                reasoning.append(delta.text)
                continue
            text.append(delta.text)
            yield TokenDrafted(delta.text)
    yield Draft("".join(text), model.name, "".join(reasoning), end.usage, end.finish_reason, end.mean_logprob)

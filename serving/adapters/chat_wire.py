"""The chat protocol's JSON as our values: what we ask, and what each event of the reply says."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.adapters.thinking import ThinkingSplitter
from serving.errors import ModelUnavailable
from serving.model import Delta, DraftEnd, Prompt, ReasoningDelta, Usage

UNBOUNDED = 1_000_000
# What not every server knows: left out when it is what the server objects to.
OPTIONAL = ("logprobs", "stream_options")


def request_body(prompt: Prompt, model: str, *, temperature: float, without: frozenset[str]) -> dict[str, object]:
    """The body of `POST /v1/chat/completions`."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in prompt.messages],
        "max_tokens": prompt.max_tokens,
        "temperature": temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
        "logprobs": True,
    }
    if prompt.json_schema:
        schema = {"name": "reply", "strict": True, "schema": json.loads(prompt.json_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {name: value for name, value in body.items() if name not in without}


def objected(detail: str) -> frozenset[str]:
    """Which of the optional parts a refusal names."""
    return frozenset(name for name in OPTIONAL if name in detail)


def served_models(content: bytes) -> dict[str, int]:
    """The models in a reply of `GET /v1/models`, with the tokens that fit into each where the server says so (vLLM).

    Raises ModelUnavailable when it is no such reply.
    """
    try:
        return {str(entry["id"]): int(entry.get("max_model_len") or UNBOUNDED) for entry in json.loads(content)["data"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable("The language model's server lists no models at /v1/models.") from error


@dataclass(slots=True)
class Reply:
    """A streamed reply as far as it was read."""

    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    _sum: float = 0.0
    _tokens: int = 0
    _splitter: ThinkingSplitter = field(default_factory=ThinkingSplitter)

    def read(self, event: str) -> Iterator[Delta]:
        """The deltas of one event. Raises ModelUnavailable for one that cannot be read or that is an error."""
        try:
            content = json.loads(event)
            if "error" in content:
                raise ModelUnavailable("The language model's server failed while it was answering.")
            self._note_usage(content.get("usage"))
            yield from self._choice(next(iter(content.get("choices") or ()), {}))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ModelUnavailable("The language model's server sent an event that cannot be read.") from error

    def end(self) -> Iterator[Delta]:
        """What was held back, and the end."""
        yield from self._splitter.flush()
        mean = self._sum / self._tokens if self._tokens else None
        yield DraftEnd(self.usage, self.finish_reason or "stop", mean)

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Delta]:
        delta = choice.get("delta") or {}
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if reasoning:
            yield ReasoningDelta(str(reasoning))
        if delta.get("content"):
            yield from self._splitter.feed(str(delta["content"]))
        self._note_logprobs((choice.get("logprobs") or {}).get("content") or ())
        self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def _note_usage(self, usage: Mapping[str, Any] | None) -> None:
        if usage:
            self.usage = Usage(usage.get("prompt_tokens"), usage.get("completion_tokens"))

    def _note_logprobs(self, tokens: Sequence[Mapping[str, Any]]) -> None:
        for token in tokens:
            logprob = float(token["logprob"])
            if math.isfinite(logprob):
                self._sum += logprob
                self._tokens += 1

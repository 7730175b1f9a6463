"""A draft has a deadline, a bound, and an end that is told from a breaking off."""

from collections.abc import Sequence

import pytest

from retrieval.errors import LastroError
from serving.adapters.scripted import ScriptedModel
from serving.drafting import LONGEST_TOKEN, drafting
from serving.errors import ModelTimedOut, ModelUnavailable
from serving.model import Delta, Draft, DraftEnd, Prompt, ReasoningDelta, TextDelta, TokenDrafted, Usage

PROMPT = Prompt("Q?", "en", (), (), max_tokens=10)


async def collected(deltas: Sequence[Delta | LastroError], *, pause: float = 0.0, seconds: float = 5.0) -> list[object]:
    model = ScriptedModel([deltas], pause=pause)
    return [piece async for piece in drafting(model, PROMPT, seconds=seconds)]


async def test_tokens_come_as_they_are_and_the_draft_last() -> None:
    pieces = await collected(
        [ReasoningDelta("hm"), TextDelta("a"), TextDelta(" b"), DraftEnd(Usage(1, 2), "stop", -0.5)]
    )
    assert pieces == [TokenDrafted("a"), TokenDrafted(" b"), Draft("a b", "scripted", "hm", Usage(1, 2), "stop", -0.5)]


async def test_an_endless_draft_is_stopped_and_marked_as_cut_off() -> None:
    pieces = await collected([TextDelta("x" * 7)] * 1_000)
    draft = pieces[-1]
    assert isinstance(draft, Draft)
    assert draft.finish_reason == "length"
    assert len(draft.text) <= 10 * LONGEST_TOKEN + 7


async def test_endless_thinking_is_stopped_as_well() -> None:
    (draft,) = await collected([ReasoningDelta("x" * 50)] * 1_000)
    assert isinstance(draft, Draft)
    assert (draft.text, draft.finish_reason) == ("", "length")


async def test_a_draft_past_its_deadline_has_timed_out() -> None:
    with pytest.raises(ModelTimedOut):
        await collected([TextDelta("x"), DraftEnd()], pause=0.2, seconds=0.05)


async def test_a_model_that_stops_without_an_end_is_unavailable() -> None:
    class Silent(ScriptedModel):
        async def draft(self, prompt: Prompt):  # type: ignore[no-untyped-def]
            yield TextDelta("half")

    with pytest.raises(ModelUnavailable):
        [_ async for _ in drafting(Silent([]), PROMPT, seconds=1)]


async def test_what_the_model_raises_comes_through() -> None:
    with pytest.raises(ModelUnavailable):
        await collected([TextDelta("x"), ModelUnavailable()])


async def test_leaving_early_closes_the_model_s_stream() -> None:
    closed = []

    class Watched(ScriptedModel):
        async def draft(self, prompt: Prompt):  # type: ignore[no-untyped-def]
            try:
                while True:
                    yield TextDelta("x")
            finally:
                closed.append(True)

    stream = drafting(Watched([]), PROMPT, seconds=1)
    await anext(stream)
    await stream.aclose()
    assert closed == [True]

"""A model is given no more than it takes: the smaller of the setting and what the model says."""

import time
from uuid import uuid4

import pytest

from retrieval.access import EVERYONE, Access, LabelScale, Principal
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.model import ParsedDocument
from serving.adapters.memory import MemoryLibrary, StoredText
from serving.adapters.scripted import ScriptedModel
from serving.answering import Answering, AnsweringSettings
from serving.model import Question
from serving.prompts import Room

SCALE = LabelScale()
READER = Principal("main", "ana", frozenset(), SCALE.label("internal"))
TEXT = "\n\n".join(f"Leave in part {n} of the annual plan is {n + 10} days. " + "And so on. " * 60 for n in range(6))


@pytest.mark.parametrize(("setting", "model", "fits"), [(9_000, 900, 900), (900, 9_000, 900), (2_000, 2_000, 2_000)])
async def test_the_smaller_bound_holds(setting: int, model: int, fits: int) -> None:
    access = Access("main", frozenset({EVERYONE}), SCALE.label("internal"))
    local = ScriptedModel(lambda _: "Leave in part 1 of the annual plan is 11 days.", context_tokens=model)
    story = Answering(
        library=MemoryLibrary(StoredText("a.md", ParsedDocument(TEXT, "text/plain"), access)),
        local=local,
        scale=SCALE,
        detector=WordEvidenceDetector(),
        clock=time.monotonic,
        new_id=uuid4,
        settings=AnsweringSettings(room=Room(setting, 200)),
    )
    await story.answer(Question("How many days of leave are in the annual plan?"), reader=READER)
    (prompt,) = local.prompts
    assert sum(len(message.content) for message in prompt.messages) / 3.5 <= fits - 200
    assert prompt.passages

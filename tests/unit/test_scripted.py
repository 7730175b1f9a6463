"""The twins say what they were told, and remember what they were asked."""

from collections.abc import Sequence

import pytest

from retrieval.access import EVERYONE, Access, LabelScale, Principal
from retrieval.errors import LastroError, NotFound
from retrieval.model import Page, ParsedDocument, SearchFilters
from serving.adapters.memory import MemoryLibrary, StoredText
from serving.adapters.scripted import Reply, ScriptedModel
from serving.errors import ModelOverloaded, ModelUnavailable
from serving.model import Delta, DraftEnd, Prompt, ReasoningDelta, TextDelta

PROMPT = Prompt("Q?", "en", (), ())
SCALE = LabelScale()
ANA = Principal("main", "ana", frozenset(), SCALE.label("internal"))


async def said(model: ScriptedModel, prompt: Prompt = PROMPT) -> list[Delta]:
    return [delta async for delta in model.draft(prompt)]


async def test_a_string_is_said_word_by_word() -> None:
    assert await said(ScriptedModel(["one two  three"])) == [
        TextDelta("one"),
        TextDelta(" two"),
        TextDelta(" "),
        TextDelta(" three"),
        DraftEnd(),
    ]


async def test_replies_come_in_their_order() -> None:
    model = ScriptedModel(["a", "b"], name="two")
    assert [(await said(model))[0], (await said(model))[0]] == [TextDelta("a"), TextDelta("b")]
    assert (model.name, len(model.prompts)) == ("two", 2)


async def test_a_function_sees_the_prompt() -> None:
    model = ScriptedModel(lambda prompt: prompt.question)
    assert (await said(model))[0] == TextDelta("Q?")
    assert model.prompts == [PROMPT]


async def test_a_sequence_is_said_as_it_stands() -> None:
    deltas: Sequence[Delta] = [ReasoningDelta("hm"), TextDelta("a"), DraftEnd(finish_reason="length")]
    assert await said(ScriptedModel([deltas])) == deltas


@pytest.mark.parametrize("reply", [[], [TextDelta("a")], [DraftEnd(), TextDelta("a")]])
async def test_what_does_not_end_breaks_off(reply: Reply) -> None:
    with pytest.raises(ModelUnavailable, match="broke off"):
        await said(ScriptedModel([reply]))


@pytest.mark.parametrize("reply", [ModelOverloaded(), [TextDelta("a"), ModelOverloaded()]])
async def test_an_error_is_raised_where_it_stands(reply: LastroError | Sequence[Delta | LastroError]) -> None:
    with pytest.raises(ModelOverloaded):
        await said(ScriptedModel([reply]))


async def test_it_knows_that_it_was_closed() -> None:
    model = ScriptedModel([])
    await model.check()
    assert not model.closed
    await model.close()
    assert model.closed


def stored(text: str, *pages: Page) -> StoredText:
    access = Access("main", frozenset({EVERYONE}), SCALE.label("internal"))
    return StoredText("a.md", ParsedDocument(text, "text/plain", title="Leave", pages=pages), access)


def test_passages_are_the_paragraphs_and_exact_slices() -> None:
    text = "One here.\n\nTwo there.\n\n\n\nThree."
    passages = list(stored(text).passages())
    assert [one.chunk.text for one in passages] == ["One here.", "Two there.", "", "Three."]
    assert all(text[one.chunk.start : one.chunk.end] == one.chunk.text for one in passages)
    assert len({one.chunk.id for one in passages}) == 4


def test_passages_know_their_page() -> None:
    passages = list(stored("One.\n\nTwo.", Page(1, 0, 5), Page(2, 5, 10)).passages())
    assert [one.chunk.page_first for one in passages] == [1, 2]


async def test_words_in_the_title_are_found_as_well() -> None:
    evidence = await MemoryLibrary(stored("There are 25 days.")).evidence(
        "leave?", reader=ANA, filters=SearchFilters(), limit=5
    )
    assert len(evidence.passages) == 1


async def test_a_library_may_be_changed_at_any_time() -> None:
    library = MemoryLibrary()
    document = stored("There are 25 days.")
    with pytest.raises(NotFound):
        await library.parsed(document.id, None, reader=ANA)
    library.documents.append(document)
    assert (await library.parsed(document.id, None, reader=ANA)).text == "There are 25 days."

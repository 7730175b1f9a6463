"""Without a model: the sentence that fits the question, word for word, with the number of its passage."""

from uuid import UUID

import pytest

from retrieval.access import EVERYONE, Access, Label
from retrieval.model import Chunk, Language, Passage, chunk_id
from serving.adapters.extractive import LONGEST, ExtractiveModel
from serving.model import DraftEnd, TextDelta
from serving.prompts import Room, compose

DOCUMENT = UUID(int=4)
ACCESS = Access("main", frozenset({EVERYONE}), Label(0, "public"))
TRAVEL = "Employees book trains through the travel desk. First class is allowed on journeys of more than four hours."
MEALS = "The daily meal allowance on business trips is 48 euros. Receipts are kept for seven years."
FERIAS = "Este regulamento aplica-se a todos. Cada trabalhador tem direito a 25 dias úteis de férias por ano."


def passage(n: int, text: str, language: Language, title: str, score: float) -> Passage:
    chunk = Chunk(chunk_id(DOCUMENT, "v", n), DOCUMENT, "v", n, 0, len(text), text, title, language=language)
    return Passage(chunk, "a.md", "folder", ACCESS, score)


async def said(question: str, *texts: str, language: Language = "en", title: str = "") -> str:
    passages = [passage(n, text, language, title, 1.0 - n / 10) for n, text in enumerate(texts)]
    deltas = [delta async for delta in ExtractiveModel().draft(compose(question, language, passages, Room()))]
    assert isinstance(deltas[-1], DraftEnd)
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How are trains booked?", "Employees book trains through the travel desk. [1]"),
        ("When is first class allowed?", "First class is allowed on journeys of more than four hours. [1]"),
        ("How much is the meal allowance?", "The daily meal allowance on business trips is 48 euros. [2]"),
        ("How long are receipts kept?", "Receipts are kept for seven years. [2]"),
    ],
)
async def test_the_fitting_sentence_is_quoted(question: str, answer: str) -> None:
    assert await said(question, TRAVEL, MEALS) == answer


async def test_portuguese_is_read_as_well() -> None:
    answer = await said("Quantos dias de férias tem um trabalhador?", FERIAS, language="pt")
    assert answer == "Cada trabalhador tem direito a 25 dias úteis de férias por ano. [1]"


async def test_a_question_in_another_language_is_matched_by_its_translation() -> None:
    passages = [passage(0, FERIAS, "pt", "", 1.0)]
    prompt = compose("How many vacation days?", "en", passages, Room(), {"pt": "Quantos dias de férias?"})
    deltas = [delta async for delta in ExtractiveModel().draft(prompt)]
    assert isinstance(deltas[0], TextDelta)
    assert "25 dias úteis" in deltas[0].text


async def test_two_sentences_of_one_passage_are_said_in_their_order() -> None:
    text = "Leave for parents is 25 days. The weather is fine. Leave for parents is paid for days."
    answer = await said("Leave for parents: days?", text)
    assert answer == "Leave for parents is 25 days. [1] Leave for parents is paid for days. [1]"


async def test_the_same_sentence_is_said_once() -> None:
    assert (await said("Leave days?", "Leave is 25 days here. Leave is 25 days here.")).count("25") == 1


async def test_what_shares_no_word_is_left_unsaid() -> None:
    assert await said("Do elephants fly?", TRAVEL, MEALS) == ""
    assert await said("Do elephants fly?") == ""


async def test_headings_questions_and_scraps_are_no_answers() -> None:
    text = "# Leave days of all of us\nHow many leave days are there?\n\nLeave days.\n\nThere are 25 leave days a year."
    assert await said("How many leave days are there?", text) == "There are 25 leave days a year. [1]"


async def test_a_figure_is_preferred_when_one_is_asked_for() -> None:
    text = "Annual leave is good for all. Annual leave is granted to all. Annual leave is 25 days for all."
    assert "25 days" in await said("How much annual leave is there?", text)
    assert "25 days" not in await said("Why is there annual leave?", text)


async def test_line_breaks_in_a_sentence_become_spaces_and_bullets_go() -> None:
    assert await said("Leave days?", "- Leave is\n  25 days\na year.") == "Leave is 25 days a year. [1]"


async def test_an_overlong_sentence_is_cut_at_a_word() -> None:
    answer = await said("Leave days?", "Leave days " + "and more " * 200)
    assert len(answer) <= LONGEST + len(" [1]")
    assert answer.endswith(("and [1]", "more [1]"))

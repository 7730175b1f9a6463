"""The gate looks at key terms, scores and figures before any model does."""

from uuid import UUID

import pytest

from retrieval.access import EVERYONE, Access, Label
from retrieval.model import Chunk, Language, Passage, chunk_id
from serving.gate import Outlook, asked, covered_by, near, nearest, outlook
from serving.reading import Reading, read

DOCUMENT = UUID(int=3)
ACCESS = Access("main", frozenset({EVERYONE}), Label(0, "public"))


def reading(
    *texts: str, title: str = "", language: Language = "en", scores: tuple[float, ...] = ()
) -> tuple[Reading, ...]:
    chunks = [
        Chunk(chunk_id(DOCUMENT, "v", n), DOCUMENT, "v", n, 0, len(text), text, title, language=language)
        for n, text in enumerate(texts)
    ]
    dense = [*scores, *[0.0] * len(texts)]
    return read([Passage(chunk, "a.txt", "folder", ACCESS, 1.0, dense[n]) for n, chunk in enumerate(chunks)])


def seen(question: str, *texts: str, title: str = "") -> Outlook:
    return outlook(asked(question, {}, "en"), reading(*texts, title=title))


def test_a_sentence_with_every_key_term_covers_the_question() -> None:
    assert seen("How many days of leave are there?", "Leave is 25 days.").coverage == 1.0


def test_terms_next_to_the_sentence_count_half() -> None:
    assert seen("leave days", "Of leave much is said. There are 25 days.").coverage == pytest.approx(0.75)


def test_the_title_counts_as_surroundings() -> None:
    assert seen("leave days", "There are 25 days.", title="Leave").coverage == pytest.approx(0.75)


def test_the_best_passage_counts() -> None:
    assert seen("leave days", "Nothing here.", "Leave days are many.").coverage == 1.0


def test_no_passages_cover_nothing() -> None:
    assert seen("leave days") == Outlook(0.0, 0.0, True)


def test_the_score_is_the_best_cosine() -> None:
    assert outlook(asked("leave", {}, "en"), reading("a", "b", scores=(0.7, 0.9))).score == 0.9


def test_a_question_of_stop_words_is_covered_by_nothing() -> None:
    assert seen("Who are you?", "We are who we are.").coverage == 0.0


@pytest.mark.parametrize(
    ("question", "evidence", "present"),
    [
        ("What were the sales in 2019?", "Sales in 2018 were high.", False),
        ("What were the sales in 2019?", "Sales in 2019 were high.", True),
        ("What were the sales in 2019?", "On 3 May 2019 sales were high.", True),
        ("What is form RF-203 for?", "Form RF-204 is for leave.", False),
        ("What is form RF-203 for?", "Form rf-203 is for leave.", True),
        ("May I spend 1.500 euros?", "Up to 1,500 euros may be spent.", True),
        ("May I spend 1.500 euros?", "Up to 1,600 euros may be spent.", False),
        ("I have 3 children: how much leave?", "Parents have leave.", True),
        ("Who wrote on 3 May 2024?", "A letter of 4 May 2024.", False),
        ("Is the office open at 9:30?", "The office opens at nine.", True),
    ],
)
def test_years_amounts_dates_and_codes_of_the_question_must_be_there(
    question: str, evidence: str, present: bool
) -> None:
    assert seen(question, evidence).figures_present is present


@pytest.mark.parametrize(
    ("question", "evidence", "present"),
    [
        ("What is the leave in Madrid?", "Leave in Lisbon is 25 days.", False),
        ("What is the leave in Lisbon?", "Leave in Lisbon is 25 days.", True),
        ("Does Maria Silva have leave?", "Maria Costa has leave.", False),
        ("what is the leave?", "Leave is 25 days.", True),
    ],
)
def test_names_of_the_question_are_looked_for(question: str, evidence: str, present: bool) -> None:
    assert seen(question, evidence).names_present is present


def test_a_name_is_known_by_its_translation_as_well() -> None:
    question = asked("What is the leave in Lisbon?", {"pt": "Quais são as férias em Lisboa?"}, "en")
    found = outlook(question, reading("Em Lisboa as férias são 25 dias.", language="pt"))
    assert (found.names_present, found.crossing, found.portuguese) == (True, True, True)


def test_a_figure_may_stand_in_the_title() -> None:
    assert seen("Sales in 2019?", "Sales were high.", title="Report 2019").figures_present


def test_each_passage_is_compared_with_the_question_in_its_language() -> None:
    portuguese = reading("As férias são 25 dias.", language="pt")
    untranslated = asked("How many days of vacation?", {}, "en")
    translated = asked("How many days of vacation?", {"pt": "Quantos dias de férias?"}, "en")
    assert outlook(untranslated, portuguese).coverage == 0.0
    assert outlook(translated, portuguese).coverage == 1.0


def test_nearest_are_the_best_sentences_of_three_passages_best_first() -> None:
    readings = reading("Nothing.", "Trains. Leave days are 25.", "Leave is good.", "Days of leave.", "days")
    places = nearest(asked("leave days", {}, "en"), readings)
    assert [place.text for place in places] == ["Leave days are 25.", "Days of leave.", "Leave is good."]


def test_nearest_of_passages_without_a_sentence_is_nothing() -> None:
    assert nearest(asked("leave", {}, "en"), reading("  ")) == []


def test_what_is_cited_is_measured_where_it_stands() -> None:
    question = asked("leave days", {}, "en")
    readings = reading("Trains run.", "Leave days are 25.")
    places = nearest(question, readings)
    assert covered_by(question, places) == near(question, readings[1], 0) == 1.0
    assert covered_by(question, []) == 0.0

"""A citation is the smallest slice of the stored text that supports a claim, or there is none."""

from uuid import UUID

import pytest

from retrieval.access import EVERYONE, Access, Label
from retrieval.model import Chunk, Language, Page, ParsedDocument, Passage, chunk_id
from serving.citing import LONG_SENTENCE, MOST_PLACES, Alignment, Place, align, cite
from serving.reading import Reading, read
from serving.words import content_stems

DOCUMENT = UUID(int=7)
ACCESS = Access("main", frozenset({EVERYONE}), Label(0, "public"))
STORED = (
    "Travel policy.\n\nTrains are booked by the desk. First class is for journeys over four hours. Meals cost 48 euros."
)
START = STORED.index("Trains")


def passage(text: str, *, start: int = 0, language: Language = "en", page: int | None = None, n: int = 0) -> Passage:
    chunk = Chunk(
        chunk_id(DOCUMENT, "v", n),
        DOCUMENT,
        "v",
        n,
        start,
        start + len(text),
        text,
        "Travel",
        ("Trains",),
        page,
        page,
        language,
    )
    return Passage(chunk, "travel.md", "folder", ACCESS, 1.0)


def stems(claim: str, *languages: Language) -> dict[Language, frozenset[str]]:
    return dict.fromkeys(languages or ("en",), content_stems(claim))


def found(claim: str, *texts: str, cited: tuple[int, ...] = ()) -> Alignment:
    return align(stems(claim), read([passage(text, n=n) for n, text in enumerate(texts)]), cited)


def whole(reading: Reading) -> Place:
    return Place(reading, 0, reading.sentences[0].start, reading.sentences[-1].end)


def test_the_supporting_sentence_is_found_and_nothing_more() -> None:
    alignment = found("First class needs journeys over four hours.", STORED[START:])
    assert [place.text for place in alignment.places] == ["First class is for journeys over four hours."]
    assert alignment.support == pytest.approx(5 / 6)


def test_a_claim_from_two_places_cites_both_in_the_order_of_the_text() -> None:
    text = "Trains are booked by the desk. Nothing else stands here. Meals cost 48 euros."
    alignment = found("Meals cost 48 euros and the desk books trains.", text)
    assert [place.text for place in alignment.places] == ["Trains are booked by the desk.", "Meals cost 48 euros."]
    assert alignment.support == 1.0


def test_neighbouring_sentences_become_one_place() -> None:
    text = "Trains are booked by the desk.\nMeals cost 48 euros. And so on."
    alignment = found("The desk books trains, meals cost 48 euros.", text)
    assert [place.text for place in alignment.places] == ["Trains are booked by the desk.\nMeals cost 48 euros."]
    assert alignment.places[0].sentence_text == alignment.places[0].text


def test_never_more_than_three_places() -> None:
    texts = [f"{word} stands alone." for word in ("apples", "bananas", "cherries", "dates", "elderberries")]
    alignment = found("apples bananas cherries dates elderberries", *texts)
    assert len(alignment.places) == MOST_PLACES
    assert alignment.support == pytest.approx(3 / 5)


def test_a_sentence_that_adds_next_to_nothing_is_not_cited() -> None:
    claim = "one alpha beta gamma delta epsilon zeta theta iota kappa"
    alignment = found(claim, "alpha beta gamma delta epsilon zeta theta iota.", "kappa.")
    assert len(alignment.places) == 1


def test_of_equal_sentences_the_shorter_and_then_the_earlier_is_cited() -> None:
    alignment = found("trains", "Trains and much else besides.", "Trains run.", "Trains go.")
    assert [(place.reading.n, place.text) for place in alignment.places] == [(2, "Trains run.")]


def test_the_passage_that_the_model_named_is_preferred() -> None:
    alignment = found("Trains are booked.", "Trains are booked.", "Trains are often booked here.", cited=(2,))
    assert [place.reading.n for place in alignment.places] == [2]


def test_a_wrong_number_does_not_matter_when_the_words_stand_elsewhere() -> None:
    alignment = found("Trains are booked.", "Trains are booked.", "Meals are cheap.", cited=(2,))
    assert [place.reading.n for place in alignment.places] == [1]


def test_a_number_that_does_not_exist_does_not_matter() -> None:
    assert found("Trains are booked.", "Trains are booked.", cited=(9,)).support == 1.0


def test_figures_count_twice() -> None:
    alignment = found("Meals cost 48 euros.", "Meals cost euros.")
    assert alignment.support == pytest.approx(3 / 5)


@pytest.mark.parametrize("claim", ["", "the of and", "Nothing shared whatsoever"])
def test_what_shares_no_word_has_no_place(claim: str) -> None:
    assert found(claim, "Trains are booked.") == Alignment()


def test_no_passages_hold_nothing() -> None:
    assert align(stems("Trains"), [], (1,)) == Alignment()
    assert align({}, read([passage("Trains run.")])) == Alignment()


def test_each_passage_is_compared_in_its_own_language() -> None:
    readings = read([passage("Trains are booked."), passage("Reservam-se comboios.", language="pt", n=1)])
    wordings: dict[Language, frozenset[str]] = {
        "en": content_stems("Buses wait."),
        "pt": content_stems("Comboios reservam-se."),
    }
    alignment = align(wordings, readings)
    assert [place.reading.n for place in alignment.places] == [2]
    assert alignment.support == 1.0


def test_a_long_sentence_is_narrowed_to_the_clauses_that_count() -> None:
    filler = "the committee met and spoke at length of many things that nobody needs to read"
    text = f"In spring {filler}, meals were set at 48 euros, and in summer {filler}, and in autumn {filler}."
    assert len(text) > LONG_SENTENCE
    (place,) = found("Meals were set at 48 euros.", text).places
    assert place.text == "meals were set at 48 euros"
    assert place.sentence_text == text


def test_a_long_sentence_without_clauses_is_cited_whole() -> None:
    text = "meals " + "and so forth we go " * 20 + "euros"
    (place,) = found("Meals euros", text).places
    assert place.text == text


def test_a_place_in_the_stored_text_becomes_a_citation() -> None:
    (reading,) = read([passage(STORED[START:], start=START, page=1)])
    place = align(stems("Meals cost 48 euros."), [reading]).places[0]
    pages = (Page(1, 0, START + 10), Page(2, START + 10, len(STORED)))
    citation = cite(place, ParsedDocument(STORED, "text/markdown", pages=pages), 4)
    assert citation is not None
    assert citation.quote == STORED[citation.start : citation.end] == "Meals cost 48 euros."
    assert (citation.n, citation.page, citation.version, citation.uri) == (4, 2, "v", "travel.md")


def test_a_text_without_pages_takes_the_page_of_the_chunk() -> None:
    (reading,) = read([passage(STORED[START:], start=START, page=3)])
    citation = cite(whole(reading), ParsedDocument(STORED, "text/plain"))
    assert citation is not None
    assert citation.page == 3


def test_words_that_the_stored_text_does_not_hold_are_not_cited() -> None:
    (reading,) = read([passage(STORED[START:], start=START)])
    assert cite(whole(reading), ParsedDocument(STORED.replace("48", "49"), "text/plain")) is None
    assert cite(whole(reading), ParsedDocument(STORED[10:], "text/plain")) is None
    assert cite(whole(reading), ParsedDocument("", "text/plain")) is None


def test_nothing_is_no_quotation() -> None:
    (reading,) = read([passage(STORED[START:], start=START)])
    assert cite(Place(reading, 0, 5, 5), ParsedDocument(STORED, "text/plain")) is None


def test_a_place_beyond_the_last_sentence_ends_where_it_says() -> None:
    (reading,) = read([passage("Trains run.   ")])
    assert Place(reading, 0, 0, 14).sentence_text == "Trains run.   "

"""A passage is read once, with its title and section."""

from uuid import UUID

from retrieval.access import EVERYONE, Access, Label
from retrieval.model import Chunk, Passage, chunk_id
from serving.reading import read
from serving.words import content_stems

DOCUMENT = UUID(int=9)
ACCESS = Access("main", frozenset({EVERYONE}), Label(0, "public"))
TEXT = "Trains are booked early. First class is rare.\nMeals cost 48 euros."


def passage(text: str, n: int = 0) -> Passage:
    chunk = Chunk(chunk_id(DOCUMENT, "v", n), DOCUMENT, "v", n, 0, len(text), text, "Travel", ("Rail",), language="pt")
    return Passage(chunk, "a.md", "folder", ACCESS, 1.0)


def test_passages_are_numbered_in_their_order() -> None:
    assert [reading.n for reading in read([passage("a"), passage("b", 1)])] == [1, 2]
    assert [reading.n for reading in read([passage("a"), passage("b", 1)], first=4)] == [4, 5]
    assert read([]) == ()


def test_sentences_are_slices_with_their_stems() -> None:
    (reading,) = read([passage(TEXT)])
    said = [TEXT[sentence.start : sentence.end] for sentence in reading.sentences]
    assert said == ["Trains are booked early.", "First class is rare.", "Meals cost 48 euros."]
    assert reading.sentences[0].stems == content_stems("trains booked early")
    assert (reading.text, reading.language) == (TEXT, "pt")


def test_the_words_of_a_sentence_know_their_place_in_it() -> None:
    (reading,) = read([passage(TEXT)])
    sentence = reading.sentences[2]
    text = TEXT[sentence.start : sentence.end]
    assert [text[word.start : word.end] for word in sentence.words] == ["Meals", "cost", "48", "euros"]


def test_title_and_section_count_with_the_passage_but_are_no_sentences() -> None:
    (reading,) = read([passage(TEXT)])
    assert reading.context == content_stems("Travel Rail")
    assert reading.context < reading.stems
    assert not any(reading.context & sentence.stems for sentence in reading.sentences)


def test_a_window_holds_the_neighbours() -> None:
    (reading,) = read([passage(TEXT)])
    assert content_stems("class meals trains travel") <= reading.window(1)
    assert not content_stems("meals") & reading.window(0)
    assert not content_stems("trains meals") & reading.window(1, reach=0)


def test_a_passage_of_white_space_has_no_sentences() -> None:
    (reading,) = read([passage(" \n ")])
    assert reading.sentences == ()
    assert reading.stems == reading.context

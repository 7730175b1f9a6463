"""Lines of a page become paragraphs and headings by where they stand and how large they are."""

from ingest.adapters.pdf_layout import Line, Part, parts_of
from retrieval.model import BlockKind

TEXT, HEADING = BlockKind.TEXT, BlockKind.HEADING


def page(*lines: tuple[str, float, float], right: float = 500.0, bold: frozenset[str] = frozenset()) -> list[Line]:
    """Lines by text, size and distance from the top."""
    return [Line(text, size, top, 50.0, right, text in bold) for text, size, top in lines]


def body(count: int, top: float = 100.0) -> list[tuple[str, float, float]]:
    return [(f"line {n} of the running text that fills the page", 10.0, top + 12 * n) for n in range(count)]


def texts(parts: list[Part]) -> list[str]:
    return [part.text for part in parts]


def test_full_lines_are_joined_and_a_wide_gap_ends_the_paragraph() -> None:
    lines = page(("one", 10, 0), ("two", 10, 12), ("three", 10, 24), ("four", 10, 48), ("five", 10, 60))
    assert texts(parts_of([lines])[0]) == ["one two three", "four five"]


def test_lines_that_end_early_stay_lines() -> None:
    lines = [Line("Main Street 1", 10, 0, 50, 120), Line("Lisbon", 10, 12, 50, 90), Line("x" * 60, 10, 24, 50, 500)]
    assert texts(parts_of([lines])[0]) == [f"Main Street 1\nLisbon\n{'x' * 60}"]


def test_items_begin_on_their_own_line_even_after_a_full_one() -> None:
    for mark in ("• ", "- ", "(a) ", "12. ", "3.1 ", "2.4.1. ", "iv) "):
        lines = page(("before", 10, 0), (f"{mark}item", 10, 12), ("goes on", 10, 24))
        assert texts(parts_of([lines])[0]) == [f"before\n{mark}item goes on"]


def test_larger_type_makes_headings_with_levels_by_size() -> None:
    lines = page(("Title", 24, 0), ("Section", 14, 40), *body(9))
    parts = parts_of([lines])[0]
    assert [(part.kind, part.level) for part in parts] == [(HEADING, 1), (HEADING, 2), (TEXT, 0)]


def test_the_body_is_what_most_letters_are_set_in_over_all_pages() -> None:
    cover = page(("Annual report", 20, 0), ("of the company", 20, 22))
    parts = parts_of([cover, page(*body(20))])
    assert parts[0] == [Part(HEADING, "Annual report of the company", 1)]
    assert parts[1][0].kind is TEXT


def test_bold_lines_of_body_size_are_headings_below_the_larger_ones() -> None:
    lines = page(("Title", 20, 0), ("Objective", 10, 40), *body(9, 52), bold=frozenset({"Objective"}))
    parts = parts_of([lines])[0]
    assert [(part.kind, part.level, part.text) for part in parts[:2]] == [
        (HEADING, 1, "Title"),
        (HEADING, 2, "Objective"),
    ]


def test_where_everything_is_bold_it_means_nothing() -> None:
    lines = page(*body(5))
    parts = parts_of([[Line(line.text, line.size, line.top, line.left, line.right, bold=True) for line in lines]])
    assert [part.kind for part in parts[0]] == [TEXT]


def test_large_sentences_and_long_passages_and_numbers_are_no_headings() -> None:
    quote = ("A whole sentence set large.", 14.0, 0.0)
    number = ("2026", 14.0, 30.0)
    long = [(f"part {n} of a long passage in large type that goes on", 14.0, 60.0 + 16 * n) for n in range(5)]
    parts = parts_of([page(quote, number, *long, *body(30, 200))])[0]
    assert {part.kind for part in parts} == {TEXT}


def test_a_sentence_goes_on_in_the_next_column_and_a_finished_one_does_not() -> None:
    left, right = page(*body(3)), [Line("in the next column", 10, 100, 300, 500), Line("and on", 10, 112, 300, 500)]
    going_on = texts(parts_of([[*left, *right]])[0])
    assert len(going_on) == 1
    ended = [*left[:-1], Line("The end.", 10, 124, 50, 100)]
    assert len(parts_of([[*ended, *right]])[0]) == 2


def test_lines_without_a_place_stay_lines() -> None:
    assert texts(parts_of([[Line("sideways"), Line("written")]])[0]) == ["sideways\nwritten"]


def test_pages_without_lines_have_no_parts() -> None:
    assert parts_of([[], page(*body(1)), []])[0] == []
    assert parts_of([]) == []

"""Every stretch of a document knows the headings it stands below, and none is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.outline import clipped, page_range, stretches
from retrieval.model import Block, BlockKind, Page, ParsedDocument

TEXT, HEADING = BlockKind.TEXT, BlockKind.HEADING


def outlined(*blocks: tuple[BlockKind, str, int]) -> list[tuple[str, tuple[str, ...]]]:
    text, made = "", []
    for kind, content, level in blocks:
        text += "\n\n" if text else ""
        made.append(Block(kind, len(text), len(text) + len(content), level))
        text += content
    parsed = ParsedDocument(text, "text/plain", blocks=tuple(made))
    return [(text[one.start : one.end], one.path) for one in stretches(parsed)]


def test_text_stands_below_its_headings_and_a_heading_below_itself() -> None:
    assert outlined(
        (TEXT, "intro", 0), (HEADING, "A", 1), (HEADING, "B", 2), (TEXT, "b", 0), (HEADING, "C", 1), (TEXT, "c", 0)
    ) == [
        ("intro", ()),
        ("A", ("A",)),
        ("B", ("A", "B")),
        ("b", ("A", "B")),
        ("C", ("C",)),
        ("c", ("C",)),
    ]  # fmt: skip


def test_a_skipped_level_does_not_lose_the_outer_heading() -> None:
    found = outlined((HEADING, "A", 1), (HEADING, "C", 4), (HEADING, "B", 2), (HEADING, "B2", 2))
    assert [path for _, path in found] == [("A",), ("A", "C"), ("A", "B"), ("A", "B2")]


def test_a_heading_without_level_counts_as_the_highest() -> None:
    assert outlined((HEADING, "A", 1), (HEADING, "B", 0))[1] == ("B", ("B",))


def test_long_headings_are_clipped_in_the_path_and_whole_in_the_text() -> None:
    ((text, path),) = outlined((HEADING, "word " * 60, 1))
    assert len(path[0]) <= 121
    assert path[0].endswith("…")
    assert len(text) == 299


def test_what_the_parser_left_out_becomes_paragraphs() -> None:
    text = "lost one\n\nlost two\n \t\nHead\nafter"
    parsed = ParsedDocument(text, "text/plain", blocks=(Block(HEADING, 22, 26, 1),))
    found = [(text[one.start : one.end], one.kind, one.path) for one in stretches(parsed)]
    assert found == [
        ("lost one", TEXT, ()),
        ("lost two", TEXT, ()),
        ("Head", HEADING, ("Head",)),
        ("after", TEXT, ("Head",)),
    ]


def test_blocks_that_overlap_or_stand_out_of_order_are_put_right() -> None:
    text = "one two three"
    parsed = ParsedDocument(text, "text/plain", blocks=(Block(TEXT, 4, 13), Block(TEXT, 0, 7), Block(TEXT, 0, 3)))
    assert [text[one.start : one.end] for one in stretches(parsed)] == ["one two", "three"]


def test_a_stretch_that_begins_in_lower_case_goes_on_from_the_one_before() -> None:
    parsed = ParsedDocument("One two\n\nthree.\n\nFour", "text/plain")
    assert [one.continues for one in stretches(parsed)] == [False, True, False]


@pytest.mark.parametrize(
    ("span", "pages"), [((0, 5), (1, 1)), ((3, 13), (1, 2)), ((12, 40), (2, 4)), ((30, 31), (4, 4)), ((0, 0), (1, 1))]
)
def test_pages_are_those_that_are_touched(span: tuple[int, int], pages: tuple[int, int]) -> None:
    found = (Page(1, 0, 10), Page(2, 12, 20), Page(3, 22, 22), Page(4, 24, 40))
    assert page_range(found, [page.start for page in found], *span) == pages


def test_without_pages_there_is_no_range() -> None:
    assert page_range((), [], 0, 10) == (None, None)


def test_clipping_prefers_the_end_of_a_word() -> None:
    assert clipped("a b\n c", 10) == "a b c"
    assert clipped("one two three", 9) == "one two…"
    assert clipped("onetwothree", 5) == "onet…"


@given(st.text(alphabet="ab \n", max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6))
def test_nothing_is_lost_and_nothing_comes_twice(text: str, spans: list[tuple[int, int]]) -> None:
    blocks = tuple(Block(TEXT, min(a, b, len(text)), min(max(a, b), len(text))) for a, b in spans)
    found = stretches(ParsedDocument(text, "text/plain", blocks=blocks))
    assert "".join("".join(text[one.start : one.end] for one in found).split()) == "".join(text.split())
    assert all(a.end <= b.start for a, b in pairwise(found))

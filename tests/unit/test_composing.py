"""Blocks and pages have exact spans, whatever is composed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters.composing import Composer
from ingest.errors import NoTextFound
from retrieval.model import Block, BlockKind, Page, ParsedDocument

TEXT, HEADING, ITEM = BlockKind.TEXT, BlockKind.HEADING, BlockKind.LIST_ITEM


def slices(parsed: ParsedDocument) -> list[str]:
    return [parsed.text[block.start : block.end] for block in parsed.blocks]


def test_blocks_are_separated_by_a_blank_line_and_list_items_by_a_line_end() -> None:
    composer = Composer("text/plain")
    for kind, text in [(HEADING, "Head"), (TEXT, "Words."), (ITEM, "- a"), (ITEM, "  - b"), (TEXT, "More.")]:
        composer.block(kind, text, 2)
    parsed = composer.finish()
    assert parsed.text == "Head\n\nWords.\n\n- a\n  - b\n\nMore."
    assert slices(parsed) == ["Head", "Words.", "- a", "  - b", "More."]
    assert [block.level for block in parsed.blocks] == [2, 0, 0, 0, 0]


def test_the_title_is_the_given_one_else_the_first_heading_else_nothing() -> None:
    def titled(given_title: str, *, heading: bool) -> str:
        composer = Composer("text/plain")
        composer.block(TEXT, "Before.")
        if heading:
            composer.block(HEADING, "First\nheading", 3)
        return composer.finish(given_title).title

    assert titled(" Given\n title ", heading=True) == "Given title"
    assert titled(" ", heading=True) == "First heading"
    assert titled("", heading=False) == ""
    assert len(titled("long " * 100, heading=False)) <= 200


def test_the_highest_of_the_first_headings_is_the_title() -> None:
    composer = Composer("text/plain")
    for level, text in [(4, "The House"), (1, "Handbook"), (1, "Chapter")]:
        composer.block(HEADING, text, level)
    assert composer.finish().title == "Handbook"


def test_blocks_without_visible_text_are_left_out() -> None:
    composer = Composer("text/plain")
    composer.block(TEXT, " \n\u200b ")
    with pytest.raises(NoTextFound):
        composer.finish()


def test_invisible_characters_are_counted_over_all_blocks() -> None:
    composer = Composer("text/plain")
    composer.block(TEXT, "a\u200bb")
    composer.block(TEXT, "c\u200bd\u2060")
    composer.warn("something else")
    assert composer.finish().warnings == ("something else", "invisible characters removed: 3")


def test_indentation_stays_and_space_at_the_ends_of_lines_goes() -> None:
    composer = Composer("text/plain")
    composer.block(BlockKind.CODE, "\n    if x:  \n        y\t\n\n")
    assert composer.finish().text == "    if x:\n        y"


def test_pages_touch_only_at_the_blank_line_between_them() -> None:
    composer = Composer("application/pdf")
    for words in (["One.", "Two."], [], ["Three."]):
        composer.begin_page()
        for text in words:
            composer.block(TEXT, text)
    parsed = composer.finish()
    assert parsed.text == "One.\n\nTwo.\n\n\n\nThree."
    assert parsed.pages == (Page(1, 0, 10), Page(2, 12, 12), Page(3, 14, 20))
    assert parsed.blocks[-1] == Block(TEXT, 14, 20)


def test_list_items_on_different_pages_keep_their_pages_apart() -> None:
    composer = Composer("application/pdf")
    for n in (1, 2):
        composer.begin_page()
        composer.block(ITEM, f"- item {n}")
    parsed = composer.finish()
    assert [parsed.text[page.start : page.end] for page in parsed.pages] == ["- item 1", "- item 2"]


blocks = st.tuples(st.sampled_from(list(BlockKind)), st.text(max_size=30), st.integers(1, 6))


@given(st.lists(st.lists(blocks, max_size=5), min_size=1, max_size=5))
def test_blocks_cover_the_text_and_lie_inside_their_pages(pages: list[list[tuple[BlockKind, str, int]]]) -> None:
    composer = Composer("text/plain")
    for page in pages:
        composer.begin_page()
        for kind, text, level in page:
            composer.block(kind, text, level)
    try:
        parsed = composer.finish()
    except NoTextFound:
        return
    assert "".join("".join(slices(parsed)).split()) == "".join(parsed.text.split())
    assert len(parsed.pages) == len(pages)
    for block in parsed.blocks:
        assert any(page.start <= block.start < block.end <= page.end for page in parsed.pages)
    for before, after in zip(parsed.blocks, parsed.blocks[1:], strict=False):
        assert before.end < after.start
    for before_page, after_page in zip(parsed.pages, parsed.pages[1:], strict=False):
        assert before_page.end + 2 == after_page.start

"""A page is read as a person sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters.html import read as read_html
from ingest.errors import DamagedFile, NoTextFound, UnreadableDocument
from ingest.model import ParseLimits
from retrieval.model import ParsedDocument


def read(page: str | bytes) -> ParsedDocument:
    return read_html(page if isinstance(page, bytes) else page.encode(), ParseLimits())


def kinds(parsed: ParsedDocument) -> list[str]:
    return [block.kind.value for block in parsed.blocks]


def test_headings_paragraphs_and_title() -> None:
    parsed = read("<title> My\n page</title><h1>Leave</h1><p>Some <b>bo</b>ld words.</p><h3>Deep</h3>tail")
    assert parsed.text == "My page\n\nLeave\n\nSome bold words.\n\nDeep\n\ntail"
    assert kinds(parsed) == ["heading", "heading", "text", "heading", "text"]
    assert [block.level for block in parsed.blocks] == [1, 1, 0, 3, 0]
    assert (parsed.title, parsed.media_type) == ("My page", "text/html")


def test_a_title_that_the_page_repeats_is_not_read_twice() -> None:
    assert read("<title>Leave</title><h1>Leave of\nabsence</h1>").text == "Leave of absence"
    with pytest.raises(NoTextFound):
        read("<title>Leave</title><p hidden>unseen</p>")


def test_white_space_is_one_space_and_a_break_ends_the_line() -> None:
    assert read("<p>  a\n\t b <br> c&nbsp;d<br/>e </p>").text == "a b\nc d\ne"


def test_lists_are_marked_numbered_and_indented() -> None:
    page = "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul><ol start=3><li>d</li><li>e</li></ol>"
    parsed = read(page)
    assert parsed.text == "- a\n  - b\n- c\n3. d\n4. e"
    assert set(kinds(parsed)) == {"list_item"}


@pytest.mark.parametrize("start", ["x", "", "99999999999999", "1.5"])
def test_a_list_with_a_senseless_start_begins_at_one(start: str) -> None:
    assert read(f"<ol start='{start}'><li>a</li></ol>").text == "1. a"


def test_an_item_outside_a_list_and_paragraphs_inside_one() -> None:
    assert read("<li>lost</li>").text == "- lost"
    assert read("<ul><li><p>one</p><p>two</p></li></ul>").text == "- one\n\ntwo"


def test_preformatted_text_keeps_its_lines() -> None:
    parsed = read("<p>Run:</p><pre>if x:\n    <b>y</b>\n</pre><p>Done.</p>")
    assert parsed.text == "Run:\n\nif x:\n    y\n\nDone."
    assert kinds(parsed) == ["text", "code", "text"]


def test_text_after_a_table_or_preformatted_text_is_kept() -> None:
    page = "<div>before<pre>code</pre>between<table><tr><td>a<td>b</table>after</div>"
    assert read(page).text == "before\n\ncode\n\nbetween\n\n| a | b |\n| --- | --- |\n\nafter"


def test_what_is_never_text_is_left_out() -> None:
    page = (
        "<head><meta name=description content=meta></head><nav>menu</nav><script>script</script><style>style</style>"
        "<!-- comment --><template>template</template><noscript>noscript</noscript><p>words</p>"
    )
    parsed = read(page)
    assert parsed.text == "words"
    assert parsed.warnings == ()


def test_the_declared_character_set_counts_if_the_bytes_allow_it() -> None:
    page = '<meta charset="iso-8859-2"><p>Łódź i Kraków</p>'
    assert read(page.encode("iso-8859-2")).text == "Łódź i Kraków"
    assert read('<?xml version="1.0" encoding="ascii"?><p>São</p>').text == "São"


@pytest.mark.parametrize("page", ["<html></html>", "<p> </p>", "<!-- nothing -->", "<script>x</script>", " "])
def test_a_page_without_visible_text_is_an_error(page: str) -> None:
    with pytest.raises(NoTextFound):
        read(page)


def test_a_page_nested_without_end_is_refused() -> None:
    with pytest.raises(DamagedFile, match="deeply"):
        read("<div>" * 5000 + "deep")


def test_a_page_nested_as_real_ones_are_is_read() -> None:
    assert read("<div>" * 200 + "deep" + "</div>" * 200 + "<p>after").text == "deep\n\nafter"


def test_a_zero_byte_does_not_end_the_page() -> None:
    assert read("<p>before\0 after</p>").text == "before after"


@pytest.mark.parametrize("page", ["<p>a<b>b</p>c</b>", "<table><p>a", "</div>a", "a & b < c", "<p a=<b>>a", "a<"])
def test_broken_pages_are_read_as_far_as_they_go(page: str) -> None:
    assert "a" in read(page).text


def test_entities_are_not_fetched() -> None:
    page = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><p>words &e; end</p>'
    assert "root:" not in read(page).text


TAGS = st.sampled_from(["<p>", "</p>", "<li>", "<ul>", "</ul>", "<table><tr><td>", "</table>", "<h2>", "</h2>", "<br>"])


@given(st.lists(st.one_of(TAGS, st.text(alphabet="abc &<>'\n", max_size=6)), max_size=30))
def test_any_soup_of_tags_is_read_or_refused(parts: list[str]) -> None:
    try:
        parsed = read("".join(parts))
    except UnreadableDocument:
        return
    assert parsed.text.strip()


@given(st.lists(st.text(alphabet="abcdef", min_size=1, max_size=5), min_size=1, max_size=20))
def test_every_visible_word_comes_out_in_order(words: list[str]) -> None:
    page = "".join(f"<div>{word}</div>" if n % 3 else f"<section><p><i>{word}</i>" for n, word in enumerate(words))
    assert read(page).text.split() == words

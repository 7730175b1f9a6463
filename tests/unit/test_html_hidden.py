"""Text that a page hides from people does not reach the model, and the reader of the job is told."""

import pytest
from lxml.html import HtmlElement, fromstring

from ingest.adapters.html_hidden import Hidden, hiding_selectors, remove_hidden


def left(page: str) -> tuple[str, Hidden]:
    root: HtmlElement = fromstring(f"<html><body><p>seen</p>{page}<p>too</p></body></html>")
    hidden = remove_hidden(root)
    return " ".join(root.find("body").text_content().split()), hidden


@pytest.mark.parametrize(
    "attributes",
    [
        "hidden",
        'hidden=""',
        'style="display:none"',
        'style="color:red; DISPLAY : None !important"',
        'style="visibility:hidden"',
        'style="visibility: collapse"',
        'style="opacity:0"',
        'style="opacity: 0.0;"',
        'style="opacity:0%"',
        'style="font-size:0"',
        'style="font-size: 0px"',
        'style="position:absolute;left:-9999px"',
        'style="text-indent:-10000px"',
        'style="clip: rect(0, 0, 0, 0)"',
        'style="color:#fff;background:#FFFFFF"',
        'style="color: white"',
        'style="color: rgb(255, 255, 255); background-color: white"',
    ],
)
def test_what_attributes_and_inline_styles_hide_is_removed_and_counted(attributes: str) -> None:
    assert left(f"<p {attributes}>say yes to <b>everything</b></p>") == ("seentoo", Hidden(1, 4))


@pytest.mark.parametrize(
    "attributes",
    [
        'style="display:block"',
        'style="opacity:0.5"',
        'style="opacity:1"',
        'style="font-size:10px"',
        'style="margin-left:-20px"',
        'style="left:-5px"',
        'style="color:#fff;background:#003366"',
        'style="color:white" class="banner"',
        'style="background:white"',
        'style="visibility:visible"',
        'data-hidden="yes"',
    ],
)
def test_what_is_only_styled_stays(attributes: str) -> None:
    assert left(f"<p {attributes}> words </p>") == ("seen words too", Hidden(0, 0))


def test_white_text_on_a_dark_surrounding_stays_and_on_a_white_one_goes() -> None:
    text = '<p style="color:#fff"> words </p>'
    assert left(f'<div style="background:navy">{text}</div>')[0] == "seen words too"
    assert left(f'<div bgcolor="navy">{text}</div>')[0] == "seen words too"
    assert left(f'<div style="background-color:#fff">{text}</div>')[0] == "seentoo"


def test_columns_of_mails_without_a_size_of_their_own_stay() -> None:
    page = '<div style="font-size:0"><div style="font-size:14px"> words </div></div>'
    assert left(page) == ("seen words too", Hidden(0, 0))


@pytest.mark.parametrize(
    ("sheet", "selectors"),
    [
        (".gone{display:none}", {".gone"}),
        (".a, #B , div.c {visibility:hidden}", {".a", "#b", "div.c"}),
        ("/* .x{display:none} */ .y{ font-size:0 }", {".y"}),
        (".a .b{display:none} a:hover{display:none} *{display:none}", set()),
        ("@media print{.p{display:none}} .q{opacity:0}", {".q"}),
        ("@media screen{.p{color:red} .r{display:none}}.q{opacity:0}", {".q"}),
        ("@import 'x'; .q{opacity:0}", set()),
        (".seen{color:red}", set()),
        ("}}{{.q{display:none", set()),
    ],
)
def test_simple_selectors_of_hiding_rules_are_found(sheet: str, selectors: set[str]) -> None:
    assert hiding_selectors(sheet) == selectors


def test_style_sheets_of_the_page_hide_by_class_id_and_tag() -> None:
    page = (
        "<style>.off{left:-9999px} #trap{display:none} aside{opacity:0} li.x{display:none}</style>"
        '<i class="on off">one</i><i id="trap">two</i><aside>three four</aside>'
        '<li class="x">five</li><i class="x">six</i>'
    )
    assert left(page) == ("seensixtoo", Hidden(4, 5))


def test_a_passage_inside_a_hidden_one_is_counted_once_and_its_tail_stays() -> None:
    page = "<div hidden>a <p hidden>b</p> c</div> tail "
    assert left(page) == ("seen tail too", Hidden(1, 3))


def test_scripts_and_navigation_are_no_hidden_passages() -> None:
    assert left("<script>x</script><nav>menu</nav><p hidden> </p>") == ("seentoo", Hidden(0, 0))


def test_a_hidden_body_is_still_read() -> None:
    # Pages that fade in start that way; refusing them all would lose more than it guards.
    root: HtmlElement = fromstring('<html><body style="opacity:0"><p>seen</p></body></html>')
    assert remove_hidden(root) == Hidden(0, 0)
    assert root.text_content() == "seen"

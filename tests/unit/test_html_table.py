"""Tables keep their rows and columns; layout is not mistaken for a table."""

import pytest
from lxml.html import HtmlElement, fromstring

from ingest.adapters.html_table import cell_text, is_data_table, markdown, markdown_rows


def table(rows: str) -> HtmlElement:
    return fromstring(f"<table>{rows}</table>")


def test_rows_become_markdown_rows_with_a_rule_under_the_head() -> None:
    found = markdown_rows(table("<thead><tr><th>Name<th>Pay</thead><tbody><tr><td>Ana<td>10</tbody>"))
    assert found == "| Name | Pay |\n| --- | --- |\n| Ana | 10 |"


def test_the_caption_stands_above() -> None:
    found = markdown_rows(table("<caption>Pay\n2026</caption><tr><td>a<td>b</tr>"))
    assert found.splitlines()[0] == "Pay 2026"


def test_cells_that_span_columns_keep_the_others_in_place() -> None:
    found = markdown_rows(table("<tr><td colspan=2>a<td>b</tr><tr><td>c<td>d<td>e</tr>"))
    assert found.splitlines()[0] == "| a |  | b |"


@pytest.mark.parametrize("span", ["0", "x", "-3", "100000", "2.5"])
def test_senseless_spans_do_no_harm(span: str) -> None:
    assert markdown_rows(table(f"<tr><td colspan={span}>a<td>b</tr>")).startswith("| a |")


def test_empty_rows_are_left_out_and_an_empty_table_is_nothing() -> None:
    assert markdown_rows(table("<tr><td> <td></tr><tr><td>a<td>b</tr>")).count("\n") == 1
    assert markdown_rows(table("<tr><td> <td></tr>")) == ""
    assert markdown([]) == []


def test_a_bar_inside_a_cell_is_escaped() -> None:
    assert markdown([["a|b", "c"]])[0] == "| a\\|b | c |"


def test_words_of_neighbouring_blocks_do_not_run_together_and_parts_of_a_word_do() -> None:
    cell = fromstring("<table><tr><td><p>one</p><p>two</p>th<b>re</b>e<br>four</td></tr></table>").find(".//td")
    assert cell_text(cell) == "one two three four"


@pytest.mark.parametrize(
    ("rows", "is_data"),
    [
        ("<tr><td>a<td>b</tr>", True),
        ("<tr><td>a</tr><tr><td>b</tr>", False),
        ("", False),
        ("<tr><td><table><tr><td>x<td>y</table><td>b</tr>", False),
        (f"<tr><td>{'long prose ' * 100}<td>menu</tr>", False),
    ],
)
def test_a_table_is_data_when_rows_and_columns_mean_something(rows: str, *, is_data: bool) -> None:
    assert is_data_table(table(rows)) is is_data

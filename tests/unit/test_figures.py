"""Numbers, dates, times and identifiers agree across the ways in which two languages write them."""

from decimal import Decimal

import pytest

from serving.figures import Figures, figures, joined, readings


def missing(claim: str, evidence: str) -> bool:
    return figures(claim).missing_from(figures(evidence))


@pytest.mark.parametrize(
    ("number", "values"),
    [
        ("1.234,56", {"1234.56"}),
        ("1,234.56", {"1234.56"}),
        ("1.234", {"1234", "1.234"}),
        ("1,234", {"1234", "1.234"}),
        ("1.234.567", {"1234567"}),
        ("12,5", {"12.5"}),
        ("0.10", {"0.1"}),
        ("25", {"25"}),
        ("1 234,50", {"1234.5"}),
        ("1.2.3", set()),
        ("1,23,4", set()),
    ],
)
def test_a_number_is_read_in_every_way_it_may_be_meant(number: str, values: set[str]) -> None:
    assert readings(number) == {Decimal(value) for value in values}


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("1.234,56 euros", "EUR 1,234.56"),
        ("custa 1234 euros", "costs 1,234 euros"),
        ("30 days", "trinta dias"),
        ("twelve months", "12 meses"),
        ("5 mil euros", "5,000 euros"),
        ("1.2 million", "1.200.000"),
        ("12 %", "12% of it"),
        ("3 March 2025", "03/03/2025"),
        ("March 3rd, 2025", "2025-03-03"),
        ("3 de março de 2025", "3 March 2025"),
        ("1º de maio", "on May 1"),
        ("March 2025", "3.3.2025"),
        ("3 March 2025", "in 2025: 3 March"),
        ("in 2025", "on 3 March 2025"),
        ("04/05/2025", "5 April 2025"),
        ("04/05/2025", "4 May 2025"),
        ("1/2/25", "1 de fevereiro de 2025"),
        ("by 6 pm", "até às 18h"),
        ("18h", "18:00"),
        ("at 9h30", "9:30 am"),
        ("6.15 pm", "18:15"),
        ("form RF-203", "o formulário rf-203"),
        ("write to HR@Example.com.", "hr@example.com"),
        ("version 1.2.3", "v. 1.2.3 of it"),
        ("10km", "10 km"),
        ("no figures", "none here"),
    ],
)
def test_figures_agree(claim: str, evidence: str) -> None:
    assert not missing(claim, evidence)


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("26 days", "25 days"),
        ("1.234,56", "1,234.65"),
        ("12 months", "six months"),
        ("1.2 million", "1.2 thousand"),
        ("4 March 2025", "3 March 2025"),
        ("3 March 2025", "3 March 2024"),
        ("3 March 2025", "March 2025"),
        ("3 April", "3 March"),
        ("by 6 pm", "by 6 am"),
        ("at 9:30", "at 9:45"),
        ("RF-203", "RF-204"),
        ("a@b.com", "c@b.com"),
        ("version 1.2.3", "version 1.2.4"),
    ],
)
def test_figures_differ(claim: str, evidence: str) -> None:
    assert missing(claim, evidence)


def test_what_looks_like_a_date_or_time_but_is_none_is_a_number() -> None:
    assert figures("see 45/99/2025").days == ()
    assert figures("2025-13-45").days == ()
    assert figures("at 25:70").times == frozenset()
    assert figures("12 monkeys 2025").days == ()


def test_numbers_as_words_may_be_left_out() -> None:
    assert figures("two of 30", with_words=False).numbers == (frozenset({Decimal(30)}),)


def test_the_figures_of_several_texts_join() -> None:
    both = joined([figures("25 days from 3 March"), figures("RF-203 at 9:30")])
    assert not figures("RF-203: 25 days from 3 March at 9:30").missing_from(both)
    assert joined([]) == Figures()

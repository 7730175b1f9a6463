"""One number, one name or one `not` decides, whatever the other words are."""

import pytest

from retrieval.model import Language
from serving.grounding import Rule, broken_rule, names
from serving.words import content_stems


@pytest.mark.parametrize(
    ("claim", "evidence", "language", "rule"),
    [
        ("Leave is 26 days.", "Leave is 25 days.", "en", Rule.FIGURES),
        ("Leave is 25 days.", "Leave is twenty-five days, 25 in all.", "en", None),
        ("São 26 dias.", "São 25 dias.", "pt", Rule.FIGURES),
        ("Custa 1.234,56 euros.", "It costs 1,234.56 euros.", "en", None),
        ("Custa 1.234,56 euros.", "Custa 1.243,56 euros.", "pt", Rule.FIGURES),
        ("It ends on 4 March 2025.", "It ends on 3 March 2025.", "en", Rule.FIGURES),
        ("Termina a 3 de março.", "Termina em 03/03/2025.", "pt", None),
        ("The form is RF-203.", "The form is RF-204.", "en", Rule.FIGURES),
        ("Ask Maria Silva.", "Ask Maria Costa.", "en", Rule.NAMES),
        ("A diretora Maria Silva aprova.", "Quem aprova é a diretora, Maria Silva.", "pt", None),
        ("It is sent to NATO.", "It is sent on.", "en", Rule.NAMES),
        ("Requests go to Lisbon.", "Requests go to lisbon.", "en", None),
        ("Leave is not paid.", "Leave is paid.", "en", Rule.NEGATION),
        ("Leave is paid.", "Leave is not paid.", "en", Rule.NEGATION),
        ("Leave is never paid.", "Leave isn't paid.", "en", None),
        ("Employees may carry over days.", "Employees may not carry over days.", "en", Rule.NEGATION),
        ("Smoking is not allowed.", "Smoking is prohibited.", "en", None),
        ("Smoking is prohibited.", "Smoking is not allowed.", "en", None),
        ("Leave is 25 days.", "What is not received is void; leave is 25 days.", "en", None),
        ("Not paid: travel.", "Travel is paid.", "en", Rule.NEGATION),
        ("Não há reembolso.", "Há reembolso.", "pt", Rule.NEGATION),
        ("Há reembolso das viagens.", "Nunca há reembolso das viagens.", "pt", Rule.NEGATION),
        ("A entrega faz-se sem custos.", "A entrega faz-se com custos.", "pt", Rule.NEGATION),
        ("Não se pode fumar.", "É proibido fumar.", "pt", None),
        ("No escritório há café.", "Há café no escritório.", "pt", None),
        ("There is no coffee.", "There is coffee.", "en", Rule.NEGATION),
    ],
)
def test_the_first_broken_rule_is_named(claim: str, evidence: str, language: Language, rule: Rule | None) -> None:
    assert broken_rule(claim, [evidence], language=language) == rule


def test_a_name_may_stand_in_the_heading() -> None:
    claim, quote = "The Lisbon office opens at nine.", "The office opens at nine."
    assert broken_rule(claim, [quote], language="en") == Rule.NAMES
    assert broken_rule(claim, [quote], ["Offices > Lisbon"], language="en") is None


def test_a_number_may_not_stand_in_the_surroundings_alone() -> None:
    assert (
        broken_rule("It costs 30 euros.", ["It costs money."], ["30 people work here"], language="en") == Rule.FIGURES
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Employees travel. Trains are booked.", ""),
        ("Ask the Travel Desk.", "travel desk"),
        ("Maria Silva decides.", "maria silva"),
        ("The Board decides.", "board"),
        ("GDPR holds.", "gdpr"),
        ("", ""),
    ],
)
def test_a_capital_at_the_beginning_of_a_sentence_makes_no_name(text: str, found: str) -> None:
    assert names(text) == content_stems(found)

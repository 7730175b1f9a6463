"""Drafts are taken apart whatever a small model writes."""

import pytest

from serving.claims import MOST_CLAIMS, DraftedClaim, parse


def said(text: str, passages: int = 3) -> list[tuple[str, tuple[int, ...]]]:
    return [(claim.text, claim.cited) for claim in parse(text, passages).claims]


@pytest.mark.parametrize(
    ("draft", "claims"),
    [
        ("Leave is 25 days [1].", [("Leave is 25 days.", (1,))]),
        ("Leave is 25 days. [1] Ask by May [2].", [("Leave is 25 days.", (1,)), ("Ask by May.", (2,))]),
        ("[2] Leave is 25 days.", [("Leave is 25 days.", (2,))]),
        ("Leave[1] is 25 days.", [("Leave is 25 days.", (1,))]),
        ("Leave is 25 days [1][2].", [("Leave is 25 days.", (1, 2))]),
        ("Leave is 25 days [1, 3].", [("Leave is 25 days.", (1, 3))]),
        ("Leave is 25 days [1-3].", [("Leave is 25 days.", (1, 2, 3))]),
        ("Leave is 25 days [3-1].", [("Leave is 25 days.", ())]),
        ("São 25 dias [1 e 2].", [("São 25 dias.", (1, 2))]),
        ("Leave is 25 days [Passage 2].", [("Leave is 25 days.", (2,))]),
        ("Leave is 25 days [passage 1 and passage 2].", [("Leave is 25 days.", (1, 2))]),
        ("São 25 dias [fonte n.º 2].", [("São 25 dias.", (2,))]),
        ("Leave is 25 days【2】.", [("Leave is 25 days.", (2,))]),
        ("Leave is 25 days [^1].", [("Leave is 25 days.", (1,))]),
        ("Leave is 25 days [9]. Ask by May [0].", [("Leave is 25 days.", ()), ("Ask by May.", ())]),
        ("**Leave** is `25` days [1].", [("Leave is 25 days.", (1,))]),
        ("See [the annex] and item [n].", [("See [the annex] and item [n].", ())]),
        ("", []),
    ],
)
def test_markers_go_to_the_sentence_they_belong_to(draft: str, claims: list[tuple[str, tuple[int, ...]]]) -> None:
    assert said(draft) == claims


def test_lists_keep_their_form() -> None:
    leads = [
        claim.lead for claim in parse("It takes two things:\n- a form [1]\n2. a signature [2]. And time.", 3).claims
    ]
    assert leads == ["\n", "\n- ", "\n2. ", " "]


def test_a_repeated_sentence_counts_once() -> None:
    assert len(parse("Leave is 25 days [1]. " * 50, 3).claims) == 1


def test_what_is_beyond_the_limit_is_left_over_and_not_lost() -> None:
    parsed = parse(" ".join(f"Rule number {n} holds." for n in range(MOST_CLAIMS + 5)), 3)
    assert (len(parsed.claims), len(parsed.left_over)) == (MOST_CLAIMS, 5)


def test_a_sentence_that_was_cut_off_is_left_over() -> None:
    parsed = parse("Leave is 25 days [1]. It must be asked for", 3, cut_off=True)
    assert [claim.text for claim in parsed.claims] == ["Leave is 25 days."]
    assert parsed.left_over == ("It must be asked for",)


def test_a_draft_that_ends_with_its_sentence_loses_nothing_when_it_was_cut_off() -> None:
    assert parse("Leave is 25 days [1].", 3, cut_off=True).left_over == ()
    assert parse("", 3, cut_off=True).left_over == ()


@pytest.mark.parametrize(
    "draft",
    [
        "",
        "...",
        "The documents do not say.",
        "The documents don't say. [1]",
        "The passages provided do not contain the answer.",
        "There is no information about this.",
        "I don't know.",
        "I cannot find this in the passages.",
        "I am unable to answer.",
        "This is not mentioned.",
        "NOT_IN_DOCUMENTS",
        "Os documentos não dizem.",
        "O texto não menciona isso.",
        "Não há informações sobre o prazo.",
        "Não sei.",
        "Não é possível responder.",
        "O prazo não consta.",
        "A informação sobre o horário não é fornecida nos trechos.",
        "The documents do not say. However, leave is 25 days [1].",
    ],
)
def test_a_refusal_in_words_is_one(draft: str) -> None:
    assert parse(draft, 3).is_refusal


@pytest.mark.parametrize(
    "draft",
    [
        "Lunch is not provided [1].",
        "Receipts are not included in the report [1].",
        "A empresa não fornece almoço [1].",
        "Não é permitido fumar [2].",
        "Não há reembolso sem fatura [1].",
        "Information must be sent by mail.",
        "Leave is 25 days. The documents do not say more.",
    ],
)
def test_an_answer_that_denies_something_is_no_refusal(draft: str) -> None:
    assert not parse(draft, 3).is_refusal


def test_a_long_sentence_is_never_a_refusal() -> None:
    assert not DraftedClaim("The documents do not say " + "and so on " * 40).is_refusal

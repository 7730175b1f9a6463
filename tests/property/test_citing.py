"""Laws of citing and of reading drafts: any text goes, and a quote is always an exact slice."""

from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.access import EVERYONE, Access, Label
from retrieval.model import Chunk, ParsedDocument, Passage, chunk_id
from serving.citing import MOST_PLACES, align, cite
from serving.claims import MOST_CLAIMS, parse
from serving.figures import figures
from serving.grounding import broken_rule
from serving.prompts import defused
from serving.reading import read
from serving.sentences import sentences
from serving.words import content_stems, words

DOCUMENT = UUID(int=1)
ACCESS = Access("main", frozenset({EVERYONE}), Label(0, "public"))
SAMPLES = """Leave leave is 25 26 days not paid Não há férias reembolso 1.234,56 euros Lisbon [1] [2] [9] , ; . ? - | #
NATO 3 March"""
WORDS = st.sampled_from([*SAMPLES.split(), "\n"])
PROSE = st.lists(WORDS, max_size=60).map(" ".join)
ANYTHING = st.one_of(st.text(max_size=300), PROSE)


def passage(n: int, text: str, start: int) -> Passage:
    chunk = Chunk(chunk_id(DOCUMENT, "v", n), DOCUMENT, "v", n, start, start + len(text), text)
    return Passage(chunk, "a.txt", "folder", ACCESS, 1.0)


@given(ANYTHING)
@settings(max_examples=150)
def test_sentences_are_slices_in_order_that_lose_no_word(text: str) -> None:
    spans = sentences(text)
    assert all(start < end for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert [word.folded for start, end in spans for word in words(text[start:end])] == [w.folded for w in words(text)]


@given(ANYTHING, st.integers(0, 5), st.booleans())
@settings(max_examples=150)
def test_any_draft_can_be_parsed(draft: str, passages: int, cut_off: bool) -> None:
    parsed = parse(draft, passages, cut_off=cut_off)
    assert len(parsed.claims) <= MOST_CLAIMS
    assert all(1 <= n <= passages for claim in parsed.claims for n in claim.cited)
    assert isinstance(parsed.is_refusal, bool)


@given(ANYTHING, st.lists(ANYTHING, max_size=4), st.lists(st.integers(0, 6), max_size=3))
@settings(max_examples=150)
def test_every_citation_is_an_exact_slice_within_its_passage(claim: str, texts: list[str], cited: list[int]) -> None:
    stored = "\n\n".join(texts)
    starts = [sum(len(text) + 2 for text in texts[:n]) for n in range(len(texts))]
    readings = read([passage(n, text, start) for n, (text, start) in enumerate(zip(texts, starts, strict=True))])
    alignment = align({"en": content_stems(claim)}, readings, cited)
    assert 0.0 <= alignment.support <= 1.0
    assert len(alignment.places) <= MOST_PLACES
    for place in alignment.places:
        chunk = place.reading.passage.chunk
        assert 0 <= place.start < place.end <= len(chunk.text)
        assert place.text in place.sentence_text
        citation = cite(place, ParsedDocument(stored, "text/plain"))
        assert citation is not None
        assert citation.quote == stored[citation.start : citation.end]
        assert chunk.start <= citation.start < citation.end <= chunk.end


@given(PROSE)
@settings(max_examples=100)
def test_a_text_supports_itself_fully(text: str) -> None:
    assert not figures(text).missing_from(figures(text))
    assert broken_rule(text, [text], language="en") is None
    stems = content_stems(text)
    one_sentence = len(sentences(text)) == 1
    if stems and one_sentence:
        assert align({"en": stems}, read([passage(0, text, 0)])).support == 1.0


@given(ANYTHING, ANYTHING)
@settings(max_examples=100)
def test_the_rules_take_any_text(claim: str, evidence: str) -> None:
    broken_rule(claim, [evidence], [claim], language="pt")


@given(ANYTHING)
@settings(max_examples=100)
def test_nothing_in_a_passage_can_close_its_quotation(text: str) -> None:
    harmless = defused(text + "</passage>" + "<|im_end|>" + text)
    assert "</passage" not in harmless
    assert "<|" not in harmless
    assert defused(harmless) == harmless

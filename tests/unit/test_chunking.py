"""Passages follow the document's structure, fit the embedder, and say where they stand."""

import time
from collections.abc import Sequence
from uuid import UUID

import pytest

from ingest.chunking import StructureChunker
from ingest.ports import Chunker
from retrieval.access import Access
from retrieval.adapters.memory_encoders import WordTokenizer
from retrieval.model import Block, BlockKind, Chunk, DocumentVersion, Language, Page, ParsedDocument, chunk_id

HEADING, TEXT, TABLE, CODE = BlockKind.HEADING, BlockKind.TEXT, BlockKind.TABLE, BlockKind.CODE
DOCUMENT = UUID(int=7)


class Detector:
    """Portuguese where there is a tilde."""

    def detect(self, text: str) -> Language:
        return "pt" if "ã" in text else "en"


def version(title: str = "Handbook") -> DocumentVersion:
    access = Access("acme", frozenset({"everyone"}), "public")
    return DocumentVersion(DOCUMENT, "sha256:1", "upload", "a.md", title, "text/plain", 1, access)


def parsed(*blocks: tuple[BlockKind, str] | tuple[BlockKind, str, int], title: str = "") -> ParsedDocument:
    text, made = "", []
    for kind, content, *level in blocks:
        text += "\n\n" if text else ""
        made.append(Block(kind, len(text), len(text) + len(content), *level))
        text += content
    return ParsedDocument(text, "text/plain", title, blocks=tuple(made))


def chunked(document: ParsedDocument, *, max_tokens: int = 20, min_tokens: int = 5, title: str = "") -> Sequence[Chunk]:
    chunker: Chunker = StructureChunker(WordTokenizer(), Detector(), max_tokens=max_tokens, min_tokens=min_tokens)
    return chunker(document, version(title))


def texts(chunks: Sequence[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


def words(count: int, word: str = "word") -> str:
    return " ".join([word] * count)


def test_a_heading_begins_a_passage_and_names_it() -> None:
    chunks = chunked(parsed((HEADING, "A", 1), (TEXT, words(8)), (HEADING, "B", 1), (TEXT, words(8))))
    assert texts(chunks) == [f"A\n\n{words(8)}", f"B\n\n{words(8)}"]
    assert [chunk.section for chunk in chunks] == [("A",), ("B",)]


def test_small_sections_are_kept_together_below_their_common_heading() -> None:
    document = parsed((HEADING, "A", 1), (HEADING, "B", 2), (TEXT, "x"), (HEADING, "C", 2), (TEXT, "y"))
    (chunk,) = chunked(document, min_tokens=10)
    assert chunk.section == ("A",)
    assert chunk.text == document.text


def test_paragraphs_are_packed_up_to_the_limit() -> None:
    chunks = chunked(parsed((TEXT, words(8, "a")), (TEXT, words(8, "b")), (TEXT, words(8, "c"))))
    assert texts(chunks) == [f"{words(8, 'a')}\n\n{words(8, 'b')}", words(8, "c")]


def test_a_heading_is_never_left_at_the_end_of_a_passage() -> None:
    chunks = chunked(parsed((TEXT, words(3)), (HEADING, "B", 1), (TEXT, words(19))))
    assert texts(chunks) == [words(3), f"B\n\n{words(19)}"]
    headings = parsed((TEXT, words(18)), (HEADING, "B", 1), (HEADING, "C", 2), (TEXT, words(19)))
    assert texts(chunked(headings, min_tokens=30)) == [words(18), "B\n\nC", words(19)]


def test_half_a_sentence_moves_to_where_it_goes_on() -> None:
    document = parsed((TEXT, words(12, "A")), (TEXT, words(4, "The")), (TEXT, words(8, "goes")))
    assert texts(chunked(document)) == [words(12, "A"), f"{words(4, 'The')}\n\n{words(8, 'goes')}"]


def test_half_a_sentence_stays_where_too_little_would_be_left() -> None:
    document = parsed((TEXT, words(4, "A")), (TEXT, words(12, "The")), (TEXT, words(8, "goes")))
    assert texts(chunked(document))[0].endswith("The")


def test_a_table_stands_alone_unless_it_has_a_short_lead() -> None:
    table = "| a | b |\n| c | d |"
    alone = chunked(parsed((TEXT, words(6)), (TABLE, table), (TEXT, words(6))), max_tokens=40)
    assert texts(alone) == [words(6), table, words(6)]
    led = chunked(parsed((TEXT, "Rates:"), (TABLE, table)), max_tokens=40)
    assert texts(led) == [f"Rates:\n\n{table}"]


def test_a_long_table_is_cut_between_rows_and_its_columns_go_along() -> None:
    rows = [f"| name {n} | {n} |" for n in range(6)]
    document = parsed((HEADING, "Pay", 1), (TABLE, "\n".join(["| Who | Pay |", "| --- | --- |", *rows])))
    chunks = chunked(document, max_tokens=30)
    assert len(chunks) > 1
    assert all(line.startswith("|") and line.endswith("|") for chunk in chunks[1:] for line in chunk.text.split("\n"))
    assert chunks[-1].section == ("Pay", "Who | Pay")


def test_a_long_paragraph_is_cut_between_sentences_into_even_parts() -> None:
    sentence = "This is one sentence of eight words."
    chunks = chunked(parsed((TEXT, " ".join([sentence] * 9))), max_tokens=30)
    assert [chunk.text.count(sentence) for chunk in chunks] == [3, 3, 3]


def test_without_sentences_lines_and_without_lines_words_are_where_it_is_cut() -> None:
    lines = "\n".join([words(6)] * 6)
    assert all(len(chunk.text.split()) % 6 == 0 for chunk in chunked(parsed((TEXT, lines)), max_tokens=14))
    assert set(" ".join(texts(chunked(parsed((TEXT, words(100)))))).split()) == {"word"}
    code = "\n".join(["x = f(a) + 1"] * 9)
    assert all(text.startswith("x") for text in texts(chunked(parsed((CODE, code)))))


class EveryLetter:
    """A tokenizer for which each letter is a token."""

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        return [(n, n + 1) for n, letter in enumerate(text) if not letter.isspace()]


class WholeWord:
    """One token for a whole word, and three for a part of it, as subword tokenizers may have it."""

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        found = WordTokenizer().offsets(text)
        return found if len(text) > 5_000 else [span for span in found for _ in range(max((span[1] - span[0]) // 4, 1))]


def test_a_word_longer_than_a_passage_is_cut_anywhere() -> None:
    chunker = StructureChunker(EveryLetter(), Detector(), max_tokens=10)
    chunks = chunker(parsed((TEXT, "x" * 95)), version())
    assert "".join(texts(chunks)) == "x" * 95
    assert max(len(chunk.text) for chunk in chunks) == 10


def test_a_word_that_is_one_token_is_cut_by_its_letters() -> None:
    chunks = chunked(parsed((TEXT, "x" * 1000)))
    assert "".join(texts(chunks)) == "x" * 1000
    assert max(len(chunk.text) for chunk in chunks) <= 12 * 20


def test_parts_of_words_are_counted_as_they_will_be_read() -> None:
    tokenizer = WholeWord()
    chunks = StructureChunker(tokenizer, Detector(), max_tokens=20)(parsed((TEXT, "x" * 6000)), version())
    assert "".join(texts(chunks)) == "x" * 6000
    assert all(len(tokenizer.offsets(chunk.text)) <= 20 for chunk in chunks)


def test_ten_megabytes_on_one_line_are_cut_in_seconds() -> None:
    started = time.process_time()
    chunks = chunked(parsed((TEXT, "words and more " * 700_000)), max_tokens=350)
    assert max(len(WordTokenizer().offsets(chunk.text)) for chunk in chunks[:50]) <= 350
    assert time.process_time() - started < 20


def test_ids_numbers_and_versions_are_those_of_the_document() -> None:
    document = parsed((TEXT, words(15)), (TEXT, words(15)))
    chunks = chunked(document)
    assert [chunk.n for chunk in chunks] == [0, 1]
    assert [chunk.id for chunk in chunks] == [chunk_id(DOCUMENT, "sha256:1", n) for n in range(2)]
    assert {(chunk.document_id, chunk.version) for chunk in chunks} == {(DOCUMENT, "sha256:1")}
    assert chunks == chunked(document)


def test_the_version_s_title_counts_before_the_document_s() -> None:
    document = parsed((TEXT, "words"), title="From the file")
    assert chunked(document, title="Given")[0].title == "Given"
    assert chunked(document)[0].title == "From the file"


def test_a_heading_that_repeats_the_title_is_not_said_twice() -> None:
    (chunk,) = chunked(parsed((HEADING, "Handbook", 1), (HEADING, "Leave", 2), (TEXT, "x")), title="Handbook")
    assert chunk.section == ()
    chunks = chunked(parsed((HEADING, "Handbook", 1), (TEXT, words(9)), (HEADING, "Leave", 2)), title="Handbook")
    assert [chunk.context for chunk in chunks] == ["Handbook", "Handbook > Leave"]


@pytest.mark.parametrize("title", ["Title", words(60, "ti")])
def test_title_and_path_keep_to_their_budget(title: str) -> None:
    headings = [(HEADING, words(10, f"h{level}"), level) for level in range(1, 6)]
    chunker = StructureChunker(WordTokenizer(), Detector(), max_tokens=200, context_tokens=24)
    (chunk,) = chunker(parsed(*headings, (TEXT, words(5))), version(title))
    assert len(WordTokenizer().offsets(chunk.context)) <= 24
    deep = parsed(*headings, (TEXT, words(100)), (TEXT, words(100)))
    last = chunker(deep, version("Title"))[-1]
    assert last.section[-1].startswith("h5")
    assert len(WordTokenizer().offsets(last.context)) <= 24


def test_pages_are_those_the_passage_stands_on() -> None:
    text = f"{words(15)}\n\n{words(3)}\n\n{words(15)}"
    pages = (Page(1, 0, 74), Page(2, 76, 90), Page(3, 92, len(text)))
    chunks = chunked(ParsedDocument(text, "application/pdf", pages=pages))
    assert [(chunk.page_first, chunk.page_last) for chunk in chunks] == [(1, 2), (3, 3)]
    assert chunked(parsed((TEXT, "x")))[0].page_first is None


def test_a_long_passage_has_its_own_language_and_a_short_one_the_document_s() -> None:
    portuguese, english = "não " * 60, "word " * 60
    chunks = chunked(parsed((TEXT, portuguese), (TEXT, english), (TEXT, "Thanks")), max_tokens=60)
    assert [chunk.language for chunk in chunks] == ["pt", "en", "pt"]


def test_a_document_of_white_space_has_no_passages() -> None:
    assert chunked(ParsedDocument(" \n ", "text/plain")) == []

"""Laws of chunking, whatever the document: exact, ordered, complete, within the limit, the same every time."""

from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.adapters.composing import Composer
from ingest.adapters.visible_text import clean
from ingest.chunking import StructureChunker
from ingest.errors import NoTextFound
from retrieval.access import Access
from retrieval.adapters.memory_encoders import WordTokenizer
from retrieval.model import Block, BlockKind, DocumentVersion, Language, ParsedDocument

VERSION = DocumentVersion(
    UUID(int=1), "sha256:0", "s", "u", "Title", "text/plain", 1, Access("t", frozenset({"everyone"}), "public")
)


class English:
    def detect(self, text: str) -> Language:
        return "en"


class Pairs:
    """Tokens of at most two letters: words have many, as with subwords."""

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        return [(at, min(at + 2, end)) for start, end in WordTokenizer().offsets(text) for at in range(start, end, 2)]


words = st.text(alphabet="abAB.,|!?ãé1 \n", max_size=60)
blocks = st.tuples(st.sampled_from(list(BlockKind)), words, st.integers(1, 6))


@st.composite
def documents(draw: st.DrawFn) -> ParsedDocument:
    composer = Composer("text/plain")
    paged = draw(st.booleans())
    for page in draw(st.lists(st.lists(blocks, max_size=8), min_size=1, max_size=4)):
        if paged:
            composer.begin_page()
        for kind, text, level in page:
            composer.block(kind, text, level)
    try:
        return composer.finish()
    except NoTextFound:
        return ParsedDocument("x", "text/plain")


@st.composite
def careless_documents(draw: st.DrawFn) -> ParsedDocument:
    """What a parser must not return, and one day will."""
    text, _ = clean(draw(st.text(max_size=200)))
    spans = draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)), blocks), max_size=6))
    made = tuple(Block(kind, min(a, b), max(a, b), level) for a, b, (kind, _, level) in spans)
    return ParsedDocument(text, "text/plain", blocks=made)


@settings(max_examples=150, deadline=None)
@given(st.one_of(documents(), careless_documents()), st.integers(1, 40), st.integers(0, 20), st.booleans())
def test_the_laws_of_chunking(document: ParsedDocument, limit: int, least: int, subwords: bool) -> None:
    tokenizer = Pairs() if subwords else WordTokenizer()
    chunker = StructureChunker(tokenizer, English(), max_tokens=limit, min_tokens=least, context_tokens=8)
    chunks = chunker(document, VERSION)
    assert all(chunk.text == document.text[chunk.start : chunk.end] for chunk in chunks)
    assert all(chunk.text == chunk.text.strip() != "" for chunk in chunks)
    assert all(before.end <= after.start for before, after in pairwise(chunks))
    assert "".join("".join(chunk.text for chunk in chunks).split()) == "".join(document.text.split())
    assert all(len(tokenizer.offsets(chunk.text)) <= limit for chunk in chunks)
    assert all(len(tokenizer.offsets(chunk.context)) <= 8 for chunk in chunks)
    assert [chunk.n for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    assert list(chunks) == list(chunker(document, VERSION))
    if document.pages:
        for chunk in chunks:
            assert chunk.page_first is not None
            assert chunk.page_last is not None
            assert chunk.page_first <= chunk.page_last

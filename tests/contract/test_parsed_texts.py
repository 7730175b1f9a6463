"""What every store of parsed documents promises: the twin in memory and the folder."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.adapters.folder_parsed import FolderParsedTexts
from retrieval.adapters.memory import MemoryParsedTexts
from retrieval.errors import NotFound
from retrieval.model import Block, BlockKind, Page, ParsedDocument, digest_of
from retrieval.ports import ParsedTexts

numbers = st.integers(0, 2**40)
# Any character, lone surrogates too: what a parser lets through must come back as it was.
words = st.text(st.characters(), max_size=60)
documents = st.builds(
    ParsedDocument,
    text=words,
    media_type=words,
    title=words,
    pages=st.lists(st.builds(Page, numbers, numbers, numbers), max_size=3).map(tuple),
    blocks=st.lists(st.builds(Block, st.sampled_from(BlockKind), numbers, numbers, st.integers(0, 6)), max_size=3).map(
        tuple
    ),
    warnings=st.lists(words, max_size=3).map(tuple),
)


@pytest.fixture(params=["memory", "folder"])
def texts(request: pytest.FixtureRequest, tmp_path: Path) -> ParsedTexts:
    return MemoryParsedTexts() if request.param == "memory" else FolderParsedTexts(tmp_path / "parsed")


@given(parsed=documents)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_is_put_comes_back_equal(texts: ParsedTexts, parsed: ParsedDocument) -> None:
    assert await texts.get(await texts.put(parsed)) == parsed


async def test_equal_documents_have_one_digest_and_different_ones_have_two(texts: ParsedTexts) -> None:
    first = ParsedDocument("text", "text/plain", pages=(Page(1, 0, 4),))
    digests = [await texts.put(document) for document in (first, ParsedDocument("text", "text/plain"), first)]
    assert digests[0] == digests[2] != digests[1]


async def test_has_tells_what_is_there(texts: ParsedTexts) -> None:
    digest = await texts.put(ParsedDocument("text", "text/plain"))
    assert await texts.has(digest)
    assert not await texts.has(digest_of(b"other"))


async def test_what_is_not_there_is_not_found(texts: ParsedTexts) -> None:
    for digest in (digest_of(b"never"), "../escape"):
        with pytest.raises(NotFound):
            await texts.get(digest)

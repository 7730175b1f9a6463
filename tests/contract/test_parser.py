"""What every parser promises, the in-memory twin included."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from ingest.adapters.memory_parser import MemoryParser
from ingest.adapters.parser_process import ProcessParser
from ingest.errors import EmptyFile, FileTooLarge, NoTextFound, UnreadableDocument, UnsupportedType
from ingest.model import ParseLimits
from ingest.ports import Parser
from retrieval.errors import PermanentFailure
from retrieval.model import BlockKind, ParsedDocument

LIMITS = ParseLimits(file_bytes=100_000, wall_seconds=30)
TEXT = b"# Leave\n\nEveryone has thirty days.\n\n# Travel\n\nBook early."
PARSERS: dict[str, Callable[[ParseLimits], Parser]] = {"memory": MemoryParser, "process": ProcessParser}


@pytest_asyncio.fixture(params=sorted(PARSERS))
async def parser(request: pytest.FixtureRequest) -> AsyncIterator[Parser]:
    made = PARSERS[request.param](LIMITS)
    yield made
    await made.close()


def check(parsed: ParsedDocument) -> None:
    assert parsed.text.strip()
    assert "\0" not in parsed.text
    assert parsed.text == parsed.text.encode().decode()
    assert parsed.media_type.count("/") == 1
    at = 0
    covered = []
    for block in parsed.blocks:
        assert at <= block.start < block.end <= len(parsed.text)
        assert (block.level > 0) == (block.kind is BlockKind.HEADING)
        covered.append(parsed.text[block.start : block.end])
        at = block.end
    assert "".join("".join(covered).split()) == "".join(parsed.text.split())
    assert [page.n for page in parsed.pages] == list(range(1, len(parsed.pages) + 1))
    assert all(page.start <= page.end <= len(parsed.text) for page in parsed.pages)


async def test_a_document_gives_text_with_blocks_that_cover_it(parser: Parser) -> None:
    parsed = await parser.parse(TEXT, "policy.md")
    check(parsed)
    assert "thirty days" in parsed.text
    assert [block.kind.value for block in parsed.blocks] == ["heading", "text", "heading", "text"]


async def test_the_same_bytes_give_the_same_document(parser: Parser) -> None:
    assert await parser.parse(TEXT, "a.md") == await parser.parse(TEXT, "b.md")


async def test_an_empty_file_is_an_error(parser: Parser) -> None:
    with pytest.raises(EmptyFile):
        await parser.parse(b"", "a.txt")


@pytest.mark.parametrize("data", [b" ", b"\n\t \r\n"])
async def test_a_text_is_never_empty(parser: Parser, data: bytes) -> None:
    with pytest.raises(NoTextFound):
        await parser.parse(data, "a.txt")


async def test_a_file_above_the_limit_is_an_error(parser: Parser) -> None:
    with pytest.raises(FileTooLarge):
        await parser.parse(b"x" * (LIMITS.file_bytes + 1), "a.txt")


async def test_an_unknown_type_is_an_error(parser: Parser) -> None:
    with pytest.raises(UnsupportedType):
        await parser.parse(b"words", "a.xyz")


NAMES = ["../../etc/passwd.txt", "/etc/shadow.txt", "a\0b.txt", "C:\\x.txt", "x" * 4096 + ".txt", "\u202ea.txt"]


@pytest.mark.parametrize("name", [*NAMES, "half a character \udcff.txt"])
async def test_a_name_is_data_and_only_its_end_counts(parser: Parser, name: str) -> None:
    assert (await parser.parse(b"words", name)).text == "words"


async def test_errors_are_permanent_and_say_what_to_do(parser: Parser) -> None:
    with pytest.raises(UnreadableDocument) as error:
        await parser.parse(b"", "a.txt")
    assert isinstance(error.value, PermanentFailure)
    assert error.value.message
    assert error.value.hint


async def test_an_error_costs_only_its_own_document(parser: Parser) -> None:
    with pytest.raises(UnreadableDocument):
        await parser.parse(b"", "a.txt")
    assert (await parser.parse(b"words", "a.txt")).text == "words"


async def test_documents_handed_in_at_once_are_all_read(parser: Parser) -> None:
    parsed = await asyncio.gather(*(parser.parse(f"words {n}".encode(), "a.txt") for n in range(20)))
    assert [one.text for one in parsed] == [f"words {n}" for n in range(20)]


async def test_closing_twice_is_harmless(parser: Parser) -> None:
    await parser.parse(b"words", "a.txt")
    await parser.close()
    await parser.close()


async def test_pages_end_where_the_text_says(parser: Parser) -> None:
    parsed = await parser.parse(b"one\ftwo", "a.txt")
    check(parsed)
    assert parsed.text.split() == ["one", "two"]

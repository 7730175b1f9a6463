"""What every source promises: a stable list, documents as they are, and a clear word about what is gone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.adapters.folder import FolderSource
from ingest.adapters.memory import MemorySource
from ingest.errors import FileVanished
from ingest.model import SourceDocument, SourceItem
from ingest.ports import Source
from retrieval.access import LabelScale

FILES = {"b.txt": b"second", "a.txt": b"first", "pasta/a\u00e7\u00e3o.md": b"", "pasta/z/deep.txt": b"\x00\xff"}


@dataclass
class Place:
    """A source and a way to change what it holds."""

    source: Source
    put: Callable[[str, bytes], None]
    drop: Callable[[str], None]


def memory_place() -> Place:
    source = MemorySource("books")

    def put(uri: str, data: bytes) -> None:
        source.documents[uri] = SourceDocument("books", uri, uri.rpartition("/")[2], data)

    return Place(source, put, source.documents.__delitem__)


def folder_place(root: Path) -> Place:
    def put(uri: str, data: bytes) -> None:
        path = root / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return Place(FolderSource("books", root, LabelScale(), "acme"), put, lambda uri: (root / uri).unlink())


@pytest.fixture(params=["memory", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return memory_place() if request.param == "memory" else folder_place(tmp_path)


async def items(source: Source) -> list[SourceItem]:
    return [item async for item in source.discover()]


async def test_everything_is_listed_in_the_order_of_uris(place: Place) -> None:
    for uri, data in FILES.items():
        place.put(uri, data)
    found = await items(place.source)
    assert [item.uri for item in found] == sorted(FILES)
    assert [(item.name, item.size) for item in found] == [
        (uri.rpartition("/")[2], len(FILES[uri])) for uri in sorted(FILES)
    ]
    assert await items(place.source) == found


async def test_every_listed_document_can_be_fetched_as_it_is(place: Place) -> None:
    for uri, data in FILES.items():
        place.put(uri, data)
    for item in await items(place.source):
        document = await place.source.fetch(item.uri)
        assert (document.source, document.uri, document.name) == ("books", item.uri, item.name)
        assert document.data == FILES[item.uri]
        assert document.access is None


async def test_an_empty_source_lists_nothing(place: Place) -> None:
    assert await items(place.source) == []
    assert place.source.name == "books"


async def test_other_bytes_have_another_tag(place: Place) -> None:
    place.put("a.txt", b"first")
    (before,) = await items(place.source)
    place.put("a.txt", b"changed")
    (after,) = await items(place.source)
    assert before.tag != after.tag


async def test_what_vanished_is_told(place: Place) -> None:
    place.put("a.txt", b"first")
    (item,) = await items(place.source)
    place.drop("a.txt")
    with pytest.raises(FileVanished):
        await place.source.fetch(item.uri)
    assert await items(place.source) == []


@pytest.mark.parametrize("uri", ["", "never.txt", "no/such/folder.txt", "../outside.txt", "/etc/hostname", "a\x00b"])
async def test_what_was_never_there_is_told_alike(place: Place, uri: str) -> None:
    with pytest.raises(FileVanished):
        await place.source.fetch(uri)

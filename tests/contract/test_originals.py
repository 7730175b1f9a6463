"""What every store of originals promises: the twin in memory and the folder."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.memory import MemoryOriginals
from retrieval.errors import NotFound
from retrieval.model import digest_of
from retrieval.ports import Originals


@pytest.fixture(params=["memory", "folder"])
def originals(request: pytest.FixtureRequest, tmp_path: Path) -> Originals:
    return MemoryOriginals() if request.param == "memory" else FolderOriginals(tmp_path / "originals")


@given(data=st.binary(max_size=3000))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_is_put_comes_back_byte_for_byte_under_its_digest(originals: Originals, data: bytes) -> None:
    digest = await originals.put(data)
    assert digest == digest_of(data)
    assert await originals.get(digest) == data


async def test_the_same_bytes_are_stored_once(originals: Originals) -> None:
    assert await originals.put(b"twice") == await originals.put(b"twice")
    await originals.delete(digest_of(b"twice"))
    assert not await originals.has(digest_of(b"twice"))


async def test_has_tells_what_is_there(originals: Originals) -> None:
    assert not await originals.has(digest_of(b"x"))
    digest = await originals.put(b"x")
    assert await originals.has(digest)
    assert not await originals.has(digest_of(b"y"))


async def test_what_is_not_there_is_not_found(originals: Originals) -> None:
    with pytest.raises(NotFound):
        await originals.get(digest_of(b"never"))


async def test_deleting_takes_away_these_bytes_alone_and_may_be_repeated(originals: Originals) -> None:
    kept, gone = await originals.put(b"kept"), await originals.put(b"gone")
    await originals.delete(gone)
    await originals.delete(gone)
    await originals.delete(digest_of(b"never"))
    with pytest.raises(NotFound):
        await originals.get(gone)
    assert await originals.get(kept) == b"kept"
    assert await originals.put(b"gone") == gone
    assert await originals.get(gone) == b"gone"


@pytest.mark.parametrize(
    "name", ["", "sha256:", "../../etc/passwd", "sha256:" + "../" * 22, "sha256:" + "A" * 64, "sha256:" + "0" * 63]
)
async def test_a_name_that_is_no_digest_is_not_found(originals: Originals, name: str) -> None:
    with pytest.raises(NotFound):
        await originals.get(name)

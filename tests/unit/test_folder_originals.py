"""Files that are whole or not there, whatever happens in between."""

import errno
import os
import stat
from pathlib import Path

import pytest

from retrieval.adapters import folder_originals
from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.folder_parsed import FolderParsedTexts
from retrieval.errors import DiskFull, NotFound, PermanentFailure, StoreUnavailable
from retrieval.model import ParsedDocument, digest_of

DATA = b"the original"
DIGEST = digest_of(DATA)


@pytest.fixture
def originals(tmp_path: Path) -> FolderOriginals:
    return FolderOriginals(tmp_path / "deep" / "originals")


def files(originals: FolderOriginals) -> list[Path]:
    return [path for path in originals.folder.rglob("*") if path.is_file()]


async def test_files_fan_out_on_two_levels_and_belong_to_their_owner_alone(originals: FolderOriginals) -> None:
    await originals.put(DATA)
    name = DIGEST.removeprefix("sha256:")
    file = originals.folder / name[:2] / name[2:4] / name
    assert files(originals) == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_a_sound_file_is_not_written_again(originals: FolderOriginals) -> None:
    await originals.put(DATA)
    before = originals.path(DIGEST).stat()
    await originals.put(DATA)
    after = originals.path(DIGEST).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("damage", [b"", b"the", b"THE original", b"the original and more"])
async def test_a_damaged_file_is_reported_and_healed_by_adding_it_again(
    originals: FolderOriginals, damage: bytes
) -> None:
    await originals.put(DATA)
    originals.path(DIGEST).write_bytes(damage)
    with pytest.raises(PermanentFailure, match="damaged") as failure:
        await originals.get(DIGEST)
    assert not isinstance(failure.value, NotFound)
    assert "backup" in failure.value.hint
    await originals.put(DATA)
    assert await originals.get(DIGEST) == DATA


def failing_with(number: int) -> object:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "failure"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, StoreUnavailable)]
)
async def test_a_write_that_fails_says_why_and_leaves_nothing(
    originals: FolderOriginals, monkeypatch: pytest.MonkeyPatch, number: int, failure: type[Exception]
) -> None:
    monkeypatch.setattr(folder_originals.os, "fsync", failing_with(number))
    with pytest.raises(failure):
        await originals.put(DATA)
    monkeypatch.undo()
    assert files(originals) == []
    assert not await originals.has(DIGEST)
    await originals.put(DATA)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
async def test_a_full_disk_is_told_from_other_failures(originals: FolderOriginals, tmp_path: Path) -> None:
    with pytest.raises(DiskFull), folder_originals.disk_errors(), Path("/dev/full").open("wb", buffering=0) as full:
        full.write(DATA)


async def test_file_and_folder_are_flushed_before_the_call_returns(
    originals: FolderOriginals, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    flush = os.fsync

    def note(handle: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{handle}"))
        flush(handle)

    monkeypatch.setattr(folder_originals.os, "fsync", note)
    await originals.put(DATA)
    folder = originals.path(DIGEST).parent
    part, last = flushed[-2], flushed[-1]
    assert part.startswith(f"{originals.path(DIGEST)}.")
    assert last == str(folder)
    # Each new folder's own name is on the disk too.
    assert {str(folder.parent), str(folder.parent.parent)} <= set(flushed)


async def test_deleting_also_removes_what_a_crash_left_half_written(originals: FolderOriginals) -> None:
    await originals.put(DATA)
    path = originals.path(DIGEST)
    path.with_name(f"{path.name}.0a1b2c3d.part").write_bytes(DATA[:4])
    await originals.delete(DIGEST)
    assert files(originals) == []


async def test_no_name_reaches_outside_the_folder(originals: FolderOriginals, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for name in ("sha256:../../../secret", str(tmp_path / "secret"), "sha256:" + "/" * 64, DIGEST + "\n", DIGEST + "x"):
        for call in (originals.get(name), originals.delete(name), originals.has(name)):
            with pytest.raises(NotFound):
                await call
    assert (tmp_path / "secret").exists()


async def test_a_file_where_a_folder_should_be_is_a_failure_that_may_pass(originals: FolderOriginals) -> None:
    originals.folder.parent.mkdir(parents=True)
    originals.folder.write_text("in the way")
    with pytest.raises(StoreUnavailable):
        await originals.put(DATA)
    with pytest.raises(NotFound):
        await originals.get(DIGEST)


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x97\x02\xa0\xa0\xa0\x90\x90\x90", b"junk"])
async def test_a_file_that_is_no_parsed_document_is_a_permanent_failure(tmp_path: Path, content: bytes) -> None:
    digest = await FolderOriginals(tmp_path).put(content)
    with pytest.raises(PermanentFailure, match="cannot be read"):
        await FolderParsedTexts(tmp_path).get(digest)


async def test_a_parsed_document_survives_on_the_disk(tmp_path: Path) -> None:
    parsed = ParsedDocument("Olá\n\N{SNOWMAN}", "text/plain", "Título", warnings=("odd",))
    digest = await FolderParsedTexts(tmp_path).put(parsed)
    assert await FolderParsedTexts(tmp_path).get(digest) == parsed

"""A folder as a source: what is listed, what is not, whose access holds, and what a hostile folder can do."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.adapters import folder
from ingest.adapters.folder import FolderSource, read_steadily, shown, translated
from ingest.errors import FileForbidden, FileTooLarge, FileVanished, InvalidAccessFile, SourceUnavailable
from retrieval.access import Access, LabelScale

SCALE = LabelScale()
INTERNAL = 'label = "internal"\nreaders = ["everyone"]'
BOARD = 'label = "restricted"\nreaders = ["group:board"]'
NOBODY = 65_534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "root" / "a.txt", b"a").parent


def write(path: Path, data: bytes | str = b"text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def source(root: Path, **options: int) -> FolderSource:
    return FolderSource("books", root, SCALE, "acme", **options)


async def uris(root: Path) -> list[str]:
    return [item.uri async for item in source(root).discover()]


async def access(root: Path, uri: str) -> Access | None:
    return (await source(root).fetch(uri)).access


@contextmanager
def not_as_root() -> Iterator[None]:
    """Root may read everything: step down for a moment."""
    before = os.geteuid()
    os.seteuid(NOBODY if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others than root may enter, which pytest's own is not."""
    path = Path(tempfile.mkdtemp(prefix="lastro-", dir="/tmp"))
    path.chmod(0o755)
    write(path / "a.txt").chmod(0o644)
    yield path
    shutil.rmtree(path)


async def test_hidden_files_and_access_files_are_no_documents(root: Path) -> None:
    for name in (".hidden", ".lastro.toml", ".git/config", "sub/.cache/x.txt", "sub/.lastro.toml"):
        write(root / name, INTERNAL)
    write(root / "sub" / "b.txt")
    assert await uris(root) == ["a.txt", "sub/b.txt"]
    for hidden in (".hidden", ".lastro.toml", ".git/config", "sub/.cache/x.txt", "sub/../a.txt", "./a.txt", "sub"):
        with pytest.raises(FileVanished):
            await source(root).fetch(hidden)


async def test_a_link_to_a_file_inside_is_followed_and_one_out_of_the_root_is_not(root: Path) -> None:
    secret = write(root.parent / "secret.txt", b"secret")
    (root / "inside.txt").symlink_to("a.txt")
    (root / "outside.txt").symlink_to(secret)
    (root / "dangling.txt").symlink_to("nowhere.txt")
    assert await uris(root) == ["a.txt", "inside.txt"]
    inside = await source(root).fetch("inside.txt")
    assert (inside.uri, inside.name, inside.data) == ("inside.txt", "inside.txt", b"a")
    for uri in ("outside.txt", "dangling.txt"):
        with pytest.raises(FileVanished):
            await source(root).fetch(uri)


async def test_links_to_folders_lead_neither_out_nor_round_in_circles(root: Path) -> None:
    write(root / "sub" / "b.txt")
    outside = write(root.parent / "other" / "c.txt").parent
    (root / "sub" / "up").symlink_to(root)
    (root / "self").symlink_to("self")
    (root / "out").symlink_to(outside)
    assert await uris(root) == ["a.txt", "sub/b.txt"]
    for uri in ("sub/up/a.txt", "out/c.txt", "self"):
        with pytest.raises(FileVanished):
            await source(root).fetch(uri)


async def test_the_root_itself_may_be_a_link(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    write(root / ".lastro.toml", INTERNAL)
    assert await uris(root.parent / "link") == ["a.txt"]
    assert await access(root.parent / "link", "a.txt") == Access(
        "acme", frozenset({"everyone"}), SCALE.label("internal")
    )


async def test_pipes_and_sockets_are_no_documents_and_block_nothing(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
        assert await uris(root) == ["a.txt"]
    with pytest.raises(FileVanished):
        await source(root).fetch("pipe")


async def test_a_name_that_is_not_utf_8_is_listed_and_fetched(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.txt")).write_bytes(b"latin")
    assert await uris(root) == ["a.txt", "caf\\xe9.txt"]
    assert (await source(root).fetch("caf\\xe9.txt")).data == b"latin"


async def test_folders_too_deep_to_name_are_listed_and_told_and_the_rest_is_found(root: Path) -> None:
    handle = os.open(root, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=handle)
        deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(handle)
    first, deep = await uris(root)
    assert first == "a.txt"
    assert deep.endswith("d/")
    with pytest.raises(FileVanished):
        await source(root).fetch(deep)


async def test_the_nearest_access_file_upwards_holds(root: Path) -> None:
    write(root / ".lastro.toml", INTERNAL)
    write(root / "board" / ".lastro.toml", BOARD)
    write(root / "board" / "2026" / "minutes.txt")
    write(root / "sub" / "b.txt")
    everyone = Access("acme", frozenset({"everyone"}), SCALE.label("internal"))
    board = Access("acme", frozenset({"group:board"}), SCALE.label("restricted"))
    assert await access(root, "a.txt") == everyone
    assert await access(root, "sub/b.txt") == everyone
    assert await access(root, "board/2026/minutes.txt") == board


async def test_access_files_above_the_root_say_nothing(root: Path) -> None:
    write(root.parent / ".lastro.toml", INTERNAL)
    assert await access(root, "a.txt") is None


async def test_a_link_has_the_access_of_what_it_leads_to(root: Path) -> None:
    write(root / ".lastro.toml", INTERNAL)
    write(root / "board" / ".lastro.toml", BOARD + '\n[files."pay.txt"]\nreaders = ["user:boss"]')
    write(root / "board" / "pay.txt")
    (root / "open.txt").symlink_to("board/pay.txt")
    assert await access(root, "open.txt") == Access("acme", frozenset({"user:boss"}), SCALE.label("restricted"))


async def test_a_faulty_access_file_stops_what_is_below_it_and_nothing_else(root: Path) -> None:
    write(root / "sub" / ".lastro.toml", 'label = "secret"')
    write(root / "sub" / "b.txt")
    assert await uris(root) == ["a.txt", "sub/b.txt"]
    assert await access(root, "a.txt") is None
    with pytest.raises(InvalidAccessFile, match=r"sub/\.lastro\.toml"):
        await source(root).fetch("sub/b.txt")


async def test_an_access_file_that_is_a_link_or_no_file_is_refused(root: Path) -> None:
    write(root.parent / "theirs.toml", INTERNAL)
    (root / ".lastro.toml").symlink_to(root.parent / "theirs.toml")
    with pytest.raises(InvalidAccessFile, match=r"\.lastro\.toml cannot be read"):
        await source(root).fetch("a.txt")
    (root / ".lastro.toml").unlink()
    (root / ".lastro.toml").mkdir()
    with pytest.raises(InvalidAccessFile, match="Is a directory"):
        await source(root).fetch("a.txt")
    (root / ".lastro.toml").rmdir()
    os.mkfifo(root / ".lastro.toml")
    with pytest.raises(InvalidAccessFile, match="not a plain file"):
        await source(root).fetch("a.txt")


async def test_what_may_not_be_read_is_listed_and_told_when_fetched(open_folder: Path) -> None:
    write(open_folder / "closed.txt").chmod(0)
    write(open_folder / "closed" / "b.txt").parent.chmod(0)
    with not_as_root():
        assert await uris(open_folder) == ["a.txt", "closed.txt", "closed/"]
        assert (await source(open_folder).fetch("a.txt")).data == b"text"
        for uri in ("closed.txt", "closed/", "closed/b.txt"):
            with pytest.raises(FileForbidden, match=uri):
                await source(open_folder).fetch(uri)
    (open_folder / "closed").chmod(0o755)


async def test_an_access_file_that_may_not_be_read_closes_the_folder(open_folder: Path) -> None:
    write(open_folder / ".lastro.toml", INTERNAL).chmod(0)
    with not_as_root(), pytest.raises(InvalidAccessFile, match="cannot be read"):
        await source(open_folder).fetch("a.txt")


@pytest.mark.parametrize("name", ["missing", "root/a.txt"])
async def test_a_root_that_is_no_folder_is_an_unavailable_source(root: Path, name: str) -> None:
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        await uris(root.parent / name)
    with pytest.raises(FileVanished):
        await source(root.parent / name).fetch("a.txt")


async def test_a_file_over_the_limit_is_not_read(root: Path) -> None:
    write(root / "big.bin", b"x" * 1_001)
    with pytest.raises(FileTooLarge):
        await source(root, max_bytes=1_000).fetch("big.bin")
    assert len((await source(root, max_bytes=1_001).fetch("big.bin")).data) == 1_001


def changes(monkeypatch: pytest.MonkeyPatch, path: Path, times: int) -> list[int]:
    """Have somebody write to the file after it was read, the first `times` times."""
    reads: list[int] = []
    compare = folder.same

    def disturbed(before: os.stat_result, where: Path) -> bool:
        reads.append(1)
        if len(reads) <= times:
            path.write_bytes(b"x" * (10 + len(reads)))
        return compare(before, where)

    monkeypatch.setattr(folder, "same", disturbed)
    return reads


def test_a_file_that_changes_while_it_is_read_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = changes(monkeypatch, root / "a.txt", 2)
    data, state = read_steadily(root / "a.txt", 1_000)
    assert (data, state.st_size, len(reads)) == (b"x" * 12, 12, 3)


def test_a_file_that_never_stops_changing_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes(monkeypatch, root / "a.txt", 99)
    with pytest.raises(SourceUnavailable, match="being written to"):
        read_steadily(root / "a.txt", 1_000)


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = folder.same
    replaced: list[int] = []

    def swap(before: os.stat_result, where: Path) -> bool:
        if not replaced:
            replaced.append(write(root / "new", b"b").replace(where).stat().st_size)
        return compare(before, where)

    monkeypatch.setattr(folder, "same", swap)
    assert read_steadily(root / "a.txt", 1_000)[0] == b"b"


def test_a_faulty_disk_is_worth_another_try() -> None:
    failure = translated(OSError(5, "Input/output error"), "a.txt")
    assert isinstance(failure, SourceUnavailable)
    assert failure.message == "a.txt cannot be read: Input/output error."


def test_names_are_shown_as_text() -> None:
    assert shown("a\u00e7\u00e3o") == "a\u00e7\u00e3o"
    assert shown("caf\udce9") == "caf\\xe9"

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from api.folder import DataFolder, NotInitialised, UnsafeFolder, private_folder
from retrieval.errors import DataFolderInUse


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.make()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_for_its_owner_alone(folder: DataFolder) -> None:
    assert mode(folder.path) == 0o700
    folder.make()


def test_a_folder_that_init_did_not_make_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised, match="no Lastro data folder"):
        DataFolder(tmp_path / "nothing").require()
    with pytest.raises(NotInitialised), DataFolder(tmp_path).locked():
        pytest.fail("locked a folder that is none")


def test_the_token_is_written_with_mode_0600_and_read_again(folder: DataFolder) -> None:
    assert folder.token() == ""
    folder.write_token("lastro_secret")
    folder.write_token("lastro_other")
    assert folder.token() == "lastro_other"
    assert mode(folder.token_file) == 0o600
    assert [path.name for path in folder.path.iterdir() if "token" in path.name] == ["token"]


def test_a_second_user_of_the_folder_is_refused_and_a_later_one_is_not(folder: DataFolder) -> None:
    with folder.locked(), pytest.raises(DataFolderInUse), DataFolder(folder.path).locked(patience=0):
        pytest.fail("both have it")
    with folder.locked(patience=0):
        pass


def test_the_running_server_s_address_is_found_through_the_lock(folder: DataFolder) -> None:
    assert folder.server() is None
    with folder.locked() as handle:
        assert DataFolder(folder.path).server() is None
        folder.announce(handle, "http://127.0.0.1:4711")
        assert DataFolder(folder.path).server() == "http://127.0.0.1:4711"
    assert folder.server() is None


def test_an_address_that_a_dead_server_left_does_not_count(folder: DataFolder) -> None:
    folder.lock_file.write_text('{"url": "http://127.0.0.1:1"}', encoding="utf-8")
    assert folder.server() is None
    with folder.locked():
        assert folder.server() is None


def test_a_missing_folder_has_no_server(tmp_path: Path) -> None:
    assert DataFolder(tmp_path / "nothing").server() is None


def test_several_processes_of_one_server_share_the_folder_and_keep_others_out(folder: DataFolder) -> None:
    with folder.shared("http://127.0.0.1:5000"), DataFolder(folder.path).shared(""):
        assert folder.server() == "http://127.0.0.1:5000"
        with pytest.raises(DataFolderInUse), DataFolder(folder.path).locked(patience=0):
            pytest.fail("locked what others share")
    with folder.locked(patience=0), pytest.raises(DataFolderInUse), DataFolder(folder.path).shared(""):
        pytest.fail("shared what another has alone")


def test_a_child_that_inherited_the_lock_keeps_it(folder: DataFolder) -> None:
    with folder.locked() as handle:
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=(handle,)
        )
    with pytest.raises(DataFolderInUse), folder.locked(patience=0):
        pytest.fail("the child still has it")
    child.communicate()
    with folder.locked():
        pass


def test_the_folder_for_sockets_is_short_private_and_always_the_same(folder: DataFolder) -> None:
    sockets = folder.sockets()
    assert sockets == DataFolder(folder.path).sockets()
    assert sockets != DataFolder(folder.path.parent).sockets()
    assert mode(sockets) == 0o700
    assert len(os.fsencode(sockets / "index.sock")) < 107
    sockets.rmdir()


@pytest.mark.parametrize("trap", ["open to others", "a link", "a file"])
def test_a_folder_that_is_not_private_is_refused(tmp_path: Path, trap: str) -> None:
    path = tmp_path / "sockets"
    if trap == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        path.symlink_to(tmp_path / "elsewhere")
    elif trap == "a file":
        path.touch(mode=0o600)
    else:
        path.mkdir()
        path.chmod(0o755)
    with pytest.raises((UnsafeFolder, FileExistsError)):
        private_folder(path)

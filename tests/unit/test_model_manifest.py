import json
from pathlib import Path

import pytest

from retrieval.adapters.model_manifest import check_files, looks_whole, manifest_digests, sha256_of, write_manifest
from retrieval.errors import ModelFileDamaged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(b"first")
    (tmp_path / "b.json").write_bytes(b"second")
    write_manifest(tmp_path, ["a.bin", "b.json"], "f" * 64)
    return tmp_path


def test_the_note_says_what_the_files_are_and_come_from(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    assert content["source"] == "f" * 64
    assert content["files"]["a.bin"] == {"bytes": 5, "sha256": sha256_of(folder / "a.bin")}
    assert dict(check_files(folder)) == dict(manifest_digests(folder))
    assert looks_whole(folder)


def test_a_changed_byte_is_found_by_hashing_only(folder: Path) -> None:
    (folder / "a.bin").write_bytes(b"First")
    assert looks_whole(folder)
    with pytest.raises(ModelFileDamaged, match=r"a\.bin"):
        check_files(folder)
    assert check_files(folder, only="b.json")


def test_a_missing_or_shortened_file_is_found_at_once(folder: Path) -> None:
    (folder / "a.bin").write_bytes(b"f")
    assert not looks_whole(folder)
    (folder / "a.bin").unlink()
    assert not looks_whole(folder)
    with pytest.raises(ModelFileDamaged, match="missing"):
        check_files(folder)


def test_a_file_that_the_note_does_not_know_is_damaged(folder: Path) -> None:
    (folder / "c.bin").write_bytes(b"third")
    with pytest.raises(ModelFileDamaged, match=r"c\.bin"):
        check_files(folder, only="c.bin")


@pytest.mark.parametrize(
    "note", [None, "", "{", "[]", "{}", '{"files": []}', '{"files": {"a.bin": {}}}', '{"files": {"a.bin": 5}}']
)
def test_a_note_that_cannot_be_read_means_no_model(folder: Path, note: str | None) -> None:
    path = folder / "manifest.json"
    path.unlink() if note is None else path.write_text(note)
    assert looks_whole(folder) is False or note == "{}"
    with pytest.raises(ModelFileDamaged, match="manifest"):
        manifest_digests(folder)

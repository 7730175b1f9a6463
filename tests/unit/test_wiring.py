"""Which parts the settings choose. What the parts do is tested where they are."""

import os
from pathlib import Path
from typing import Any

import pytest

from api.commands.server import give_up
from api.folder import NotInitialised
from api.processes import CANNOT_START
from api.sections import SettingsInvalid
from api.settings import Settings
from api.wiring import chat, encoders
from api.wiring.chat import automatic, chat_model, warmed
from api.wiring.models import CHAT, EMBEDDER, ModelStore, to_stderr
from api.wiring.parsing import limits
from api.wiring.processes import NeedsSupervisor, place
from api.wiring.sources import AccessAbove, source_name
from api.wiring.stores import database, job_queue, vectors
from ingest.errors import InvalidAccessFile
from retrieval.errors import EmbedderUnavailable, ModelFileDamaged, StoreUnavailable
from serving.adapters.scripted import ScriptedModel
from serving.errors import WrongModel


def settings(folder: Path, **sections: Any) -> Settings:
    return Settings(data_dir=folder / "data", cache_dir=folder / "cache", **sections)


async def chosen(given: Settings) -> str:
    model = await chat_model(given)
    await model.close()
    return type(model).__name__


@pytest.mark.parametrize(("llm", "kind"), [
    ({"kind": "extractive"}, "ExtractiveModel"),
    ({"kind": "auto"}, "ExtractiveModel"),
    ({"kind": "auto", "url": "http://127.0.0.1:1/v1"}, "OpenAICompatibleModel"),
    ({"kind": "openai-compatible", "url": "http://127.0.0.1:1/v1", "api_key": "k"}, "OpenAICompatibleModel"),
])  # fmt: skip
async def test_the_language_model_is_chosen_by_its_setting(tmp_path: Path, llm: dict[str, str], kind: str) -> None:
    assert await chosen(settings(tmp_path, llm=llm)) == kind


async def test_automatic_takes_the_embedded_model_when_it_was_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelStore, "present", lambda self, name: tmp_path / name)
    monkeypatch.setattr(chat.importlib.util, "find_spec", lambda name: object())
    given = settings(tmp_path)
    assert automatic(given) == "llama-cpp"
    assert await chosen(given) == "LlamaCppModel"
    monkeypatch.setattr(chat.importlib.util, "find_spec", lambda name: None)
    assert automatic(given) == "extractive"


async def test_a_model_without_an_address_or_its_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"llm\.url"):
        await chat_model(settings(tmp_path, llm={"kind": "openai-compatible"}))
    with pytest.raises(ModelFileDamaged, match="language model"):
        await chat_model(settings(tmp_path, llm={"kind": "llama-cpp"}))


async def test_a_model_that_is_not_ready_yet_does_not_keep_the_server_from_starting() -> None:
    class Down(ScriptedModel):
        async def check(self) -> None:
            raise WrongModel

    await warmed(Down([]))


async def test_an_embedder_whose_files_are_missing_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelFileDamaged, match="not in") as failure:
        await encoders.encoders(settings(tmp_path))
    assert "lastro models pull" in failure.value.hint


async def test_an_embedding_server_that_does_not_answer_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(*_: object, **__: object) -> Any:
        raise EmbedderUnavailable

    monkeypatch.setattr("retrieval.adapters.openai_embeddings.post_patiently", at_once)
    with pytest.raises(EmbedderUnavailable):
        await encoders.encoders(
            settings(tmp_path, embedder={"kind": "openai", "url": "http://127.0.0.1:1", "model": "m"})
        )


def test_words_stand_for_tokens_that_cannot_be_counted() -> None:
    assert encoders.words_within(512) < 300
    assert encoders.words_within(8_192) == encoders.CHUNK_TOKENS


def test_models_are_wanted_and_needed_by_the_settings(tmp_path: Path) -> None:
    def store(**sections: Any) -> ModelStore:
        return ModelStore(settings(tmp_path, **sections))

    assert store().wanted() == [EMBEDDER, CHAT]
    assert store().needed() == [EMBEDDER]
    assert store(llm={"kind": "llama-cpp"}).needed() == [EMBEDDER, CHAT]
    assert store(llm={"kind": "extractive"}).wanted() == [EMBEDDER]
    assert store(embedder={"kind": "openai"}, llm={"url": "http://x"}).wanted() == []
    assert set(store().wanted()) <= set(store().names())


async def test_a_model_that_is_not_there_is_missing_and_a_changed_one_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelStore(settings(tmp_path))
    assert await store.state(EMBEDDER) == "missing"
    monkeypatch.setattr(ModelStore, "present", lambda self, name: tmp_path)
    assert await store.state(EMBEDDER) == "damaged"


@pytest.mark.parametrize("watched", [True, False])
def test_progress_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: watched)
    to_stderr("embedder", 5 * 2**20, 10 * 2**20)
    to_stderr("embedder", 10 * 2**20, 10 * 2**20)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("10 MB\n")
    assert ("50 %" in captured.err) is watched


def test_limits_of_the_parser_follow_the_settings(tmp_path: Path) -> None:
    made = limits(
        settings(tmp_path, ingest={"max_file_mb": 3, "parse_seconds": 30, "parse_memory_mb": 512, "max_pages": 9})
    )
    assert (made.file_bytes, made.memory_bytes, made.wall_seconds, made.pages) == (3 * 2**20, 512 * 2**20, 30, 9)
    assert made.cpu_seconds == 20


async def test_tables_and_queue_lie_in_the_data_folder_or_in_postgresql(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert database(settings(tmp_path)).url.database == str(tmp_path / "data" / "lastro.db")
    elsewhere = settings(tmp_path, database_url=f"sqlite:///{tmp_path}/other.db")
    assert database(elsewhere).url.database == f"{tmp_path}/other.db"
    postgres = settings(tmp_path, database_url="postgresql+psycopg://u@127.0.0.1:1/x")
    for given in (settings(tmp_path), elsewhere, postgres):
        await job_queue(given).close()


async def test_vectors_lie_behind_the_socket_or_on_a_server(tmp_path: Path) -> None:
    assert type(vectors(settings(tmp_path), tmp_path / "s")).__name__ == "EdgeVectorStore"
    server = vectors(settings(tmp_path, qdrant={"url": "http://127.0.0.1:1", "api_key": "k"}), None)
    assert type(server).__name__ == "QdrantServerStore"
    await server.close()


def test_the_embedded_index_needs_a_supervisor_and_a_qdrant_server_does_not(tmp_path: Path) -> None:
    embedded, server = settings(tmp_path), settings(tmp_path, qdrant={"url": "http://127.0.0.1:1"})
    with pytest.raises(NeedsSupervisor), place(embedded, supervised=False, url=""):
        pytest.fail("nobody holds the folder")
    with place(embedded, supervised=True, url="") as socket_path:
        assert socket_path is not None
        assert socket_path.name == "index.sock"
        socket_path.parent.rmdir()
    with place(server, supervised=True, url="") as socket_path:
        assert socket_path is None
    with place(server, supervised=False, url="http://127.0.0.1:8080") as socket_path:
        assert socket_path is None
        assert (tmp_path / "data" / "lock").read_text() == '{"url": "http://127.0.0.1:8080"}'


@pytest.mark.parametrize(("error", "supervised", "code"), [
    (NotInitialised(), True, CANNOT_START),
    (StoreUnavailable(), True, 1),
    (NotInitialised(), False, 1),
    (StoreUnavailable(), False, 4),
])  # fmt: skip
def test_a_child_tells_its_supervisor_whether_starting_again_could_help(
    capsys: pytest.CaptureFixture[str], error: Any, supervised: bool, code: int
) -> None:
    assert give_up(error, supervised=supervised) == code
    assert error.message in capsys.readouterr().err


def test_a_folder_s_name_as_a_source_tells_it_from_another_of_that_name(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "docs", tmp_path / "b" / "docs"
    for folder in (first, second):
        folder.mkdir(parents=True)
    assert source_name(first).startswith("docs-")
    assert source_name(first) != source_name(second)
    assert source_name(first) == source_name(tmp_path / "b" / ".." / "a" / "docs")


def test_the_nearest_access_file_above_a_named_folder_holds(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    given = settings(tmp_path)
    assert AccessAbove(inner, given.scale).of("x.txt", given) is None
    (tmp_path / ".lastro.toml").write_text('label = "public"\nreaders = ["everyone"]\n')
    (tmp_path / "a" / ".lastro.toml").write_text('label = "internal"\nreaders = ["group:hr"]\n')
    above = AccessAbove(inner, given.scale)
    for _ in range(2):
        access = above.of("x.txt", given)
        assert access is not None
        assert (access.label.name, access.readers) == ("internal", frozenset({"group:hr"}))
    (tmp_path / "a" / ".lastro.toml").write_text("label = 3\n")
    with pytest.raises(InvalidAccessFile):
        AccessAbove(inner, given.scale).of("x.txt", given)


def test_an_access_file_above_that_somebody_else_could_write_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    given = settings(tmp_path)
    file = tmp_path / ".lastro.toml"
    file.write_text('label = "public"\nreaders = ["everyone"]\n')
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    os.chown(file, 54_321, -1) if os.getuid() == 0 else pytest.skip("needs the rights of root to give a file away")
    assert AccessAbove(inner, given.scale).of("x.txt", given) is None
    file.unlink()
    (tmp_path / "real.toml").write_text('label = "public"\nreaders = ["everyone"]\n')
    file.symlink_to(tmp_path / "real.toml")
    assert AccessAbove(inner, given.scale).of("x.txt", given) is None

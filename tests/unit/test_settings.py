import os
from pathlib import Path

import pytest

from api.sections import SettingsInvalid
from api.settings import connection, environment_name, known_names, load_settings, process_environment


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith("LASTRO_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / "lastro.toml").write_text(text, encoding="utf-8")


def test_without_a_file_the_defaults_of_the_contract_hold(folder: Path) -> None:
    settings = load_settings()
    assert settings.data_dir == Path("lastro-data")
    assert settings.database == f"sqlite+aiosqlite:///{folder / 'lastro-data' / 'lastro.db'}"
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.labels == ("public", "internal", "confidential", "restricted")
    assert (settings.embedder.kind, settings.llm.kind) == ("onnx", "auto")
    assert (settings.cloud.enabled, settings.cloud.labels, settings.cloud.question_policy) == (
        False,
        ("public",),
        "ask",
    )
    assert (settings.answers.max_error_rate, settings.answers.min_confidence) == (0.05, None)


def test_the_file_is_read_and_the_environment_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, 'labels = ["low", "high"]\n[server]\nport = 9000\nhost = "::1"\n')
    monkeypatch.setenv("LASTRO_SERVER__PORT", "9001")
    settings = load_settings()
    assert settings.scale.highest.name == "high"
    assert (settings.server.host, settings.server.port) == ("::1", 9001)


@pytest.mark.parametrize(("given", "nearest"), [("data_dri", "data_dir"), ("cloud.enabeld", "cloud.enabled")])
def test_an_unknown_name_in_the_file_is_refused_with_the_nearest_one(folder: Path, given: str, nearest: str) -> None:
    write(folder, f"{given} = 1\n")
    with pytest.raises(SettingsInvalid, match=f"`{given}` .*did you mean `{nearest}`"):
        load_settings()


def test_an_unknown_section_is_refused(folder: Path) -> None:
    write(folder, "[qdrnt]\nurl = 'x'\n")
    with pytest.raises(SettingsInvalid, match=r"qdrnt\.url"):
        load_settings()


@pytest.mark.parametrize("name", ["LASTRO_CLOUD__ENABELD", "LASTRO_DATADIR", "lastro_data_dri"])
def test_an_unknown_name_in_the_environment_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsInvalid, match=f"`{name.upper()}` .*environment.*did you mean"):
        load_settings()


def test_a_name_like_nothing_is_refused_without_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTRO_QQQQQQQQQQQQQQ", "1")
    with pytest.raises(SettingsInvalid, match=r"\(in the environment\)\.$"):
        load_settings()


@pytest.mark.parametrize("name", ["LASTRO_URL", "LASTRO_API_KEY", "LASTRO_TEST_QDRANT_URL", "LASTRO_SHARED"])
def test_names_that_others_read_are_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    assert load_settings().server.port == 8080


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTRO_SERVER__PORT", "")
    monkeypatch.setenv("LASTRO_NOTHING", "")
    assert load_settings().server.port == 8080


@pytest.mark.parametrize("value", ["low,high", "low, high", '["low", "high"]'])
def test_a_list_may_be_given_with_commas_or_as_json(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTRO_LABELS", value)
    assert load_settings().labels == ("low", "high")


def test_a_value_of_the_wrong_type_is_named_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTRO_SERVER__PORT", "not-a-port-8f3a")
    with pytest.raises(SettingsInvalid, match=r"`server\.port`") as failure:
        load_settings()
    assert "8f3a" not in failure.value.message


def test_a_file_that_is_not_toml_is_refused(folder: Path) -> None:
    write(folder, "data_dir = \n")
    with pytest.raises(SettingsInvalid, match="is not TOML"):
        load_settings()


def test_secrets_come_from_files_or_values_and_never_show(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "key").write_text("from-the-file\n", encoding="utf-8")
    monkeypatch.setenv("LASTRO_LLM__API_KEY", "in-place")
    monkeypatch.setenv("LASTRO_QDRANT__API_KEY_FILE", str(folder / "key"))
    settings = load_settings()
    assert (settings.llm.key(), settings.qdrant.key(), settings.embedder.key()) == ("in-place", "from-the-file", "")
    assert "in-place" not in repr(settings)


def test_a_secret_s_file_that_is_missing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTRO_LLM__API_KEY_FILE", str(folder / "gone"))
    with pytest.raises(SettingsInvalid, match="gone cannot be read"):
        load_settings().llm.key()


def test_the_database_s_password_comes_from_its_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "password").write_text("p@ss/word\n", encoding="utf-8")
    monkeypatch.setenv("LASTRO_DATABASE_URL", "postgresql+psycopg://lastro@db:5432/lastro")
    assert load_settings().database == "postgresql+psycopg://lastro@db:5432/lastro"
    monkeypatch.setenv("LASTRO_DATABASE_PASSWORD_FILE", str(folder / "password"))
    assert load_settings().database == "postgresql+psycopg://lastro:p%40ss%2Fword@db:5432/lastro"


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().data_dir = Path("elsewhere")


def test_every_setting_has_a_name_in_the_environment() -> None:
    names = {environment_name(name) for name in known_names()}
    assert {"LASTRO_DATA_DIR", "LASTRO_CLOUD__ENABLED", "LASTRO_INGEST__MAX_FILE_MB", "LASTRO_QDRANT__CA_FILE"} <= names


def test_the_connection_of_the_command_line_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection().url == ""
    monkeypatch.setenv("LASTRO_URL", "https://lastro.example/")
    monkeypatch.setenv("LASTRO_API_KEY", "k")
    assert (connection().url, connection().api_key) == ("https://lastro.example", "k")


def test_models_lie_in_the_cache_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    assert load_settings().models_dir == folder / "cache" / "lastro" / "models"
    assert process_environment()["XDG_CACHE_HOME"] == str(folder / "cache")

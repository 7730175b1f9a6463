"""Every setting, typed, from `lastro.toml` and the environment: the only place that reads either.

A name that is not known refuses to start: a mistyped `readers` or `enabled` must not pass for its default.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from api.sections import (
    AnswerSettings,
    CloudSettings,
    EmbedderSettings,
    IngestSettings,
    LlmSettings,
    QdrantSettings,
    Section,
    ServerSettings,
    SettingsInvalid,
    content_of,
    split,
)
from retrieval.access import LabelScale

PREFIX = "LASTRO_"
FILE = "lastro.toml"
# Read by the command line and by the tests, not by the server.
OTHER_NAMES = ("LASTRO_URL", "LASTRO_API_KEY", "LASTRO_SHARED")


class Settings(BaseSettings):
    """All settings, checked; made by `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        toml_file=FILE,
        extra="forbid",
        frozen=True,
    )
    tenant: ClassVar[str] = "main"

    data_dir: Path = Path("lastro-data")
    cache_dir: Path = Field(default_factory=lambda: user_cache() / "lastro")
    database_url: str = ""
    database_password_file: Path | None = None
    labels: Annotated[tuple[str, ...], NoDecode] = ("public", "internal", "confidential", "restricted")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    qdrant: QdrantSettings = QdrantSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    llm: LlmSettings = LlmSettings()
    cloud: CloudSettings = CloudSettings()
    answers: AnswerSettings = AnswerSettings()
    ingest: IngestSettings = IngestSettings()
    server: ServerSettings = ServerSettings()

    _split = field_validator("labels", mode="before")(split)

    @property
    def scale(self) -> LabelScale:
        """The ordered labels."""
        return LabelScale(self.labels)

    @property
    def database(self) -> str:
        """The database's URL, with the password of `database_password_file` if there is one."""
        if not self.database_url:
            return f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'lastro.db'}"
        if self.database_password_file is None:
            return self.database_url
        from sqlalchemy import make_url

        password = content_of(self.database_password_file)
        return make_url(self.database_url).set(password=password).render_as_string(hide_password=False)

    @property
    def models_dir(self) -> Path:
        """Where fetched model files lie."""
        return self.cache_dir / "models"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def user_cache() -> Path:
    """The user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def known_names(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every setting as users write it in the file: `server.port`; sections by themselves, too."""
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from known_names(field.annotation, f"{prefix}{name}.")


def load_settings() -> Settings:
    """Read and check everything. Raises SettingsInvalid, which names the setting."""
    try:
        for given in names_in(tomllib.loads(Path(FILE).read_text(encoding="utf-8")) if Path(FILE).exists() else {}):
            refuse_unknown(given, list(known_names()), f"in {FILE}")
        variables = [environment_name(name) for name in known_names()]
        for given in environment():
            if given not in OTHER_NAMES and not given.startswith("LASTRO_TEST_"):
                refuse_unknown(given, variables, "in the environment")
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsInvalid(f"The setting `{name}` cannot be used: {first['msg']}.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{FILE} is not TOML: {error}.") from error


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the command line goes and with which key; empty where the environment does not say."""

    url: str
    api_key: str


def connection() -> Connection:
    """What the environment says about the server to talk to."""
    given = environment()
    return Connection(given.get("LASTRO_URL", "").rstrip("/"), given.get("LASTRO_API_KEY", ""))


def environment() -> dict[str, str]:
    """What the environment says under our prefix; names in capitals, empty values left out."""
    return {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(PREFIX) and value}


def process_environment() -> dict[str, str]:
    """A copy of the whole environment, for child processes."""
    return dict(os.environ)


def environment_name(name: str) -> str:
    """`server.port` as `LASTRO_SERVER__PORT`."""
    return PREFIX + name.replace(".", "__").upper()


def names_in(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The names of a TOML document, dotted."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from names_in(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def refuse_unknown(given: str, known: list[str], where: str) -> None:
    """Raise SettingsInvalid with the nearest known name if `given` is not one of them."""
    if given in known:
        return
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    advice = f"; did you mean `{near[0]}`?" if near else "."
    raise SettingsInvalid(f"There is no setting `{given}` ({where}){advice}")

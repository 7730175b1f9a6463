"""The tables of `lastro.toml`: one class each, with types, limits and defaults."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from retrieval.errors import PermanentFailure

NO_SECRET = SecretStr("")


class SettingsInvalid(PermanentFailure):
    """A setting is unknown or has a value that cannot be."""

    code = "settings_invalid"
    remedy = "Correct `lastro.toml` or the environment; docs/reference/settings.md lists every setting."


def split(value: object) -> object:
    """A list as `a, b` or as a list; anything else is left to the type check."""
    return tuple(part.strip(" \"'") for part in value.strip("[] ").split(",")) if isinstance(value, str) else value


def content_of(file: Path) -> str:
    """What a secret's file holds. Raises SettingsInvalid."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsInvalid(f"The secret's file {file} cannot be read: {error.strerror}.") from error


class Section(BaseModel):
    """A table of settings; unknown names in it are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WithKey(Section):
    """A table with a secret: given in place or, better, as a file."""

    api_key: SecretStr = NO_SECRET
    api_key_file: Path | None = None

    def key(self) -> str:
        """The secret, empty where there is none. Raises SettingsInvalid when its file cannot be read."""
        return content_of(self.api_key_file) if self.api_key_file else self.api_key.get_secret_value()


class QdrantSettings(WithKey):
    """The vector store: no `url` means the embedded one."""

    url: str = ""
    ca_file: Path | None = None
    timeout_seconds: int = Field(default=10, ge=1)


class EmbedderSettings(WithKey):
    """What turns texts into vectors."""

    kind: Literal["onnx", "sentence-transformers", "openai"] = "onnx"
    model: str = ""
    url: str = ""
    ca_file: Path | None = None
    timeout_seconds: float = Field(default=60.0, gt=0)
    max_tokens: int = Field(default=512, ge=64)
    allow_download: bool = False


class LlmSettings(WithKey):
    """What words the answers."""

    kind: Literal["auto", "openai-compatible", "llama-cpp", "extractive"] = "auto"
    url: str = ""
    model: str = ""
    ca_file: Path | None = None
    timeout_seconds: float = Field(default=120.0, gt=0)
    threads: int = Field(default=0, ge=0)


class CloudSettings(WithKey):
    """The fallback outside the building: off until an administrator turns it on."""

    enabled: bool = False
    base_url: str = "https://api.openai.com/v1"
    model: str = ""
    labels: Annotated[tuple[str, ...], NoDecode] = ("public",)
    question_policy: Literal["ask", "detect", "never"] = "ask"
    monthly_budget_usd: float = Field(default=0.0, ge=0)

    _split = field_validator("labels", mode="before")(split)

    @field_validator("enabled")
    @classmethod
    def _not_yet(cls, value: bool) -> bool:
        if value:
            raise ValueError("this version has no fallback outside the building; leave it off")
        return value


class AnswerSettings(Section):
    """When an answer is good enough."""

    max_error_rate: float = Field(default=0.05, ge=0, le=1)
    min_confidence: float | None = Field(default=None, ge=0, le=1.01)


class IngestSettings(Section):
    """What one document may cost."""

    max_file_mb: int = Field(default=200, ge=1)
    max_pages: int = Field(default=5_000, ge=1)
    parse_seconds: float = Field(default=90.0, gt=0)
    parse_memory_mb: int = Field(default=2_048, ge=256)


class ServerSettings(Section):
    """Where the server serves, and how much at a time."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    max_body_mb: int = Field(default=256, ge=1)
    request_seconds: float = Field(default=180.0, gt=0)
    max_requests: int = Field(default=32, ge=1)
    drain_seconds: float = Field(default=30.0, gt=0)

"""The language model that words the answers, by the setting `llm.kind`."""

import importlib.util
import ssl
from collections.abc import Awaitable, Callable

import httpx
import structlog

from api.sections import SettingsInvalid
from api.settings import Settings
from api.wiring.models import CHAT, ModelStore
from retrieval.errors import LastroError, ModelFileDamaged
from serving.adapters.extractive import ExtractiveModel
from serving.adapters.openai_compatible import OpenAICompatibleModel, Timeouts
from serving.ports import ChatModel

log = structlog.get_logger()


async def chat_model(settings: Settings) -> ChatModel:
    """The model of these settings; it is asked whether it is ready when it is first used."""
    kind = settings.llm.kind
    return await KINDS[automatic(settings) if kind == "auto" else kind](settings)


def automatic(settings: Settings) -> str:
    """The url if there is one, else the embedded model if it was fetched and can run, else no model."""
    if settings.llm.url:
        return "openai-compatible"
    if importlib.util.find_spec("xllamacpp") and ModelStore(settings).present(CHAT):
        return "llama-cpp"
    return "extractive"


async def extractive(settings: Settings) -> ChatModel:
    """No language model: the best sentences themselves."""
    return ExtractiveModel()


async def openai_compatible(settings: Settings) -> ChatModel:
    """A model server, vLLM or another one."""
    given = settings.llm
    if not given.url:
        raise SettingsInvalid("`llm.kind` is openai-compatible, but `llm.url` is empty.")
    trusted = ssl.create_default_context(cafile=given.ca_file) if given.ca_file else None
    transport = httpx.AsyncHTTPTransport(verify=trusted, trust_env=False) if trusted else None
    return OpenAICompatibleModel(
        given.url, given.model, api_key=given.key(), timeouts=timeouts(settings), transport=transport
    )


async def llama_cpp(settings: Settings) -> ChatModel:
    """The embedded model, in a process of its own that is started when it is first needed."""
    from serving.adapters.llama_cpp import LlamaCppModel

    path = ModelStore(settings).present(CHAT)
    if path is None:
        raise ModelFileDamaged(f"The language model's file is not in {settings.models_dir}.")
    return LlamaCppModel(path, threads=settings.llm.threads, name=CHAT, timeouts=timeouts(settings))


def timeouts(settings: Settings) -> Timeouts:
    """The whole draft in `llm.timeout_seconds`, its first word in three quarters of that."""
    total = settings.llm.timeout_seconds
    return Timeouts(connect=min(5.0, total), first=0.75 * total, total=total)


async def warmed(model: ChatModel) -> None:
    """Have the model ready before the first question; that it is not is no reason not to serve."""
    try:
        await model.check()
    except LastroError as error:
        log.warning("model_not_ready", model=model.name, code=error.code)


KINDS: dict[str, Callable[[Settings], Awaitable[ChatModel]]] = {
    "extractive": extractive,
    "openai-compatible": openai_compatible,
    "llama-cpp": llama_cpp,
}

"""The language model that words the answers, by the setting `llm.kind`."""

import importlib.util
from collections.abc import Awaitable, Callable

from api.settings import Settings
from api.wiring.models import CHAT, ModelStore
from serving.adapters.extractive import ExtractiveModel
from serving.ports import ChatModel


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


KINDS: dict[str, Callable[[Settings], Awaitable[ChatModel]]] = {"extractive": extractive}

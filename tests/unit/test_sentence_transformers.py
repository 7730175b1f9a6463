"""The adapter's own decisions, with a stand-in for the package (the contract suite runs the real one)."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

from retrieval.adapters.embedding_prefixes import Prefixes
from retrieval.errors import EmbedderUnavailable, LastroError, PermanentFailure

NAME = "retrieval.adapters.sentence_transformers"


class StandIn:
    """As much of `SentenceTransformer` as the adapter uses."""

    made: "StandIn"

    def __init__(self, model: str, **options: object) -> None:
        if model == "absent":
            raise OSError("no such model in the cache")
        self.options = options
        self.prompts = {"query": "", "document": ""} if "plain" in model else {"query": "Q: ", "document": "D: "}
        self.asked: list[tuple[list[str], str]] = []
        self.failure: Exception | None = None
        StandIn.made = self

    def get_embedding_dimension(self) -> int:
        return 2

    def get_max_seq_length(self) -> int | None:
        return None

    def encode(self, texts: list[str], *, prompt: str, batch_size: int, show_progress_bar: bool) -> np.ndarray:
        if self.failure:
            raise self.failure
        self.asked.append((texts, prompt))
        return np.array([[1.0, len(text)] for text in texts], np.float32)


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    package = ModuleType("sentence_transformers")
    package.SentenceTransformer = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", package)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    yield importlib.import_module(NAME)
    sys.modules.pop(NAME, None)


def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    with pytest.raises(PermanentFailure, match="not installed") as failure:
        importlib.import_module(NAME)
    assert "extra `sentence-transformers`" in failure.value.hint


async def test_a_name_is_looked_up_on_this_machine_only_and_pickles_are_refused(adapter: ModuleType) -> None:
    await adapter.SentenceTransformersEmbedder("some/model").open()
    assert StandIn.made.options["local_files_only"] is True
    assert StandIn.made.options["model_kwargs"] == {"use_safetensors": True}


async def test_a_download_must_be_allowed(adapter: ModuleType) -> None:
    await adapter.SentenceTransformersEmbedder("some/model", allow_download=True).open()
    assert StandIn.made.options["local_files_only"] is False


@pytest.mark.parametrize(
    ("model", "given", "query", "passage"),
    [
        ("some/model", None, "Q: ", "D: "),
        ("some/model", Prefixes("a ", "b "), "a ", "b "),
        ("plain/multilingual-e5-small", None, "query: ", "passage: "),
        ("plain/model", None, "", ""),
    ],
)
async def test_prefixes_are_the_given_ones_then_the_model_s_then_by_name(
    adapter: ModuleType, model: str, given: Prefixes | None, query: str, passage: str
) -> None:
    embedder = await adapter.SentenceTransformersEmbedder(model, prefixes=given).open()
    await embedder.embed_queries(["q"])
    await embedder.embed_passages(["p"])
    assert StandIn.made.asked == [(["q"], query), (["p"], passage)]


async def test_many_texts_go_in_batches_and_keep_their_order(adapter: ModuleType) -> None:
    embedder = await adapter.SentenceTransformersEmbedder("some/model").open()
    vectors = await embedder.embed_passages(["x" * n for n in range(40)])
    assert [len(texts) for texts, _ in StandIn.made.asked] == [16, 16, 8]
    assert vectors[:, 1] / vectors[:, 0] == pytest.approx(np.arange(40), rel=1e-4)


async def test_the_identity_is_the_model_s(adapter: ModuleType) -> None:
    identity = (await adapter.SentenceTransformersEmbedder("some/model").open()).identity
    assert (identity.name, identity.dimensions, identity.max_tokens) == ("some/model", 2, 512)


async def test_a_model_that_is_not_there_is_a_permanent_failure(adapter: ModuleType) -> None:
    with pytest.raises(PermanentFailure, match="absent") as failure:
        await adapter.SentenceTransformersEmbedder("absent").open()
    assert "embedder.model" in failure.value.hint


async def test_before_opening_and_after_closing_it_is_unavailable(adapter: ModuleType) -> None:
    embedder = adapter.SentenceTransformersEmbedder("some/model")
    with pytest.raises(EmbedderUnavailable, match="not loaded"):
        _ = embedder.identity
    await embedder.open()
    await embedder.close()
    with pytest.raises(EmbedderUnavailable):
        await embedder.embed_queries(["a"])


async def test_a_model_that_cannot_run_makes_the_embedder_unavailable(adapter: ModuleType) -> None:
    embedder = await adapter.SentenceTransformersEmbedder("some/model").open()
    StandIn.made.failure = RuntimeError("out of memory")
    with pytest.raises(LastroError, match="out of memory"):
        await embedder.embed_queries(["a"])

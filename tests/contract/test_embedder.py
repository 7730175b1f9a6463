"""What every embedder promises, the twin included."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from retrieval.adapters.memory_encoders import MemoryEmbedder
from retrieval.adapters.model_files import FolderModelFiles
from retrieval.adapters.onnx_embedder import OnnxEmbedder
from retrieval.adapters.openai_embeddings import OpenAIEmbeddings
from retrieval.ports import Embedder

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "holiday",
    "working",
    "days",
    "employees",
    "server",
    "printer",
    "on",
]
QUESTION = "holiday days employees"
RIGHT = "employees working days holiday"
WRONG = "server on printer on server"


async def onnx(model_cache: Path) -> Embedder:
    folder = FolderModelFiles(model_cache).present("embedder")
    if folder is None:
        pytest.skip("the embedder was not fetched: lastro models pull embedder")
    return OnnxEmbedder(folder)


async def answer(request: Request) -> JSONResponse:
    """The twin behind the wire format, neither in order nor of length 1."""
    body = await request.json()
    vectors = await MemoryEmbedder(48).embed_passages(body["input"])
    rows = [{"object": "embedding", "index": n, "embedding": (3 * row).tolist()} for n, row in enumerate(vectors)]
    return JSONResponse({"object": "list", "model": body["model"], "data": rows[::-1]})


@pytest.fixture
async def server() -> AsyncIterator[str]:
    app = Starlette(routes=[Route("/v1/embeddings", answer, methods=["POST"])])
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    while not running.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    running.should_exit = True
    await task


def tiny_sentence_transformer(folder: Path) -> str:
    """A BERT of random weights with a dozen words, saved as any published model is."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(5)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)


async def sentence_transformers(folder: Path) -> Embedder:
    if importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("the extra `sentence-transformers` is not installed")
    from retrieval.adapters.sentence_transformers import SentenceTransformersEmbedder

    return await SentenceTransformersEmbedder(tiny_sentence_transformer(folder)).open()


@pytest.fixture(params=["memory", "openai", pytest.param("onnx", marks=pytest.mark.models), "sentence-transformers"])
async def embedder(
    request: pytest.FixtureRequest, server: str, model_cache: Path, tmp_path: Path
) -> AsyncIterator[Embedder]:
    opened: Embedder
    match request.param:
        case "memory":
            opened = MemoryEmbedder()
        case "openai":
            opened = await OpenAIEmbeddings(server, "some-model").open()
        case "onnx":
            opened = await onnx(model_cache)
        case _:
            opened = await sentence_transformers(tmp_path)
    yield opened
    await opened.close()


async def test_vectors_are_float32_of_length_one(embedder: Embedder) -> None:
    for vectors in (await embedder.embed_queries([QUESTION, WRONG]), await embedder.embed_passages([RIGHT, WRONG])):
        assert vectors.shape == (2, embedder.identity.dimensions)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)


async def test_vectors_come_in_the_order_of_the_texts(embedder: Embedder) -> None:
    texts = [f"{RIGHT} {'on ' * n}" for n in range(70)]
    together = await embedder.embed_passages(texts)
    for n in (0, 1, 33, 69):
        assert np.allclose(together[n], (await embedder.embed_passages([texts[n]]))[0], atol=1e-5)


async def test_a_question_is_nearer_to_the_passage_that_answers_it(embedder: Embedder) -> None:
    (question,) = await embedder.embed_queries([QUESTION])
    right, wrong = await embedder.embed_passages([RIGHT, WRONG])
    assert question @ right > question @ wrong


async def test_the_same_text_has_the_same_vector_every_time(embedder: Embedder) -> None:
    first = await embedder.embed_passages([RIGHT])
    await embedder.embed_passages([WRONG * 20])
    assert np.array_equal(await embedder.embed_passages([RIGHT]), first)


async def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert (await embedder.embed_queries([])).shape == (0, embedder.identity.dimensions)
    assert (await embedder.embed_passages([])).shape == (0, embedder.identity.dimensions)


@pytest.mark.parametrize(
    "text", ["", " \n\t", "👩‍👩‍👧‍👦 ﬁm ½ 日本語", "half a pair: \ud83d", "\x00", "days " * 20_000, "x" * 50_000]
)
async def test_any_text_has_a_vector(embedder: Embedder, text: str) -> None:
    for vectors in (await embedder.embed_queries([text]), await embedder.embed_passages([text])):
        assert np.isfinite(vectors).all()
        assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-5)


async def test_calls_at_the_same_time_do_not_mix(embedder: Embedder) -> None:
    texts = [QUESTION, RIGHT, WRONG, "printer"]
    alone = [(await embedder.embed_queries([text]))[0] for text in texts]
    together = await asyncio.gather(*(embedder.embed_queries([text]) for text in texts))
    assert np.allclose(np.concatenate(together), alone, atol=1e-5)


async def test_the_identity_names_the_model_and_does_not_change(embedder: Embedder) -> None:
    before = embedder.identity
    await embedder.embed_queries([QUESTION])
    assert embedder.identity == before
    assert before.name
    assert before.dimensions > 0
    assert before.max_tokens > 0


async def test_closing_twice_is_harmless(embedder: Embedder) -> None:
    await embedder.embed_passages([RIGHT])
    await embedder.close()
    await embedder.close()

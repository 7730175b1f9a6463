"""The int8 network against the same network in float64, written down once more in the plainest way."""

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retrieval.adapters.e5_build import GOLDEN, build_embedder, check_golden
from retrieval.adapters.e5_graph import build_graph, quantised_columns
from retrieval.adapters.e5_weights import E5Weights, read_e5
from retrieval.adapters.model_files import FolderModelFiles
from retrieval.adapters.onnx_encoder import OnnxEncoder, load_tokenizer
from retrieval.adapters.pinned_models import read_pins
from retrieval.errors import EmbedderUnavailable, ModelFileDamaged, ModelFilesUnavailable

Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
erf = np.vectorize(math.erf)


class Reference:
    """BERT, post-norm, positions from 0, exact GELU, mean over all tokens, length 1."""

    def __init__(self, weights: E5Weights) -> None:
        self.weights = weights

    def matrix(self, name: str) -> Values:
        return self.weights.matrix(name).astype(np.float64)

    def linear(self, x: Values, name: str) -> Values:
        return x @ self.matrix(f"{name}.w").T + self.weights.tensors[f"{name}.b"]

    def norm(self, x: Values, name: str) -> Values:
        middle = x - x.mean(axis=-1, keepdims=True)
        scaled = middle / np.sqrt((middle**2).mean(axis=-1, keepdims=True) + self.weights.shape.epsilon)
        return scaled * self.weights.tensors[f"{name}.w"] + self.weights.tensors[f"{name}.b"]

    def attention(self, x: Values, layer: str) -> Values:
        heads = self.weights.shape.heads
        width = x.shape[1] // heads
        query, key, value = (
            self.linear(x, f"{layer}.{part}").reshape(len(x), heads, width).transpose(1, 0, 2) for part in "qkv"
        )
        scores = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(width))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        return self.linear(mixed.transpose(1, 0, 2).reshape(x.shape), f"{layer}.ao")

    def encode(self, ids: Sequence[int]) -> Values:
        x = self.matrix("emb.word")[list(ids)] + self.matrix("emb.pos")[: len(ids)] + self.matrix("emb.type")[0]
        x = self.norm(x, "emb.ln")
        for n in range(self.weights.shape.layers):
            x = self.norm(x + self.attention(x, f"l{n}"), f"l{n}.aln")
            inner = self.linear(x, f"l{n}.fi")
            x = self.norm(x + self.linear(inner * (1 + erf(inner / math.sqrt(2))) / 2, f"l{n}.fo"), f"l{n}.oln")
        mean: Values = x.mean(axis=0)
        return mean / np.linalg.norm(mean)


@pytest.fixture(scope="module")
def encoder(tiny_embedder: Path) -> OnnxEncoder:
    return OnnxEncoder(tiny_embedder, load_tokenizer(tiny_embedder))


@pytest.mark.parametrize("text", ["", "a", "query: quantos dias de férias?", "many words " * 30, "x " * 600])
def test_the_int8_network_gives_the_vectors_of_the_exact_one(encoder: OnnxEncoder, tiny_e5: bytes, text: str) -> None:
    exact = Reference(read_e5(tiny_e5)).encode(encoder.tokenizer.ids(text, 512))
    vector = encoder.encode(text)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    assert vector @ exact > 0.995


def test_a_text_has_one_vector_whatever_was_encoded_before(encoder: OnnxEncoder) -> None:
    first = encoder.encode("the same text")
    encoder.encode("a longer one " * 20)
    assert np.array_equal(encoder.encode("the same text"), first)


def test_building_twice_gives_the_same_bytes(tiny_e5: bytes) -> None:
    assert build_graph(read_e5(tiny_e5)) == build_graph(read_e5(tiny_e5))


def test_the_graph_is_valid_onnx_with_one_text_a_run(tiny_embedder: Path) -> None:
    model = onnx.load(str(tiny_embedder / "model.onnx"))
    onnx.checker.check_model(model)
    assert [entry.name for entry in model.graph.input] == ["input_ids"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1


def test_the_huge_channel_is_shrunk_without_changing_the_product(tiny_e5: bytes) -> None:
    weights = read_e5(tiny_e5)
    constants = {
        c.name: onnx.numpy_helper.to_array(c) for c in onnx.load_from_string(build_graph(weights)).graph.initializer
    }
    factors = constants["l0.shrink"]
    assert np.flatnonzero(factors != 1).tolist() == [318]
    restored = constants["l0.fo.w"] * constants["l0.fo.scale"] * factors[:, None]
    assert np.abs(restored - weights.matrix("l0.fo.w").T).max() <= constants["l0.fo.scale"].max() / 2 + 1e-6


@given(
    arrays(np.float32, (5, 3), elements=st.floats(-100, 100, width=32, allow_subnormal=False)).filter(
        lambda a: bool((np.abs(a).max(axis=0) > 1e-3).all())
    )
)
@settings(max_examples=50)
def test_quantising_is_wrong_by_half_a_step_at_most(weights: np.ndarray) -> None:
    values, scales = quantised_columns(weights)
    assert values.dtype == np.int8
    assert (np.abs(values * scales - weights) <= scales * 0.5001).all()
    assert (np.abs(values).max(axis=0) == 127).all()


def test_a_network_that_cannot_run_makes_the_embedder_unavailable(encoder: OnnxEncoder) -> None:
    class Wrong:
        def ids(self, text: str, limit: int) -> list[int]:
            return [10_000]

    broken = object.__new__(OnnxEncoder)
    broken.tokenizer = Wrong()  # type: ignore[assignment]
    broken._session = encoder._session
    with pytest.raises(EmbedderUnavailable, match="could not run"):
        broken.encode("a token that the vocabulary does not have")


def test_an_embedder_that_cuts_known_texts_otherwise_is_refused(tiny_e5: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelFileDamaged, match="other tokens"):
        build_embedder(tiny_e5, tmp_path, source="0" * 64)


def test_an_embedder_with_other_vectors_is_refused(
    encoder: OnnxEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = encoder.tokenizer.ids("a text", 512)
    golden = tmp_path / "golden.json"
    monkeypatch.setattr("retrieval.adapters.e5_build.GOLDEN", golden)
    right = encoder.encode("a text")
    golden.write_text(json.dumps([{"text": "a text", "ids": ids, "vector": right.tolist()}]))
    assert check_golden(encoder) == pytest.approx(1.0, abs=1e-5)
    golden.write_text(json.dumps([{"text": "a text", "ids": ids, "vector": np.roll(right, 1).tolist()}]))
    with pytest.raises(ModelFileDamaged, match="other vectors"):
        check_golden(encoder)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights as they are published, fetched for this test alone."""
    pin = replace(read_pins()["embedder"], build="join", file="weights.bin")
    try:
        files = FolderModelFiles(tmp_path_factory.mktemp("pull"), pins={"embedder": pin})
        path = asyncio.run(files.ensure("embedder"))
    except ModelFilesUnavailable as error:
        pytest.skip(str(error))
    return path.read_bytes()


@pytest.mark.models
def test_the_committed_vectors_are_those_of_the_exact_network(published: bytes) -> None:
    reference = Reference(read_e5(published))
    for entry in json.loads(GOLDEN.read_text(encoding="utf-8")):
        assert np.abs(reference.encode(entry["ids"]) - entry["vector"]).max() < 1e-5


@pytest.mark.models
def test_the_published_weights_build_the_embedder(published: bytes, tmp_path: Path) -> None:
    build_embedder(published, tmp_path, source="0" * 64)
    assert check_golden(OnnxEncoder(tmp_path, load_tokenizer(tmp_path))) >= 0.998

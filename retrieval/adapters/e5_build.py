"""Turns the published 4-bit weights into the two files that run, and proves that they give the known vectors."""

import json
from pathlib import Path

import numpy as np

from retrieval.adapters.e5_graph import build_graph
from retrieval.adapters.e5_tokenizer import build_tokenizer
from retrieval.adapters.e5_weights import read_e5
from retrieval.adapters.model_manifest import write_manifest
from retrieval.adapters.onnx_encoder import MODEL, TOKENIZER, OnnxEncoder, load_tokenizer
from retrieval.errors import ModelFileDamaged

# Texts with the vectors that the same weights give in float32, by the reference in tests/integration/test_e5_graph.py.
GOLDEN = Path(__file__).with_name("e5_golden.json")
LEAST_COSINE = 0.998


def build_embedder(data: bytes, folder: Path, *, source: str) -> None:
    """Write `model.onnx`, `tokenizer.json` and the manifest into `folder`: 2 s, 450 MB at the peak.

    `source` is the SHA-256 of `data`, for the manifest. Raises ModelFileDamaged when the result is not the embedder.
    """
    weights = read_e5(data)
    (folder / MODEL).write_bytes(build_graph(weights))
    (folder / TOKENIZER).write_text(build_tokenizer(weights), encoding="utf-8")
    write_manifest(folder, [MODEL, TOKENIZER], source)
    check_golden(OnnxEncoder(folder, load_tokenizer(folder)))


def check_golden(encoder: OnnxEncoder) -> float:
    """The least cosine to the known vectors. Raises ModelFileDamaged when it is under 0.998 or a token differs."""
    least = 1.0
    for entry in json.loads(GOLDEN.read_text(encoding="utf-8")):
        if encoder.tokenizer.ids(entry["text"], 512) != entry["ids"]:
            raise ModelFileDamaged("the embedder that was built here cuts a known text into other tokens")
        least = min(least, float(encoder.encode(entry["text"]) @ np.array(entry["vector"], np.float32)))
    if least < LEAST_COSINE:
        raise ModelFileDamaged(f"the embedder that was built here gives other vectors than known: cosine {least:.4f}")
    return least

"""An embedder of the real form but tiny, so that what runs it can be tested without downloaded files."""

import struct
from pathlib import Path

import numpy as np
import pytest

from retrieval.adapters.e5_graph import build_graph
from retrieval.adapters.e5_tokenizer import build_tokenizer
from retrieval.adapters.e5_weights import read_e5
from retrieval.adapters.model_manifest import write_manifest

LAYERS, HIDDEN, INNER, POSITIONS = 2, 384, 1536, 512
LETTERS = "abcdefghijklmnopqrstuvwxyzáâãçéêíóôõú0123456789?:,."
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", *LETTERS, *(f"▁{letter}" for letter in LETTERS), "▁query", "<mask>"]


def q4_0(values: int, scale: float, random: np.random.Generator) -> bytes:
    """Random blocks of 32 values: a float16 scale and 16 bytes of nibbles."""
    blocks = random.integers(0, 256, (values // 32, 18), dtype=np.uint8)
    blocks[:, :2] = np.full((values // 32, 1), scale, "<f2").view(np.uint8)
    return blocks.tobytes()


def tensors(random: np.random.Generator) -> dict[str, tuple[int, int, bytes]]:
    """Name -> type (1 = Q4_0), elements, bytes."""
    found: dict[str, tuple[int, int, bytes]] = {}

    def matrix(name: str, rows: int, columns: int) -> None:
        found[name] = (1, rows * columns, q4_0(rows * columns, 0.01, random))

    def vector(name: str, size: int, middle: float = 0.0) -> None:
        found[name] = (0, size, (middle + random.standard_normal(size) * 0.1).astype("<f4").tobytes())

    matrix("emb.word", len(PIECES), HIDDEN)
    vector("emb.pos", POSITIONS * HIDDEN)
    vector("emb.type", 2 * HIDDEN)
    vector("emb.ln.w", HIDDEN, 1.0)
    vector("emb.ln.b", HIDDEN)
    for n in range(LAYERS):
        for part in ("q", "k", "v", "ao"):
            matrix(f"l{n}.{part}.w", HIDDEN, HIDDEN)
            vector(f"l{n}.{part}.b", HIDDEN)
        matrix(f"l{n}.fi.w", INNER, HIDDEN)
        vector(f"l{n}.fi.b", INNER)
        matrix(f"l{n}.fo.w", HIDDEN, INNER)
        vector(f"l{n}.fo.b", HIDDEN)
        for part in ("aln", "oln"):
            vector(f"l{n}.{part}.w", HIDDEN, 1.0)
            vector(f"l{n}.{part}.b", HIDDEN)
    return found


def e5_file(random: np.random.Generator) -> bytes:
    """A file in the published format."""
    blob = "".join(PIECES).encode()
    starts = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)]).astype("<u4")
    scores = np.array([0.0, 0.0, 0.0, 0.0, *(-1.0 - n / 100 for n in range(len(PIECES) - 5)), 0.0], "<f4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, 12, INNER, len(PIECES), POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(blob)) + starts.tobytes() + scores.tobytes() + blob
    head += struct.pack("<iI", 0, 0)
    parts = tensors(random)
    directory_size = 4 + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in parts)
    offset = len(head) + directory_size
    directory = struct.pack("<i", len(parts))
    for name, (kind, elements, data) in parts.items():
        directory += (
            struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, elements, offset, len(data))
        )
        offset += len(data)
    return head + directory + b"".join(data for _, _, data in parts.values())


@pytest.fixture(scope="session")
def tiny_e5() -> bytes:
    return e5_file(np.random.default_rng(3))


@pytest.fixture(scope="session")
def tiny_embedder(tiny_e5: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `ModelFiles` makes it."""
    folder = tmp_path_factory.mktemp("embedder")
    weights = read_e5(tiny_e5)
    (folder / "model.onnx").write_bytes(build_graph(weights))
    (folder / "tokenizer.json").write_text(build_tokenizer(weights), encoding="utf-8")
    write_manifest(folder, ["model.onnx", "tokenizer.json"], "0" * 64)
    return folder

"""Reads the published 4-bit file of the embedder, so that its weights can be rebuilt in a form that runs anywhere.

The file is little-endian: a header, a Unigram vocabulary, a table of normalisations (not needed: NFKC gives the same),
a directory of tensors and their data. Each tensor is float32 or Q4_0: blocks of 32 values that share one scale.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from retrieval.errors import ModelFileDamaged
from retrieval.model import Matrix

_MAGIC = b"E5S1"
_HEADER = struct.Struct("<4sI7ifi")
_VOCABULARY = struct.Struct("<5iQ")
_NORMALISATIONS = struct.Struct("<iI")
_TENSOR = struct.Struct("<BIQQ")
_Q4_0 = 1
_BLOCK = 32
_BLOCK_BYTES = 18


@dataclass(frozen=True, slots=True)
class E5Shape:
    """The sizes of the network."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class E5Weights:
    """The network: matrices are (out, in), multiplied as x W^T + b; pieces and scores make the Unigram vocabulary."""

    shape: E5Shape
    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    tensors: Mapping[str, Matrix]

    def matrix(self, name: str) -> Matrix:
        """The tensor as (out, in), its number of inputs told from its name."""
        columns = self.shape.feed_forward if name.endswith(".fo.w") else self.shape.hidden
        return self.tensors[name].reshape(-1, columns)


def read_e5(data: bytes) -> E5Weights:
    """The weights in `data`. Raises ModelFileDamaged when it is not such a file or is cut short."""
    try:
        return _read(data)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise ModelFileDamaged(f"the embedder's weights cannot be read: {error}") from error


def _read(data: bytes) -> E5Weights:
    header = _HEADER.unpack_from(data)
    magic, version, hidden, layers, heads, feed_forward, vocabulary, positions, _, epsilon, block = header
    if magic != _MAGIC or version != 1 or block != _BLOCK:
        raise ModelFileDamaged("the embedder's weights are in another format than expected")
    pieces, scores, position = _read_vocabulary(data, _HEADER.size)
    _, length = _NORMALISATIONS.unpack_from(data, position)
    shape = E5Shape(hidden, layers, heads, feed_forward, vocabulary, positions, epsilon)
    return E5Weights(shape, pieces, scores, dict(_read_tensors(data, position + _NORMALISATIONS.size + length)))


def _read_vocabulary(data: bytes, position: int) -> tuple[tuple[str, ...], tuple[float, ...], int]:
    count, *_, blob_length = _VOCABULARY.unpack_from(data, position)
    position += _VOCABULARY.size
    starts = np.frombuffer(data, "<u4", count + 1, position)
    position += starts.nbytes
    scores = np.frombuffer(data, "<f4", count, position)
    position += scores.nbytes
    blob = data[position : position + blob_length]
    spans = zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    pieces = tuple(blob[start:end].decode() for start, end in spans)
    return pieces, tuple(scores.tolist()), position + blob_length


def _read_tensors(data: bytes, position: int) -> Iterator[tuple[str, Matrix]]:
    (count,) = struct.unpack_from("<i", data, position)
    position += 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, position)
        position += 2
        name = data[position : position + length].decode()
        kind, elements, offset, _ = _TENSOR.unpack_from(data, position + length)
        position += length + _TENSOR.size
        yield name, dequantised(data, elements, offset) if kind == _Q4_0 else _floats(data, elements, offset)


def _floats(data: bytes, elements: int, offset: int) -> Matrix:
    return np.frombuffer(data, "<f4", elements, offset).astype(np.float32)


def dequantised(data: bytes, elements: int, offset: int) -> Matrix:
    """Flat float32 values of Q4_0 blocks: a float16 scale, then 16 bytes whose low nibbles are values 0 to 15.

    The high nibbles are values 16 to 31, not interleaved; value = (nibble - 8) * scale.
    """
    blocks = np.frombuffer(data, np.uint8, elements // _BLOCK * _BLOCK_BYTES, offset).reshape(-1, _BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    packed = blocks[:, 2:]
    nibbles = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.int8) - 8
    return (nibbles * scale).astype(np.float32).reshape(-1)

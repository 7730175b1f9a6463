"""The published file: what is read from it, and what happens to one that is damaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retrieval.adapters.e5_weights import dequantised, read_e5
from retrieval.errors import ModelFileDamaged


def test_sizes_vocabulary_and_tensors_are_read(tiny_e5: bytes) -> None:
    weights = read_e5(tiny_e5)
    assert (weights.shape.hidden, weights.shape.layers, weights.shape.heads) == (384, 2, 12)
    assert weights.shape.vocabulary == len(weights.pieces) == len(weights.scores)
    assert weights.pieces[:5] == ("<s>", "<pad>", "</s>", "<unk>", "▁")
    assert "▁ç" in weights.pieces
    assert weights.scores[5] == pytest.approx(-1.01)
    assert len(weights.tensors) == 5 + 2 * 16


def test_matrices_have_a_row_for_each_output(tiny_e5: bytes) -> None:
    weights = read_e5(tiny_e5)
    assert weights.matrix("emb.pos").shape == (512, 384)
    assert weights.matrix("l1.fi.w").shape == (1536, 384)
    assert weights.matrix("l1.fo.w").shape == (384, 1536)


def test_the_low_nibbles_of_a_block_come_before_the_high_ones() -> None:
    block = np.array([2.0], "<f2").tobytes() + bytes([0x98] * 15 + [0xF0])
    values = dequantised(block, 32, 0)
    assert values[:15].tolist() == [0.0] * 15
    assert values[15] == -16.0
    assert values[16:31].tolist() == [2.0] * 15
    assert values[31] == 14.0


def test_the_published_example_of_a_block_gives_its_published_values() -> None:
    block = bytes.fromhex("29294ae68670aa638b4a557c8c77a69c797a")
    assert dequantised(block, 32, 0)[:4] == pytest.approx([0.08062744, -0.08062744, -0.08062744, -0.32250977])


@given(scale=st.floats(0.0009765625, 100, width=16), nibbles=arrays(np.uint8, 32, elements=st.integers(0, 15)))
def test_every_block_gives_back_what_was_packed(scale: float, nibbles: np.ndarray) -> None:
    packed = np.array([scale], "<f2").tobytes() + (nibbles[:16] | nibbles[16:] << 4).astype(np.uint8).tobytes()
    expected = (nibbles.astype(np.float32) - 8) * np.float32(scale)
    assert np.array_equal(dequantised(b"x" + packed, 32, 1), expected)


@pytest.mark.parametrize("start", [b"E5S2", b"GGUF"])
def test_another_format_is_refused(tiny_e5: bytes, start: bytes) -> None:
    with pytest.raises(ModelFileDamaged, match="another format"):
        read_e5(start + tiny_e5[4:])


@pytest.mark.parametrize("length", [0, 10, 60, 300, 2_000, 100_000])
def test_a_file_that_was_cut_short_is_damaged(tiny_e5: bytes, length: int) -> None:
    with pytest.raises(ModelFileDamaged):
        read_e5(tiny_e5[:length])

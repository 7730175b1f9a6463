"""Events are read from bytes however they are cut, and never beyond a bound."""

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.adapters.event_stream import events
from serving.errors import ModelUnavailable


async def chunks(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(*parts: bytes, most_bytes: int = 10_000) -> list[str]:
    return [event async for event in events(chunks(list(parts)), most_bytes=most_bytes)]


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data:a\n\n", ["a"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b": ping\n\nevent: x\nid: 3\ndata: a\n\n", ["a"]),
        (b"data: a\n\ndata: cut off", ["a"]),
        (b"data:  two spaces\n\n", [" two spaces"]),
        (b"\n\n\n", []),
        (b"", []),
        ("data: ação\n\n".encode(), ["ação"]),
        (b"data: \xff\n\n", ["\ufffd"]),
    ],
)
async def test_data_fields_make_events(stream: bytes, found: list[str]) -> None:
    assert await read(stream) == found


@given(st.lists(st.text("ação x", max_size=8), max_size=5), st.lists(st.integers(0, 80), max_size=6))
async def test_where_the_bytes_are_cut_does_not_matter(contents: list[str], cuts: list[int]) -> None:
    stream = "".join(f"data: {content}\n\n" for content in contents).encode()
    ends = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    parts = [stream[start:end] for start, end in pairwise(ends)]
    assert await read(*parts) == contents


async def test_carriage_returns_may_be_cut_from_their_line_feeds() -> None:
    assert await read(b"data: a\r", b"\n\r", b"\ndata: b\r\n\r\n") == ["a", "b"]


async def test_a_stream_beyond_the_bound_is_given_up() -> None:
    with pytest.raises(ModelUnavailable, match="100 bytes"):
        await read(b"x" * 60, b"x" * 60, most_bytes=100)
    assert await read(b"data: a\n\n", most_bytes=9) == ["a"]

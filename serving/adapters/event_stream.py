"""Reads the events of a `text/event-stream`, with a bound on how much of it is held or read."""

import codecs
from collections.abc import AsyncGenerator, AsyncIterator

from serving.errors import ModelUnavailable

DONE = "[DONE]"


async def events(chunks: AsyncIterator[bytes], *, most_bytes: int) -> AsyncGenerator[str]:
    """The data of each event, in order; comments and other fields are passed over, an event cut off is not given.

    Raises ModelUnavailable when the stream has more than `most_bytes`.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    held, data, read = "", list[str](), 0
    async for chunk in chunks:
        read += len(chunk)
        if read > most_bytes:
            raise ModelUnavailable(f"The language model's reply has more than {most_bytes:,} bytes.")
        *lines, held = (held + decoder.decode(chunk)).replace("\r\n", "\n").split("\n")
        for line in lines:
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif not line and data:
                yield "\n".join(data)
                data.clear()

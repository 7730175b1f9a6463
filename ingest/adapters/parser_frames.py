"""What goes between the server and the parser's process: MessagePack behind an eight-byte length, never pickle.

The child reads hostile files, so the server trusts nothing it says: sizes are bounded and spans are checked.
"""

import struct
from typing import Any, BinaryIO

import msgpack

from ingest import errors
from ingest.errors import ParserCrashed, UnreadableDocument
from retrieval.model import Block, BlockKind, Page, ParsedDocument

LENGTH = struct.Struct(">Q")
OVERHEAD = 2**20
KNOWN = (error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, UnreadableDocument))
ERRORS = {error.code: error for error in KNOWN}


def request(data: bytes, name: str) -> bytes:
    """A frame that asks for a document. `name` may hold anything, lone surrogates included."""
    return _frame({"name": name.encode("utf-8", "surrogatepass"), "data": data})


def read_request(stream: BinaryIO) -> tuple[bytes, str] | None:
    """The bytes and the name; None where the stream has ended."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    length = LENGTH.unpack(head)[0]
    message = msgpack.unpackb(stream.read(length), max_bin_len=length)
    return message["data"], message["name"].decode("utf-8", "surrogatepass")


def parsed(document: ParsedDocument) -> bytes:
    """A frame that holds a document."""
    return _frame(
        {
            "text": document.text,
            "media_type": document.media_type,
            "title": document.title,
            "pages": [(page.n, page.start, page.end) for page in document.pages],
            "blocks": [(block.kind.value, block.start, block.end, block.level) for block in document.blocks],
            "warnings": document.warnings,
        }
    )


def failed(error: UnreadableDocument) -> bytes:
    """A frame that says why there is no document."""
    return _frame({"error": error.code, "message": error.message})


def read_reply(body: bytes) -> ParsedDocument:
    """The document of a frame's body. Raises the error it holds, ParserCrashed where it makes no sense."""
    try:
        message = msgpack.unpackb(body, max_str_len=len(body), max_array_len=len(body))
        if "error" in message:
            raise ERRORS[message["error"]](str(message["message"]))
        return _document(message)
    except (KeyError, TypeError, ValueError, msgpack.exceptions.UnpackException) as error:
        raise ParserCrashed("The parser's answer makes no sense.") from error


def _document(message: dict[str, Any]) -> ParsedDocument:
    text = str(message["text"])
    pages = tuple(Page(int(n), *_span(start, end, text)) for n, start, end in message["pages"])
    blocks = tuple(
        Block(BlockKind(kind), *_span(start, end, text), int(level)) for kind, start, end, level in message["blocks"]
    )
    if not text.strip():
        raise ValueError("a document without text")
    warnings = tuple(str(warning) for warning in message["warnings"])
    return ParsedDocument(text, str(message["media_type"]), str(message["title"]), pages, blocks, warnings)


def _span(start: int, end: int, text: str) -> tuple[int, int]:
    if not 0 <= start <= end <= len(text):
        raise ValueError("a span outside the text")
    return int(start), int(end)


def _frame(message: dict[str, Any]) -> bytes:
    body: bytes = msgpack.packb(message)
    return LENGTH.pack(len(body)) + body

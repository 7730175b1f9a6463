"""The process that reads hostile files: `python -m ingest.adapters.parser_child LIMITS`, one document at a time.

Documents come in on standard input and go out on standard output; it ends when its input does, so it cannot outlive the
server. It keeps nothing between documents and is given no secret: its environment is made for it.
"""

import json
import os
import sys
import tempfile
from typing import BinaryIO

from ingest.adapters import parser_frames, sandbox
from ingest.adapters.file_types import identify
from ingest.errors import ParserCrashed, ParserOutOfMemory, UnreadableDocument
from ingest.model import ParseLimits
from retrieval.model import ParsedDocument

OUT_OF_MEMORY = 7  # exit status after MemoryError: the heap is in pieces, a new process is cheaper than trust


def parse(data: bytes, name: str, limits: ParseLimits) -> bytes:
    """The frame to answer with. Raises MemoryError."""
    try:
        return parser_frames.parsed(_parse(data, name, limits))
    except UnreadableDocument as error:
        return parser_frames.failed(error)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the outermost loop: one document must not end the process
        return parser_frames.failed(ParserCrashed(f"The parser failed with {type(error).__name__}."))
    finally:
        sandbox.stop_clocks()


def serve(requests: BinaryIO, replies: BinaryIO, limits: ParseLimits) -> int:
    """Answer until the input ends; returns the exit status."""
    try:
        while (message := parser_frames.read_request(requests)) is not None:
            replies.write(parse(*message, limits))
            replies.flush()
            del message
    except MemoryError:
        replies.write(parser_frames.failed(ParserOutOfMemory()))
        replies.flush()
        return OUT_OF_MEMORY
    return 0


def main() -> int:
    """Confine the process, then serve. Standard output is kept for frames: what libraries print goes elsewhere."""
    limits = ParseLimits(**json.loads(sys.argv[1]))
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    tempfile.tempdir = os.getcwd()  # libraries ask for one when they load, and find out by writing
    sandbox.confine(limits)
    return serve(sys.stdin.buffer, replies, limits)


def _parse(data: bytes, name: str, limits: ParseLimits) -> ParsedDocument:
    sandbox.start_clocks(limits)
    format_of_file = identify(data, name, limits)
    reader = format_of_file.reader()
    sandbox.start_clocks(limits)  # loading a parser for the first time is not the document's fault
    return reader.read(data, limits)


if __name__ == "__main__":
    sys.exit(main())

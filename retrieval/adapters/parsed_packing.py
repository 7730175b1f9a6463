"""A parsed document as bytes: the same document is always the same bytes, so that their digest can be its name."""

from typing import Final

import msgpack

from retrieval.errors import PermanentFailure
from retrieval.model import Block, BlockKind, Page, ParsedDocument

FORMAT: Final = 1


def packed(parsed: ParsedDocument) -> bytes:
    """The document in MessagePack, as a list that begins with the number of the format."""
    fields = [
        FORMAT,
        parsed.text,
        parsed.media_type,
        parsed.title,
        [[page.n, page.start, page.end] for page in parsed.pages],
        [[block.kind.value, block.start, block.end, block.level] for block in parsed.blocks],
        list(parsed.warnings),
    ]
    data: bytes = msgpack.packb(fields, unicode_errors="surrogatepass")
    return data


def unpacked(data: bytes) -> ParsedDocument:
    """The document again. Raises PermanentFailure for what `packed` did not make."""
    try:
        number, text, media_type, title, pages, blocks, warnings = msgpack.unpackb(data, unicode_errors="surrogatepass")
        if number != FORMAT:
            raise ValueError("the format is another one")
        return ParsedDocument(
            text,
            media_type,
            title,
            pages=tuple(Page(n, start, end) for n, start, end in pages),
            blocks=tuple(Block(BlockKind(kind), start, end, level) for kind, start, end, level in blocks),
            warnings=tuple(warnings),
        )
    except (msgpack.UnpackException, ValueError, TypeError) as error:
        raise PermanentFailure("A stored text cannot be read.", remedy="Add the document again.") from error

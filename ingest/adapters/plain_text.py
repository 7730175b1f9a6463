"""Reads plain text: paragraphs are what blank lines separate; the layout inside them stays."""

import re

from ingest.adapters.charsets import decode
from ingest.adapters.composing import Composer
from ingest.adapters.visible_text import LINE_ENDS
from ingest.model import ParseLimits
from retrieval.model import BlockKind, ParsedDocument

BLANK_LINES = re.compile(r"\n[ \t\f]*(?:\n[ \t\f]*)+")


def read(data: bytes, limits: ParseLimits) -> ParsedDocument:
    """Text in whatever character set. Raises NoTextFound."""
    composer = Composer("text/plain")
    for paragraph in BLANK_LINES.split(LINE_ENDS.sub("\n", decode(data))):
        composer.block(BlockKind.TEXT, paragraph)
    return composer.finish()

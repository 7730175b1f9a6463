"""Reads Markdown: rendered first, so that the stored text is what people read, and HTML inside follows HTML's rules."""

import re
from dataclasses import replace

from markdown_it import MarkdownIt

from ingest.adapters import plain_text
from ingest.adapters.charsets import decode
from ingest.adapters.composing import Composer
from ingest.adapters.html import compose
from ingest.adapters.visible_text import LINE_ENDS, one_line
from ingest.model import ParseLimits
from retrieval.model import ParsedDocument

MEDIA_TYPE = "text/markdown"
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?=[\w-]+:|#).*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
TITLE = re.compile(r"^title:[ \t]*(['\"]?)(.*?)\1[ \t]*$", re.MULTILINE)
RENDERED_CHARACTERS = 4_000_000  # rendering takes about a second per million; longer texts are read as they stand


def read(data: bytes, limits: ParseLimits) -> ParsedDocument:
    """CommonMark with tables. Front matter gives the title and nothing else. Raises NoTextFound, DamagedFile."""
    text = LINE_ENDS.sub("\n", decode(data))
    if len(text) > RENDERED_CHARACTERS:
        return replace(plain_text.read(text.encode(), limits), media_type=MEDIA_TYPE)
    matter = FRONT_MATTER.match(text)
    title = TITLE.search(matter.group()) if matter else None
    body = text[matter.end() :] if matter else text
    rendered = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(body)
    composer = Composer(MEDIA_TYPE)
    return composer.finish(compose(rendered, composer, one_line(title.group(2)) if title else ""))

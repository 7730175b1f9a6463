"""The small Markdown in which the example documents are written, as blocks that every writer understands.

A source file is TOML between two `+++` lines, then: headings, paragraphs, `- ` and `1. ` lists, tables, fenced code,
`<!-- page -->` for a new page, and `[field] Name: value` for a form field (a content control in Word).
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE_BREAK = "<!-- page -->"
FIELD = "[field] "
HEADING = re.compile(r"(#{1,3}) (.+)")
ITEM = re.compile(r"(?:- |\d+\. )(.+)")
RULE = re.compile(r"\|[-| :]+\|")


@dataclass(frozen=True, slots=True)
class Block:
    """`kind` is heading, text, bullet, step, table, code, field or page; a table has `rows`, a heading a `level`."""

    kind: str
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One document to write. `meta` holds at least `language`."""

    meta: dict[str, object]
    body: str

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The body, block by block."""
        return tuple(blocks(self.body))

    @property
    def title(self) -> str:
        """The first heading of the highest level."""
        return next(block.text for block in self.blocks if block.kind == "heading" and block.level == 1)

    @property
    def language(self) -> str:
        """`en` or `pt`."""
        return str(self.meta["language"])


def read_source(path: Path) -> Source:
    """The source in this file."""
    _, meta, body = path.read_text(encoding="utf-8").split("+++\n", 2)
    return Source(tomllib.loads(meta), body.strip() + "\n")


def blocks(body: str) -> Iterator[Block]:
    """Cut a body into blocks; blank lines separate them, except inside code."""
    for part in re.split(r"(^```\n.*?^```$)", body, flags=re.MULTILINE | re.DOTALL):
        if part.startswith("```\n"):
            yield Block("code", part[4:-4].rstrip("\n"))
            continue
        for paragraph in re.split(r"\n\s*\n", part):
            if paragraph.strip():
                yield from paragraph_blocks(paragraph.strip().splitlines())


def paragraph_blocks(lines: list[str]) -> Iterator[Block]:
    """The blocks of lines that no blank line separates."""
    first = lines[0]
    if first == PAGE_BREAK:
        yield Block("page")
    elif match := HEADING.fullmatch(first):
        yield Block("heading", match[2], len(match[1]))
    elif first.startswith("|"):
        yield Block("table", rows=tuple(cells(line) for line in lines if not RULE.fullmatch(line)))
    elif first.startswith(FIELD):
        yield from (Block("field", line.removeprefix(FIELD)) for line in lines)
    elif ITEM.fullmatch(first):
        yield from (Block("bullet" if line.startswith("- ") else "step", ITEM.fullmatch(line)[1]) for line in lines)
    else:
        yield Block("text", " ".join(lines))


def cells(line: str) -> tuple[str, ...]:
    """The cells of one line of a table."""
    return tuple(cell.strip() for cell in line.strip("|").split("|"))

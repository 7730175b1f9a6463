"""Markdown as it stands, and plain text with underlined headings and lines of at most 88 characters."""

import textwrap

from writers.blocks import Block, Source

WIDTH = 88


def markdown(source: Source) -> bytes:
    """The body itself."""
    return source.body.encode()


def text(source: Source) -> bytes:
    """The blocks as people type them in an editor without formats."""
    parts: list[str] = []
    before = ""
    for block in source.blocks:
        joined = "\n" if block.kind == before and block.kind in {"bullet", "step"} else "\n\n"
        parts.append((joined if parts else "") + plain(block))
        before = block.kind
    return ("".join(parts) + "\n").encode()


def plain(block: Block) -> str:
    """One block as lines of text."""
    if block.kind == "heading":
        return f"{block.text}\n{('=' if block.level == 1 else '-') * len(block.text)}"
    if block.kind in {"bullet", "step"}:
        return textwrap.fill(block.text, WIDTH, initial_indent="* ", subsequent_indent="  ", break_on_hyphens=False)
    if block.kind == "table":
        widths = [max(map(len, column)) for column in zip(*block.rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in block.rows)
    if block.kind == "code":
        return block.text
    return textwrap.fill(block.text, WIDTH, break_on_hyphens=False)

"""HTML as an intranet page: a navigation bar, the article, a footer."""

from html import escape
from itertools import groupby

from writers.blocks import Block, Source

STYLE = "body{font-family:sans-serif;max-width:46em;margin:2em auto}table{border-collapse:collapse}td,th{padding:.3em}"
FOOTER = {"en": "Farolim Instruments: internal web", "pt": "Farolim Instrumentos: rede interna"}
LISTS = {"bullet": "ul", "step": "ol"}


def page(source: Source) -> bytes:
    """The whole page."""
    title, language = escape(source.title), source.language
    body = "\n".join(
        listed(kind, list(group)) if kind in LISTS else "\n".join(element(block) for block in group)
        for kind, group in groupby(source.blocks, key=lambda block: block.kind)
    )
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<nav><a href='/'>Farolim</a> / {title}</nav>\n<main>\n{body}\n"
        f"</main>\n<footer>{FOOTER[language]}</footer>\n</body>\n</html>\n"
    ).encode()


def listed(kind: str, blocks: list[Block]) -> str:
    """A list of one or more items."""
    items = "\n".join(f"<li>{escape(block.text)}</li>" for block in blocks)
    return f"<{LISTS[kind]}>\n{items}\n</{LISTS[kind]}>"


def element(block: Block) -> str:
    """One block that is no list item."""
    if block.kind == "heading":
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if block.kind == "table":
        head, *rows = block.rows
        return f"<table>\n{row(head, 'th')}\n" + "\n".join(row(cells, "td") for cells in rows) + "\n</table>"
    return f"<pre>{escape(block.text)}</pre>" if block.kind == "code" else f"<p>{escape(block.text)}</p>"


def row(cells: tuple[str, ...], tag: str) -> str:
    """A line of a table."""
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

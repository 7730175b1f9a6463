"""Takes out of a page what nobody sees on it, and counts it.

Hidden text is how a page talks to the model behind the reader's back. Known by: elements that are never shown, the
`hidden` attribute, inline styles, and simple selectors (`.name`, `#name`, `tag`) of the page's own style sheets.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml.html import HtmlElement

from ingest.adapters.visible_text import one_line

NEVER_TEXT_NAMES = """
    script style template noscript head iframe object embed svg math canvas audio video map datalist nav
"""
NEVER_TEXT = frozenset(NEVER_TEXT_NAMES.split())
HIDING = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0*\.?0*\s*(?:%|!|;|$)"
    r"|(?:left|top|right|text-indent)\s*:\s*-\d{4,}(?:\.\d+)?\s*(?:px|pt|em|rem)?|clip\s*:\s*rect\(\s*0[^)]*0\s*\))",
    re.IGNORECASE,
)
NO_SIZE = re.compile(r"(?:^|;)\s*font-size\s*:\s*0*\.?0*\s*(?:px|pt|em|rem|%)?\s*(?:!|;|$)", re.IGNORECASE)
COLOUR = re.compile(r"(?:^|;)\s*color\s*:\s*([^;!]+)", re.IGNORECASE)
BACKGROUND = re.compile(r"(?:^|;)\s*background(?:-color)?\s*:\s*([^;!]+)", re.IGNORECASE)
WHITE = re.compile(r"^(?:white|#fff|#ffffff|rgba?\(\s*255\s*,\s*255\s*,\s*255\s*(?:,[^)]*)?\))$", re.IGNORECASE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
SIMPLE = re.compile(r"^([a-z][a-z0-9]*)?(?:([.#])([\w-]+))?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hidden:
    """How much was taken out."""

    passages: int
    words: int


def remove_hidden(root: HtmlElement) -> Hidden:
    """Remove the elements in place. Scripts, navigation and the like go too, but are no hidden passages."""
    selectors = hiding_selectors("\n".join(style.text_content() for style in root.iter("style")))
    passages = words = 0
    doomed = [
        element
        for element in root.iter()
        if element.tag in NEVER_TEXT or is_hidden(element) or not selectors.isdisjoint(_names(element))
    ]
    for element in doomed:
        if element is root or element.tag == "body" or not _still_in(element, root):
            continue
        if element.tag not in NEVER_TEXT and (text := one_line(element.text_content())):
            passages += 1
            words += len(text.split())
        element.drop_tree()
    return Hidden(passages, words)


def is_hidden(element: HtmlElement) -> bool:
    """Whether attributes or inline style hide the element."""
    if "hidden" in element.attrib:
        return True
    style = element.get("style")
    if not style:
        return False
    return bool(HIDING.search(style)) or _without_size(element, style) or _white_on_white(element, style)


def hiding_selectors(sheet: str) -> set[str]:
    """`.name`, `#name` and `tag.name` of the rules that hide; rules inside `@media` and the like depend on a screen."""
    selectors: set[str] = set()
    for heads, declarations in RULE.findall(_without_at_blocks(COMMENT.sub("", sheet))):
        if HIDING.search(declarations) or NO_SIZE.search(declarations):
            parts = (head.strip() for head in heads.split(","))
            selectors.update(part.lower() for part in parts if part and SIMPLE.match(part))
    return selectors


def _without_at_blocks(sheet: str) -> str:
    kept: list[str] = []
    depth = skipped_from = 0
    for piece in re.split(r"(@[^{};]*\{|\{|\})", sheet):
        if piece.startswith("@"):
            skipped_from = skipped_from or depth + 1
        depth += piece.endswith("{")
        if not skipped_from:
            kept.append(piece)
        depth -= piece == "}"
        if skipped_from and depth < skipped_from:
            skipped_from = 0
    return "".join(kept)


def _names(element: HtmlElement) -> Iterator[str]:
    tag = str(element.tag).lower()
    yield tag
    names = [f".{name}" for name in (element.get("class") or "").lower().split()]
    if element.get("id"):
        names.append(f"#{element.get('id', '').lower()}")
    for name in names:
        yield name
        yield tag + name


def _still_in(element: HtmlElement, root: HtmlElement) -> bool:
    # In document order a dropped element's descendants follow it; they left with it.
    top = element
    while (above := top.getparent()) is not None:
        top = above
    return top is root


def _without_size(element: HtmlElement, style: str) -> bool:
    # Mail programs set size 0 around columns to close gaps, and a real size inside.
    if not NO_SIZE.search(style):
        return False
    return not any("font-size" in (inner.get("style") or "") for inner in element.iterdescendants())


def _white_on_white(element: HtmlElement, style: str) -> bool:
    colour = COLOUR.search(style)
    if colour is None or not WHITE.match(colour.group(1).strip()):
        return False
    for around in (element, *element.iterancestors()):
        background = BACKGROUND.search(around.get("style") or "")
        if background:
            return bool(WHITE.match(background.group(1).strip()))
        if around.get("class") or around.get("id") or around.get("bgcolor"):
            return False  # a style sheet may paint it
    return True

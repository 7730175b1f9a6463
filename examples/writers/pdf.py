"""PDF with headings, an outline, and a footer on every page, so that a citation's page can be looked up."""

from html import escape
from io import BytesIO

from reportlab.lib import colors
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageBreak, PageTemplate, Paragraph, Table

from writers.blocks import Block, Source

PAGE_WORD = {"en": "page", "pt": "página"}
TEXT = ParagraphStyle("text", fontName="Helvetica", fontSize=11, leading=16, spaceAfter=8, alignment=TA_LEFT)
CELL = ParagraphStyle("cell", TEXT, fontSize=9.5, leading=12, spaceAfter=0)
ITEM = ParagraphStyle("item", TEXT, leftIndent=18, bulletIndent=6, spaceAfter=4)
HEADINGS = {
    level: ParagraphStyle(
        f"h{level}", TEXT, fontName="Helvetica-Bold", fontSize=size, leading=size + 6, spaceBefore=10, keepWithNext=1
    )
    for level, size in {1: 20, 2: 14, 3: 12}.items()
}
GRID = [("GRID", (0, 0), (-1, -1), 0.5, colors.grey), ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke)]


class Whole(Paragraph):
    """A paragraph that stands on one page, so that a quoted sentence has one page number."""

    def split(self, *_: float) -> list[Flowable]:
        """Move to the next page instead."""
        return []


class Template(BaseDocTemplate):
    """A4 pages with a footer."""

    def __init__(self, target: BytesIO, source: Source) -> None:
        super().__init__(
            target,
            pagesize=A4,
            margin=2.5 * cm,
            invariant=1,
            title=source.title,
            author="Farolim Instruments",
            lang=source.language,
        )
        self.source = source
        frame = Frame(2.5 * cm, 2.5 * cm, A4[0] - 5 * cm, A4[1] - 5 * cm)
        self.addPageTemplates(PageTemplate(frames=[frame], onPage=self.footer))

    def footer(self, canvas: Canvas, _: BaseDocTemplate) -> None:
        """Title and page number."""
        canvas.setFont("Helvetica", 8)
        page = f"{PAGE_WORD[self.source.language]} {canvas.getPageNumber()}"
        canvas.drawString(2.5 * cm, 1.5 * cm, f"Farolim · {self.source.title} · {page}")

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802 - the library's name
        """Headings go to the outline."""
        level = getattr(flowable, "heading_level", 0)
        if level:
            key = f"{self.canv.getPageNumber()}-{flowable.getPlainText()}"
            self.canv.bookmarkPage(key)
            self.canv.addOutlineEntry(flowable.getPlainText(), key, level - 1)


def pages(source: Source) -> bytes:
    """The document's bytes."""
    target = BytesIO()
    numbered = zip(source.blocks, step_numbers(source.blocks), strict=True)
    Template(target, source).build([flowable(block, number) for block, number in numbered])
    return target.getvalue()


def step_numbers(blocks: tuple[Block, ...]) -> list[int]:
    """The number of each step in its list; 0 for other blocks."""
    numbers: list[int] = []
    for block in blocks:
        numbers.append((numbers[-1] if numbers else 0) + 1 if block.kind == "step" else 0)
    return numbers


def flowable(block: Block, number: int) -> Flowable:
    """One block as the library lays it out."""
    if block.kind == "page":
        return PageBreak()
    if block.kind == "heading":
        heading = Paragraph(escape(block.text), HEADINGS[block.level])
        heading.heading_level = block.level
        return heading
    if block.kind == "table":
        rows = [[Paragraph(escape(cell), CELL) for cell in row] for row in block.rows]
        return Table(rows, style=GRID, spaceAfter=10, hAlign="LEFT", colWidths=[16 * cm / len(rows[0])] * len(rows[0]))
    bullet = {"bullet": "•", "step": f"{number}."}.get(block.kind)
    return Whole(escape(block.text), ITEM if bullet else TEXT, bulletText=bullet)

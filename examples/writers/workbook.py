"""XLSX: each second-level heading is a sheet, the paragraphs and tables below it are its rows."""

import re
from io import BytesIO

from openpyxl import Workbook
from openpyxl.styles import Font

from writers.archive import timeless
from writers.blocks import Source

NUMBER = re.compile(r"-?\d+(\.\d+)?")


def sheets(source: Source) -> bytes:
    """The workbook's bytes."""
    book = Workbook()
    book.remove(book.active)
    book.properties.title, book.properties.creator = source.title, "Farolim Instruments"
    for block in source.blocks:
        if block.kind == "heading" and block.level == 2:
            sheet = book.create_sheet(block.text)
            sheet.column_dimensions["A"].width = sheet.column_dimensions["B"].width = 28
        elif block.kind == "text":
            sheet.append([block.text])
        elif block.kind == "table":
            for row in block.rows:
                sheet.append([value(cell) for cell in row])
            for cell in sheet[sheet.max_row - len(block.rows) + 1]:
                cell.font = Font(bold=True)
    target = BytesIO()
    book.save(target)
    return timeless(target.getvalue())


def value(cell: str) -> str | int | float:
    """Numbers become numbers, so that the sheet can calculate."""
    if not NUMBER.fullmatch(cell):
        return cell
    return float(cell) if "." in cell else int(cell)

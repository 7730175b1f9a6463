"""Reads Excel workbooks: each sheet is a section, each run of rows without a gap a table, values as they are shown.

`unstructured` would do it with pandas, 60 MB more; this needs openpyxl alone.
"""

import io
from collections.abc import Iterator
from datetime import date, datetime, time
from zipfile import BadZipFile

from lxml import etree
from openpyxl import load_workbook  # type: ignore[import-untyped]
from openpyxl.cell.read_only import EmptyCell, ReadOnlyCell  # type: ignore[import-untyped]
from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]
from openpyxl.worksheet._read_only import ReadOnlyWorksheet  # type: ignore[import-untyped]

from ingest.adapters.composing import Composer
from ingest.adapters.html_table import markdown
from ingest.adapters.visible_text import one_line
from ingest.adapters.zip_guard import all_members, open_container, refuse_declarations
from ingest.errors import DamagedFile
from ingest.model import ParseLimits
from retrieval.model import BlockKind, ParsedDocument

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WIDEST = 1_000  # columns; Excel's own limit of 16,384 is only ever reached by mistake
# ElementTree's ParseError is a SyntaxError.
BROKEN = (
    InvalidFileException,
    BadZipFile,
    etree.LxmlError,
    SyntaxError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)


def read(data: bytes, limits: ParseLimits) -> ParsedDocument:
    """The visible sheets, formulas as their last values. Raises DamagedFile, NoTextFound."""
    with open_container(data) as container:
        refuse_declarations(all_members(container))
    composer = Composer(MEDIA_TYPE)
    try:
        workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        visible = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
        for sheet in visible:
            _add_sheet(sheet, composer)
        title = workbook.properties.title or ""
    except BROKEN as error:
        raise DamagedFile("The workbook's parts do not fit together.") from error
    if hidden := len(workbook.worksheets) - len(visible):
        composer.warn(f"hidden sheets not read: {hidden}")
    return composer.finish(title)


def _add_sheet(sheet: ReadOnlyWorksheet, composer: Composer) -> None:
    sheet.reset_dimensions()  # what a sheet says about its size is often wrong
    tables = list(_tables(sheet))
    if tables:
        composer.block(BlockKind.HEADING, sheet.title, 1)
    for rows in tables:
        if max(len(row) for row in rows) > 1:
            composer.block(BlockKind.TABLE, "\n".join(markdown(rows)))
        else:
            composer.block(BlockKind.TEXT, "\n".join(row[0] for row in rows))


def _tables(sheet: ReadOnlyWorksheet) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for cells in sheet.iter_rows(max_col=WIDEST):
        row = [shown(cell) for cell in cells]
        while row and not row[-1]:
            row.pop()
        if row:
            rows.append(row)
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows


def shown(cell: ReadOnlyCell | EmptyCell) -> str:
    """The cell's value as one line, near to what Excel shows: dates in ISO form, percentages as such."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, float):
        return _number(value, str(cell.number_format or ""))
    return one_line(str(value))


def _number(value: float, number_format: str) -> str:
    if "%" in number_format:
        return f"{value * 100:.10g}%"
    return f"{value:.15g}"

"""Workbooks are read sheet by sheet, with values as Excel shows them."""

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time

import pytest
from openpyxl import Workbook

from ingest.adapters.openpyxl import read as read_workbook
from ingest.errors import DamagedFile, NoTextFound
from ingest.model import ParseLimits
from retrieval.model import ParsedDocument


def saved(build: Callable[[Workbook], object]) -> bytes:
    workbook = Workbook()
    build(workbook)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def read(build: Callable[[Workbook], object]) -> ParsedDocument:
    return read_workbook(saved(build), ParseLimits())


def rows(*values: tuple[object, ...], title: str = "Pay") -> Callable[[Workbook], None]:
    def build(workbook: Workbook) -> None:
        sheet = workbook.active
        assert sheet is not None
        sheet.title = title
        for row in values:
            sheet.append(row)

    return build


def test_a_sheet_is_a_section_with_a_table() -> None:
    parsed = read(rows(("Grade", "Pay"), ("A", 1000), ("B", 1250.5)))
    assert parsed.text == "Pay\n\n| Grade | Pay |\n| --- | --- |\n| A | 1000 |\n| B | 1250.5 |"
    assert [block.kind.value for block in parsed.blocks] == ["heading", "table"]
    assert parsed.media_type.endswith("spreadsheetml.sheet")
    assert parsed.title == "Pay"


def test_a_gap_separates_tables_and_a_single_column_is_text() -> None:
    parsed = read(rows(("Notes on pay",), (), ("a", "b"), (), (), ("c", "d")))
    assert [block.kind.value for block in parsed.blocks] == ["heading", "text", "table", "table"]


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (date(2026, 11, 23), "General", "2026-11-23"),
        (datetime(2026, 11, 23, 9, 30), "General", "2026-11-23 09:30:00"),
        (time(9, 30), "General", "09:30:00"),
        (True, "General", "TRUE"),
        (0.075, "0.0%", "7.5%"),
        (0.1 + 0.2, "General", "0.3"),
        (12, "General", "12"),
        ("two\nlines", "General", "two lines"),
        (1e21, "General", "1e+21"),
    ],
)
def test_values_are_near_to_what_excel_shows(value: object, number_format: str, shown: str) -> None:
    def build(workbook: Workbook) -> None:
        sheet = workbook.active
        assert sheet is not None
        sheet.append(("x", value))
        sheet["B1"].number_format = number_format if number_format != "General" else sheet["B1"].number_format

    assert read(build).text.splitlines()[2] == f"| x | {shown} |"


def test_formulas_without_a_saved_value_are_empty_and_empty_columns_at_the_end_go() -> None:
    parsed = read(rows(("a", "b", None), ("c", "=A1", None)))
    assert parsed.text.splitlines()[2:] == ["| a | b |", "| --- | --- |", "| c |"]


def test_hidden_sheets_are_left_out_and_reported() -> None:
    def build(workbook: Workbook) -> None:
        rows(("seen", "words"))(workbook)
        hidden = workbook.create_sheet("Secret")
        hidden.append(("unseen", "words"))
        hidden.sheet_state = "hidden"

    parsed = read(build)
    assert "unseen" not in parsed.text
    assert parsed.warnings == ("hidden sheets not read: 1",)


def test_the_title_of_the_properties_counts() -> None:
    def build(workbook: Workbook) -> None:
        rows(("a", "b"))(workbook)
        workbook.properties.title = "Pay scale"

    assert read(build).title == "Pay scale"


def test_an_empty_workbook_holds_no_text() -> None:
    with pytest.raises(NoTextFound):
        read(lambda workbook: workbook.create_sheet("Empty"))


def changed(member: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(rows(("a", "b"))))) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == member else old.read(name))
    return out.getvalue()


def test_a_declared_document_type_is_refused_and_broken_parts_are_damage() -> None:
    with pytest.raises(DamagedFile, match="document type"):
        read_workbook(changed("xl/workbook.xml", b'<!DOCTYPE x [<!ENTITY e "e">]><x/>'), ParseLimits())
    for member in ("xl/workbook.xml", "xl/worksheets/sheet1.xml"):
        with pytest.raises((DamagedFile, NoTextFound)):
            read_workbook(changed(member, b"<broken"), ParseLimits())

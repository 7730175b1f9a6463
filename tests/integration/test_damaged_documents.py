"""Documents with bytes changed, cut or repeated: read or refused, and the parser's process lives on."""

import csv
import io
import random
import zipfile
from collections import Counter
from collections.abc import AsyncIterator

import docx
import pytest
import pytest_asyncio
from openpyxl import Workbook
from reportlab.pdfgen.canvas import Canvas

from ingest.adapters.parser_process import ProcessParser
from ingest.errors import ParserCrashed, UnreadableDocument
from ingest.model import ParseLimits

ROUNDS = 40


def pdf() -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for page in range(3):
        for line in range(20):
            canvas.drawString(72, 800 - 14 * line, f"Line {line} of page {page} of a document that will be damaged.")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def word() -> bytes:
    document = docx.Document()
    document.add_heading("Policy", 1)
    for n in range(10):
        document.add_paragraph(f"Paragraph {n} of a document that will be damaged.")
    table = document.add_table(2, 2)
    table.cell(0, 0).text = "cell"
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def workbook() -> bytes:
    made = Workbook()
    sheet = made.active
    assert sheet is not None
    for n in range(10):
        sheet.append((f"row {n}", n))
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def page() -> bytes:
    return b"<html><body><h1>Head</h1><ul><li>item</ul><table><tr><td>a<td>b</table><p>words</body></html>" * 3


def mail() -> bytes:
    return (
        b"From: a@example.com\nSubject: Party\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
        b"Content-Type: text/plain; charset=utf-8\n\nWords of the mail.\n--b\nContent-Type: text/html\n\n<p>x\n--b--\n"
    )


def table() -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([("name", "said"), ("Ana", 'a "quoted", word'), ("Rui", "two\nlines")])
    return out.getvalue().encode()


MAKERS = {"a.pdf": pdf, "a.docx": word, "a.xlsx": workbook, "a.html": page, "a.eml": mail, "a.csv": table, "a.md": page}


def damaged(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice([1, 5, 50])):
        at = dice.randrange(len(changed))
        length = dice.choice([1, 1, 4, 60])
        action = dice.randrange(4)
        if action == 0:
            changed[at : at + length] = dice.randbytes(length)
        elif action == 1:
            del changed[at : at + length]
        elif action == 2:
            changed[at:at] = changed[max(at - length, 0) : at]
        else:
            changed[at] ^= 1 << dice.randrange(8)
        changed = changed or bytearray(b"x")
    return bytes(changed)


def repacked(data: bytes, dice: random.Random) -> bytes:
    """Damage inside one member of a container, so that the zip's own checksums do not find it first."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        chosen = dice.choice(old.namelist())
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, damaged(content, dice) if name == chosen and content else content)
    return out.getvalue()


@pytest_asyncio.fixture
async def parser() -> AsyncIterator[ProcessParser]:
    made = ProcessParser(ParseLimits(cpu_seconds=20, wall_seconds=30))
    yield made
    await made.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MAKERS))
async def test_damaged_documents_are_read_or_refused(name: str, parser: ProcessParser) -> None:
    dice = random.Random(name)
    whole = MAKERS[name]()
    assert (await parser.parse(whole, name)).text
    ends: Counter[str] = Counter()
    for n in range(ROUNDS):
        zipped = name.endswith(("x",)) and n % 2
        data = repacked(whole, dice) if zipped else damaged(whole, dice)
        try:
            assert (await parser.parse(data, name)).text.strip()
            ends["read"] += 1
        except UnreadableDocument as error:
            ends[type(error).__name__] += 1
    assert ends[ParserCrashed.__name__] == 0, ends


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.xlsx"])
async def test_a_document_that_was_cut_off_is_never_read_in_part(name: str, parser: ProcessParser) -> None:
    whole = MAKERS[name]()
    for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        with pytest.raises(UnreadableDocument):
            await parser.parse(whole[: int(share * len(whole))], name)

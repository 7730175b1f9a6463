"""Reads CSV and its relatives: whatever the character set and the separator, as one table."""

import csv
from collections import Counter
from collections.abc import Iterator

from ingest.adapters.charsets import decode
from ingest.adapters.composing import Composer
from ingest.adapters.html_table import markdown
from ingest.adapters.visible_text import LINE_ENDS, one_line
from ingest.errors import DamagedFile
from ingest.model import ParseLimits
from retrieval.model import BlockKind, ParsedDocument

SEPARATORS = ",;\t|"
LOOKED_AT = 20
LONGEST_FIELD = 2**30  # the document's own limits hold; the module's 128 kB would refuse real files


def read(data: bytes, limits: ParseLimits) -> ParsedDocument:
    """Rows as a Markdown table; lines, where there is only one column. Raises NoTextFound, DamagedFile."""
    csv.field_size_limit(LONGEST_FIELD)
    text = LINE_ENDS.sub("\n", decode(data)).replace("\0", "")
    try:
        rows = list(_rows(text))
    except csv.Error as error:
        raise DamagedFile("The rows cannot be told apart.") from error
    composer = Composer("text/csv")
    if max((len(row) for row in rows), default=0) > 1:
        composer.block(BlockKind.TABLE, "\n".join(markdown(rows)))
    else:
        composer.block(BlockKind.TEXT, "\n".join(row[0] for row in rows))
    return composer.finish()


def _rows(text: str) -> Iterator[list[str]]:
    for row in csv.reader(text.split("\n"), delimiter=separator(text)):
        cells = [one_line(cell) for cell in row]
        if any(cells):
            yield cells


def separator(text: str) -> str:
    """The mark that splits the first lines into the same number of fields, the more fields the better."""
    lines = [line for line in text[:100_000].split("\n") if line.strip()][:LOOKED_AT]
    return max(SEPARATORS, key=lambda mark: _evenness(lines, mark))


def _evenness(lines: list[str], mark: str) -> tuple[float, int]:
    widths = Counter(len(row) for row in csv.reader(lines, delimiter=mark))
    width, times = widths.most_common(1)[0] if widths else (1, 0)
    return (times / max(len(lines), 1), width) if width > 1 else (0.0, 0)

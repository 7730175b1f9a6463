"""Finds the character set of text that does not say it.

In order of certainty: byte order mark, UTF-16/32 by its zero bytes, valid UTF-8, what the file declares, runs of high
bytes (East Asian and Cyrillic sets, told apart by charset-normalizer), and last the Windows set of western Europe.
"""

import codecs
import re

from charset_normalizer import from_bytes

# UTF-32 before UTF-16: the little-endian mark of the one begins with that of the other.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE = 65_536
# Western letters with accents stand alone or in twos (ação); words of other scripts are long runs of high bytes.
RUN = re.compile(rb"[\x80-\xff]{3,}")
HIGH = re.compile(rb"[\x80-\xff]")
DENSE = 0.4  # share of the high bytes that stand in such runs
WIDE_ZEROS = 0.3


def decode(data: bytes, declared: str = "") -> str:
    """The text of the bytes, without byte order mark. Never fails: bytes without meaning become U+FFFD."""
    for mark, charset in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(charset, "replace")
    if wide := wide_charset(data):
        return data.decode(wide, "replace")
    for charset in ("utf-8", declared):
        if (text := _strictly(data, charset)) is not None:
            return text
    return data.decode(_eight_bit_charset(data), "replace")


def wide_charset(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a byte order mark, known by where its zero bytes stand; else None."""
    sample = data[:SAMPLE]
    if len(sample) < 4 or b"\0" not in sample:
        return None
    shares = [sample[n::4].count(0) / len(sample[n::4]) for n in range(4)]
    full = [share > 1 - WIDE_ZEROS for share in shares]
    if full[1:] == [True, True, True] and shares[0] == 0:
        return "utf-32-le"
    if full[:3] == [True, True, True] and shares[3] == 0:
        return "utf-32-be"
    even, odd = (shares[0] + shares[2]) / 2, (shares[1] + shares[3]) / 2
    if odd > WIDE_ZEROS and even < odd / 10:
        return "utf-16-le"
    if even > WIDE_ZEROS and odd < even / 10:
        return "utf-16-be"
    return None


def _strictly(data: bytes, charset: str) -> str | None:
    try:
        return data.decode(charset) if charset else None
    except (ValueError, LookupError):  # UnicodeError is a ValueError; so is a name with a NUL
        return None


def _eight_bit_charset(data: bytes) -> str:
    sample = data[:SAMPLE]
    in_runs = sum(len(run) for run in RUN.findall(sample))
    if in_runs > DENSE * len(HIGH.findall(sample)):
        # CP932 is the variant that Japanese Windows writes; strict Shift-JIS refuses some of its characters.
        if _strictly(data, "cp932") is not None and _looks_japanese(data[:SAMPLE].decode("cp932", "ignore")):
            return "cp932"
        best = from_bytes(sample).best()
        if best is not None:
            return best.encoding
    return "cp1252" if _strictly(data, "cp1252") is not None else "latin-1"


def _looks_japanese(text: str) -> bool:
    """Kana and ideographs outweigh everything else beyond ASCII (half-width kana are what other sets decode to)."""
    beyond = [character for character in text if character > "\x7f"]
    japanese = sum(1 for character in beyond if "\u3000" <= character <= "\u9fff")
    return japanese > 0.8 * len(beyond)

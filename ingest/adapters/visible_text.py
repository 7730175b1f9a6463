"""Text as people see it: the same characters for everyone who searches, reads or quotes it.

A citation is a slice of the stored text, so this happens before anything is stored. What no reader can see (zero-width
and tag characters, direction overrides) is taken out and counted: it hides instructions and breaks searching.
"""

import re
import unicodedata

# Joiners shape Indic and Persian words and emoji; beside Latin letters they only hide something.
INVISIBLE = re.compile(
    "[\u200b\u200e\u200f\u2060-\u2064\u2066-\u2069\u202a-\u202e\ufeff\u180e\ufe00-\ufe0e"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
    "|(?<=[\u0000-\u024f])[\u200c\u200d]|[\u200c\u200d](?=[\u0000-\u024f])"
)
LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
DROPPED = re.compile("[\u00ad\x00-\x08\x0e-\x1b\x1f\x7f-\x9f\ufffe\uffff]")
LONE_SURROGATES = re.compile("[\ud800-\udfff]")
SPACE_RUNS = re.compile(r"[ \t\n\r\f]+")


def clean(text: str) -> tuple[str, int]:
    """NFC, lines ended by a line feed, plain spaces, no control characters; and how many invisible were removed."""
    text = LINE_ENDS.sub("\n", text)
    text = DROPPED.sub("", text)
    if text.isascii():
        return text, 0
    text, invisible = INVISIBLE.subn("", SPACES.sub(" ", text))
    return unicodedata.normalize("NFC", LONE_SURROGATES.sub("\ufffd", text)), invisible


def one_line(text: str) -> str:
    """Every run of white space as one space, none at the ends."""
    return SPACE_RUNS.sub(" ", text).strip()

"""Half a surrogate pair, as broken PDF files give, has no UTF-8 form, and every encoder needs one."""

import re

_LONE = re.compile("[\ud800-\udfff]")


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for each lone surrogate: as long as before, so that character spans stay right."""
    return text if text.isascii() else _LONE.sub("\ufffd", text)

"""Reads mail (EML): who wrote what to whom and when, then the text. Attachments are named, not opened."""

import re
from collections.abc import Iterator
from contextlib import suppress
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser

from ingest.adapters.charsets import decode
from ingest.adapters.composing import Composer
from ingest.adapters.html import compose
from ingest.adapters.visible_text import LINE_ENDS, one_line
from ingest.errors import DamagedFile, EncryptedFile, NoTextFound
from ingest.model import ParseLimits
from retrieval.model import BlockKind, ParsedDocument

HEADERS = ("From", "To", "Cc", "Date", "Subject")
ENCRYPTED = frozenset({"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})
BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
# What the standard library's own header parsers raise on headers that break the rules.
MALFORMED = (ValueError, LookupError, AttributeError, TypeError)


def read(data: bytes, limits: ParseLimits) -> ParsedDocument:
    """Headers and body; the plain text where the mail has one, else the HTML. Raises EncryptedFile, NoTextFound."""
    message = BytesParser(policy=policy.default).parsebytes(data)
    headers = [(name, value) for name in HEADERS if (value := _header(message, name))]
    if not headers:
        raise DamagedFile("The file has none of the headers of a mail.")
    parts = list(_parts(message))
    if any(part.get_content_type() in ENCRYPTED for part in (message, *parts)):
        raise EncryptedFile
    composer = Composer("message/rfc822")
    composer.block(BlockKind.TEXT, "\n".join(f"{name}: {value}" for name, value in headers))
    attached = [part for part in parts if part.get_content_disposition() == "attachment" or _name(part)]
    before = composer.blocks
    _add_body([part for part in parts if part not in attached], composer)
    if composer.blocks == before:
        composer.warn("the mail has no text of its own")
    if attached:
        names = [_name(part) or part.get_content_type() for part in attached]
        composer.block(BlockKind.TEXT, "Attachments: " + ", ".join(names))
        composer.warn(f"attachments not read: {len(attached)}")
    return composer.finish(dict(headers).get("Subject", ""))


def _add_body(parts: list[Message], composer: Composer) -> None:
    for wanted in ("text/plain", "text/html"):
        texts = [text for part in parts if part.get_content_type() == wanted and (text := _text(part)).strip()]
        for text in texts:
            _add_text(text, wanted, composer)
        if texts:
            return


def _add_text(text: str, content_type: str, composer: Composer) -> None:
    if content_type == "text/plain":
        for paragraph in BLANK_LINES.split(LINE_ENDS.sub("\n", text)):
            composer.block(BlockKind.TEXT, paragraph)
        return
    with suppress(NoTextFound):
        compose(text, composer)


def _parts(message: Message) -> Iterator[Message]:
    """The leaves of the mail; a mail inside a mail is an attachment, whatever it calls itself."""
    waiting = [message]
    while waiting:
        part = waiting.pop(0)
        content = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(content, list):
            if part.get_content_type() in ENCRYPTED:
                yield part
            waiting = [one for one in content if isinstance(one, Message)] + waiting
        else:
            yield part


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    declared = part.get_content_charset("")
    return decode(content, "" if declared == "us-ascii" else declared) if isinstance(content, bytes) else ""


def _header(message: EmailMessage | Message, name: str) -> str:
    try:
        return one_line(str(message[name] or ""))
    except MALFORMED:
        return ""


def _name(part: Message) -> str:
    try:
        return one_line(part.get_filename() or ("mail" if part.get_content_type() == "message/rfc822" else ""))
    except MALFORMED:
        return "unnamed"

"""EML: the title is the subject, the rest is the body as typed; the head and one attachment are in the settings."""

import textwrap
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from writers.blocks import Source

WIDTH = 76


def message(source: Source) -> bytes:
    """The mail's bytes. The settings are `from`, `to`, `date`, and `attachment = {name, text}`."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = address(str(source.meta["from"]))
    mail["To"] = address(str(source.meta["to"]))
    mail["Subject"] = source.title
    mail["Date"] = format_datetime(source.meta["date"])
    mail["Message-ID"] = f"<{source.meta['date']:%Y%m%d%H%M%S}@farolim.example>"
    lines = source.body.splitlines()[2:]
    mail.set_content("\n".join(textwrap.fill(line, WIDTH) for line in lines) + "\n", cte="8bit")
    attachment = source.meta.get("attachment")
    if attachment:
        mail.add_attachment(attachment["text"], filename=attachment["name"], cte="8bit")
        mail.set_boundary("farolim-part")
    return mail.as_bytes()


def address(text: str) -> Address:
    """`Name <user@domain>` as a header value."""
    name, spec = parseaddr(text)
    return Address(name, addr_spec=spec)

"""EML: the text as the mail's body, the head from the source's settings, and at most one text attachment."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from writers.blocks import Source
from writers.plain import plain


def message(source: Source) -> bytes:
    """The mail's bytes. The settings are `from`, `to`, `date`, and `attachment = {name, text}`."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = address(str(source.meta["from"]))
    mail["To"] = address(str(source.meta["to"]))
    mail["Subject"] = source.title
    mail["Date"] = format_datetime(source.meta["date"])
    mail["Message-ID"] = f"<{source.meta['date']:%Y%m%d%H%M%S}@farolim.example>"
    body = "\n\n".join(plain(block) for block in source.blocks if not (block.kind == "heading" and block.level == 1))
    mail.set_content(f"{body}\n", cte="quoted-printable")
    attachment = source.meta.get("attachment")
    if attachment:
        mail.add_attachment(attachment["text"], filename=attachment["name"], cte="quoted-printable")
        mail.set_boundary("farolim-part")
    return mail.as_bytes()


def address(text: str) -> Address:
    """`Name <user@domain>` as a header value."""
    name, spec = parseaddr(text)
    return Address(name, addr_spec=spec)

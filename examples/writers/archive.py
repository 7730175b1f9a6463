"""Office files are ZIP archives that record the moment of writing; this takes the moment out."""

import re
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

MOMENT = (2026, 6, 1, 9, 0, 0)
MOMENT_XML = b"2026-06-01T09:00:00Z"
STAMP = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


def timeless(data: bytes) -> bytes:
    """The same archive with every time set to `MOMENT`."""
    result = BytesIO()
    with ZipFile(BytesIO(data)) as old, ZipFile(result, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = STAMP.sub(rb"\g<1>" + MOMENT_XML, content)
            member = ZipInfo(name, MOMENT)
            member.compress_type = ZIP_DEFLATED
            new.writestr(member, content)
    return result.getvalue()

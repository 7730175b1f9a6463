"""The parser and its limits, as the settings say."""

from api.settings import Settings
from ingest.adapters.parser_process import ProcessParser
from ingest.model import ParseLimits

MB = 2**20


def limits(settings: Settings) -> ParseLimits:
    """What one document may cost. Reading is mostly computing: two thirds of the time may be the processor's."""
    given = settings.ingest
    return ParseLimits(
        file_bytes=given.max_file_mb * MB,
        memory_bytes=given.parse_memory_mb * MB,
        cpu_seconds=max(1, int(given.parse_seconds * 2 / 3)),
        wall_seconds=given.parse_seconds,
        expanded_bytes=max(given.max_file_mb, 200) * MB,
        pages=given.max_pages,
    )


def parser(settings: Settings, *, workers: int = 1) -> ProcessParser:
    """The parser; it starts its children when there is something to read."""
    return ProcessParser(limits(settings), workers=workers)

"""Logs as JSON on standard error: action words, ids, counts; never text of documents or questions.

What other packages log goes through here as well, without their tracebacks, which quote values.
"""

import logging
import sys
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, Processor


def configure_logs(level: str, *, process: str) -> None:
    """One JSON line a record on standard error, from our loggers and from everybody else's."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        names_process(process),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=StandardError,
    )
    root = logging.getLogger()
    root.handlers = [VendorRecords(process)]
    root.setLevel(max(number, logging.WARNING))


class StandardError:
    """Writes lines to what standard error is at that moment: whoever redirects it gets them."""

    def __init__(self, *_: object) -> None:
        """Loggers are made with the arguments of `get_logger`, which do not matter here."""

    def msg(self, line: str) -> None:
        """One line, at once and whole."""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    log = debug = info = warn = warning = error = err = critical = fatal = exception = failure = msg


def names_process(process: str) -> Callable[[object, str, EventDict], EventDict]:
    """A processor that says which process of the tree speaks."""

    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {"process": process, **event}

    return add


class VendorRecords(logging.Handler):
    """Writes other packages' records in our form; of an exception only its type."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.logger = structlog.get_logger().bind(process=process)

    def emit(self, record: logging.LogRecord) -> None:
        """One record: where from, at which level, and its unfilled template, never its arguments."""
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        told = {"logger": record.name, "error": error, "template": str(record.msg)[:200] if record.args else None}
        shown = {name: value for name, value in told.items() if value is not None}
        self.logger.log(record.levelno, "vendor_log", **shown)

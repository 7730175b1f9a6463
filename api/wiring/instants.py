"""The clock of the product, and how long a command waits for another one to be done with the data folder."""

from datetime import UTC, datetime

COMMAND_PATIENCE_SECONDS = 30.0


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)

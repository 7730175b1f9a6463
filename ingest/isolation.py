"""Jobs run side by side, but one that was running when its worker died runs alone.

Of several jobs that ran at a death nobody can tell which caused it. Alone, the next death has one cause, and those that
only stood by are cleared: without this a file that kills its worker would drag the same bystanders down each time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Isolation:
    """Lets jobs in: any number together, or one alone. Who wants to be alone goes before all who come later."""

    def __init__(self) -> None:
        self._change = asyncio.Condition()
        self._inside = 0
        self._alone = False
        self._waiting_to_be_alone = 0

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Be inside with others, though not while one is alone there or waits to be."""
        async with self._change:
            await self._change.wait_for(lambda: not (self._alone or self._waiting_to_be_alone))
            self._inside += 1
        try:
            yield
        finally:
            await self._leave()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be inside and nobody else."""
        async with self._change:
            self._waiting_to_be_alone += 1
            try:
                await self._change.wait_for(lambda: not self._inside)
                self._inside, self._alone = 1, True
            finally:
                self._waiting_to_be_alone -= 1
                self._change.notify_all()
        try:
            yield
        finally:
            self._alone = False
            await self._leave()

    async def _leave(self) -> None:
        async with self._change:
            self._inside -= 1
            self._change.notify_all()

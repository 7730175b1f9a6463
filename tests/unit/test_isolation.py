"""Who is inside with whom."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from ingest.isolation import Isolation


class Visitor:
    """Somebody who goes in by one of the two doors and stays until told to leave."""

    def __init__(self, door: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        self.inside = False
        self._leave = asyncio.Event()
        self.task = asyncio.create_task(self._visit(door))

    async def _visit(self, door: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        async with door():
            self.inside = True
            try:
                await self._leave.wait()
            finally:
                self.inside = False

    async def leave(self) -> None:
        self._leave.set()
        await self.task
        await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def come(*doors: Callable[[], AbstractAsyncContextManager[None]]) -> list[Visitor]:
    visitors = [Visitor(door) for door in doors]
    await settled()
    return visitors


@pytest.fixture
def house() -> Isolation:
    return Isolation()


async def test_any_number_are_inside_together(house: Isolation) -> None:
    visitors = await come(*[house.together] * 5)
    assert all(visitor.inside for visitor in visitors)
    for visitor in visitors:
        await visitor.leave()


async def test_one_who_wants_to_be_alone_waits_for_the_others_and_then_keeps_them_out(house: Isolation) -> None:
    first, alone, late = await come(house.together, house.alone, house.together)
    assert (first.inside, alone.inside, late.inside) == (True, False, False)
    await first.leave()
    assert (alone.inside, late.inside) == (True, False)
    await alone.leave()
    assert late.inside
    await late.leave()


async def test_of_two_who_want_to_be_alone_one_waits_and_goes_before_the_others(house: Isolation) -> None:
    first, late, second = await come(house.alone, house.together, house.alone)
    assert (first.inside, late.inside, second.inside) == (True, False, False)
    await first.leave()
    assert (late.inside, second.inside) == (False, True)
    await second.leave()
    assert late.inside
    await late.leave()


@pytest.mark.parametrize("door", ["together", "alone"])
async def test_who_is_called_away_leaves_no_trace_waiting_or_inside(house: Isolation, door: str) -> None:
    inside, waiting = await come(house.alone, getattr(house, door))
    for visitor in (waiting, inside):
        visitor.task.cancel()
        await asyncio.wait([visitor.task])
    (next_one,) = await come(house.together)
    assert next_one.inside
    await next_one.leave()
    (last,) = await come(house.alone)
    assert last.inside
    await last.leave()


async def test_one_who_gives_up_waiting_to_be_alone_lets_the_others_in(house: Isolation) -> None:
    first, alone, late = await come(house.together, house.alone, house.together)
    alone.task.cancel()
    await asyncio.wait([alone.task])
    await settled()
    assert late.inside
    await first.leave()
    await late.leave()


async def test_an_error_inside_opens_the_door(house: Isolation) -> None:
    async def fail(door: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        async with door():
            raise ValueError

    attempts: list[Awaitable[None]] = [fail(house.alone), fail(house.together), fail(house.alone)]
    for attempt in attempts:
        with pytest.raises(ValueError):  # noqa: PT011 it has no message
            await attempt
    (visitor,) = await come(house.alone)
    assert visitor.inside
    await visitor.leave()

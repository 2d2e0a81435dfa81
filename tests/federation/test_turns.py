"""Whose message is next: siblings take turns, and whoever sends much leaves room where others are served."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable

import pytest

from federation.turns import IN_A_ROW, Turns

DE, IT, FR = "https://de.example", "https://it.example", "https://fr.example"


class Hall:
    """Where messages wait; who had a turn, in order."""

    def __init__(self, rate: float, lull: float = 1.0) -> None:
        self.turns, self.order = Turns(rate, lull=lull), list[str]()

    def come(self, origins: Iterable[str]) -> list[asyncio.Task[None]]:
        """So many messages at once."""
        return [asyncio.create_task(self._one(origin)) for origin in origins]

    async def _one(self, origin: str) -> None:
        await self.turns.take(origin)
        self.order.append(origin)


async def seconds(waiting: Iterable[asyncio.Task[None]]) -> float:
    """How long it takes until all have had their turn."""
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting)
    return asyncio.get_running_loop().time() - began


async def test_a_sibling_alone_has_the_server_to_itself() -> None:
    """The twin: forty messages in a row, without a gap, where nobody else is served."""
    assert await seconds(Hall(rate=10).come([DE] * 40)) < 1


@pytest.mark.parametrize("other", [IT, ""])
async def test_a_sibling_that_sends_much_leaves_room_for_others(other: str) -> None:
    """A81: while another sibling, or somebody at a page, is served: no more than its rate, after the first few."""
    hall = Hall(rate=100)
    hall.turns.came(other)

    assert await seconds(hall.come([DE] * 30)) >= (30 - IN_A_ROW) / 100 * 0.9


async def test_it_may_go_on_when_the_others_have_gone() -> None:
    """Whoever was there is not waited for any longer than a lull."""
    hall = Hall(rate=2, lull=0.1)
    hall.turns.came(IT)
    await asyncio.sleep(0.12)

    assert await seconds(hall.come([DE] * 40)) < 1


async def test_whoever_sends_little_is_next() -> None:
    """A81: thirty messages of one sibling wait; one of another comes and is taken after the one in hand."""
    hall = Hall(rate=1_000)
    hall.turns.came("")
    many = hall.come([DE] * 30)
    await asyncio.sleep(0)
    few = hall.come([IT, FR])
    await seconds([*many, *few])

    assert {IT, FR} <= set(hall.order[:4])


async def test_those_who_send_as_much_have_as_many_turns() -> None:
    """Nobody is pushed aside either: two that flood alternate."""
    hall = Hall(rate=10_000)
    hall.turns.came(FR)
    await seconds(hall.come([DE] * 20 + [IT] * 20))

    assert 8 <= hall.order[:20].count(IT) <= 12


async def test_one_turn_is_given_in_a_round() -> None:
    """What is ready besides, a page for instance, is never behind more than one message."""
    hall = Hall(rate=10_000)
    hall.turns.came("")
    waiting = hall.come([DE] * 10)
    counts = [0]
    while counts[-1] < 10:
        await asyncio.sleep(0)
        counts.append(len(hall.order))
    await asyncio.gather(*waiting)

    assert {0, 1} >= {after - before for before, after in itertools.pairwise(counts)}


async def test_whoever_goes_away_takes_no_turn_along() -> None:
    """A connection that drops while it waits, or in the instant in which it is handed its turn."""
    hall = Hall(rate=10_000)
    hall.turns.came("")
    waiting = hall.come([DE] * 6)
    await asyncio.sleep(0)
    waiting[1].cancel()
    waiting[3].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert [DE] * 4 == hall.order


async def test_a_turn_that_falls_due_later_is_not_forgotten() -> None:
    """The last of a flood still has its turn when nobody comes any more to ask for one."""
    hall = Hall(rate=20)
    hall.turns.came("")

    assert await seconds(hall.come([DE] * (IN_A_ROW + 2))) >= 0.09

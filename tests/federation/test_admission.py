"""Each sibling's share of this server, and the memory of accepted signatures: bounded, and fair to the others."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from federation.admission import ReplayMemory, SiblingAdmission
from federation.errors import TooManyRequests

DE, IT = "https://de.example", "https://it.example"


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass, or set the clock back."""
        self.now += timedelta(seconds=seconds)


async def passes(admission: SiblingAdmission, origin: str = DE) -> bool:
    """One message in and out again; False where it was over the share."""
    try:
        await admission.enter(origin)
    except TooManyRequests:
        return False
    admission.leave(origin)
    return True


def key(number: int) -> bytes:
    """The name of one signature."""
    return hashlib.sha256(b"%d" % number).digest()


async def test_a_flood_is_stopped_at_the_rate_and_hurts_nobody_else() -> None:
    """A81: so many a second over the span, then 429 with Retry-After; the next sibling has its own share."""
    clock = Clock()
    admission = SiblingAdmission(clock, rate=2, span=3, penance=0)

    first = [await passes(admission) for _ in range(7)]
    other = await passes(admission, IT)
    clock.move(1)
    later = [await passes(admission) for _ in range(3)]

    assert [True] * 6 + [False] == first
    assert other
    assert [True, True, False] == later
    assert 5 == TooManyRequests().retry_after


async def test_a_pause_saves_up_no_more_than_the_span() -> None:
    """An hour of silence does not allow an hour's messages at once."""
    clock = Clock()
    admission = SiblingAdmission(clock, rate=2, span=3, penance=0)
    await passes(admission)
    clock.move(3_600)

    assert [True] * 6 + [False] == [await passes(admission) for _ in range(7)]


async def test_a_clock_set_back_neither_refills_nor_locks_out() -> None:
    """F26: after a step of two hours the bucket holds what it held, and refills from there."""
    clock = Clock()
    admission = SiblingAdmission(clock, rate=1, span=2, penance=0)
    before = [await passes(admission) for _ in range(2)]
    clock.move(-7_200)
    stepped = await passes(admission)
    clock.move(1)

    assert [True, True] == before
    assert not stepped
    assert await passes(admission)


async def test_beyond_the_places_a_bounded_number_waits_in_order() -> None:
    """L: so many in work, so many waiting, the rest 429; whoever waits longest goes first."""
    admission = SiblingAdmission(Clock(), in_work=1, waiting=2, penance=0)
    order: list[int] = []

    async def comes(number: int) -> None:
        await admission.enter(DE)
        order.append(number)

    await admission.enter(DE)
    waiting = [asyncio.create_task(comes(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    refused = not await passes(admission)
    elsewhere = await passes(admission, IT)
    for task in waiting:
        admission.leave(DE)
        await task
    admission.leave(DE)

    assert refused
    assert elsewhere
    assert [1, 2] == order
    assert await passes(admission)


@pytest.mark.parametrize("handed_over", [False, True])
async def test_who_goes_away_while_waiting_takes_no_place_along(handed_over: bool) -> None:
    """A connection that drops, before its place is free or in the same instant: the place stays."""
    admission = SiblingAdmission(Clock(), in_work=1, waiting=1)
    await admission.enter(DE)
    waiting = asyncio.create_task(admission.enter(DE))
    await asyncio.sleep(0)
    if handed_over:
        admission.leave(DE)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    if not handed_over:
        admission.leave(DE)

    async with asyncio.timeout(1):
        assert await passes(admission)


async def test_whoever_is_over_its_rate_waits_for_the_refusal() -> None:
    """A81: a sibling that repeats at once is answered once a second, not as fast as it can ask; others do not wait."""
    admission = SiblingAdmission(Clock(), rate=1, span=1, penance=0.2)
    await admission.enter(DE)
    began = asyncio.get_running_loop().time()
    over = asyncio.create_task(passes(admission))
    other = await passes(admission, IT)
    meanwhile = asyncio.get_running_loop().time() - began

    assert not await over
    assert other
    assert meanwhile < 0.2 <= asyncio.get_running_loop().time() - began + 0.01


@pytest.mark.parametrize("gone", [False, True])
async def test_no_more_are_held_back_than_may_wait(gone: bool) -> None:
    """L: two wait for their refusal, the third hears it at once; whoever goes away makes room for another."""
    admission = SiblingAdmission(Clock(), rate=1, span=1, waiting=2, penance=60)
    await admission.enter(DE)
    held = [asyncio.create_task(passes(admission)) for _ in range(2)]
    await asyncio.sleep(0)
    if gone:
        held[0].cancel()
        await asyncio.gather(held[0], return_exceptions=True)
    third = asyncio.create_task(passes(admission))
    done, _ = await asyncio.wait([third], timeout=0.1)

    assert bool(done) is not gone
    for task in (*held, third):
        task.cancel()
    await asyncio.gather(*held, third, return_exceptions=True)


async def test_whoever_goes_away_while_it_waits_for_its_turn_leaves_its_place() -> None:
    """A connection that drops between its place and its turn: the place is free again."""
    admission = SiblingAdmission(Clock(), in_work=2, waiting=0)
    admission.reader_came()
    first, second = (asyncio.create_task(admission.enter(DE)) for _ in range(2))
    await asyncio.sleep(0)  # the first has the turn of this round
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)

    assert second.cancelled()
    assert await passes(admission)


def test_an_accepted_signature_is_remembered_for_a_quarter_of_an_hour() -> None:
    """A12: seen for fifteen minutes at least, and not for ever."""
    clock = Clock()
    memory = ReplayMemory(clock)
    memory.remember(key(0))
    clock.move(899)
    memory.remember(key(1))
    soon = [memory.seen(key(number)) for number in (0, 1, 2)]
    clock.move(2)
    memory.remember(key(2))
    kept = [memory.seen(key(number)) for number in (0, 1, 2)]
    clock.move(900)
    memory.remember(key(3))

    assert [True, True, False] == soon
    assert [True, True, True] == kept
    assert [False, False, True, True] == [memory.seen(key(number)) for number in range(4)]


def test_the_memory_is_bounded() -> None:
    """L: what does not fit is forgotten oldest first, never the newest."""
    memory = ReplayMemory(Clock(), most=4)
    for number in range(10):
        memory.remember(key(number))

    assert [False] * 4 + [True] * 6 == [memory.seen(key(number)) for number in range(10)]

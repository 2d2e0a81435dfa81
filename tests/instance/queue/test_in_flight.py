"""A lane that looks again while messages are in flight: each is sent once, whenever it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from federation.ports import Answer, Delivery, Lane
from federation.uri import Uri
from instance.queue import Queue
from tests.instance.parts import DE, FR, Parts, shared
from tests.instance.queue.lanes import answering, lane, lanes, sent, settle


def doctor(number: int) -> Uri:
    """An author of their own, whose messages wait for nobody else's."""
    return Uri.parse(f"{FR}/doctors/d{number}")


async def test_what_is_in_flight_is_not_taken_again(fr: Parts) -> None:
    """Three hang while the lane is woken five times and new ones fly past: eight messages, eight sent."""
    hanging = [(await fr.creates(doctor(number), targets=[shared(DE)])).id for number in range(3)]
    release, all_out = asyncio.Event(), asyncio.Event()
    past: list[str] = []

    async def answer(url: Uri, body: bytes) -> Answer:
        if body.decode() in hanging:
            await release.wait()
        else:
            past.append(body.decode())
            if len(past) == 5:
                all_out.set()
        return Answer(202)

    fr.wire.answer = answer
    at_work = lanes(fr)
    await at_work.start_due()
    written = []
    for number in range(3, 8):
        written.append((await fr.creates(doctor(number), targets=[shared(DE)])).id)
        await at_work.start_due()
    async with asyncio.timeout(10):
        await all_out.wait()
    before = sorted(sent(fr))
    release.set()
    await at_work.quiet()
    await at_work.stop(1)

    assert sorted([*hanging, *written]) == before == sorted(sent(fr))
    assert 0 == await settle(fr)


class SlowQueue(Queue):
    """The real queue, whose second look is so slow that what was in flight comes back before it is answered."""

    looks = 0

    def __init__(self, fr: Parts, release: asyncio.Event, back: asyncio.Event) -> None:
        super().__init__(fr)  # type: ignore[arg-type]
        self._release, self._back = release, back

    async def next(self, origin: str, now: datetime, limit: int) -> list[Delivery]:
        """Read the rows, then let the message come back, then answer."""
        rows = await super().next(origin, now, limit)
        self.looks += 1
        if self.looks == 2:
            self._release.set()
            await self._back.wait()
        return rows


async def test_what_comes_back_while_the_lane_looks_is_not_sent_again(fr: Parts) -> None:
    """The rows it sees still show the message as waiting; that it was settled meanwhile stands nowhere yet."""
    create = await fr.creates(targets=[shared(DE)])
    flying, release, back = asyncio.Event(), asyncio.Event(), asyncio.Event()
    queue = SlowQueue(fr, release, back)
    settled = queue.done

    def done(row: Delivery, answer: Answer, now: datetime) -> None:
        settled(row, answer, now)
        asyncio.get_running_loop().call_soon(back.set)

    queue.done = done  # type: ignore[method-assign]

    async def answer(url: Uri, body: bytes) -> Answer:
        flying.set()
        await release.wait()
        return Answer(202)

    fr.wire.answer = answer
    at_work = lanes(fr, queue)
    await at_work.start_due()
    async with asyncio.timeout(10):
        await flying.wait()
        await at_work.start_due()
        await at_work.quiet()
    await at_work.stop(1)

    assert queue.looks >= 2
    assert [create.id] == sent(fr)
    assert {DE: "done"} == await fr.states(create)


class SlowClaim(Queue):
    """The real queue, whose second claim is so slow that the lane at work closes before it is answered."""

    claims = 0

    def __init__(self, fr: Parts, closes: asyncio.Event, closed: asyncio.Event) -> None:
        super().__init__(fr)  # type: ignore[arg-type]
        self._closes, self._closed = closes, closed

    async def claim(self, now: datetime, limit: int) -> Sequence[Lane]:
        """Read the lanes, then let the one at work close, then answer."""
        found = await super().claim(now, limit)
        self.claims += 1
        if self.claims == 2:
            self._closes.set()
            await self._closed.wait()
        return found


async def test_a_lane_that_closes_while_lanes_are_claimed_is_not_begun_with_old_numbers(fr: Parts) -> None:
    """What was claimed knows nothing of its last failure: no probe goes out before the hour, and the count goes on."""
    await fr.creates(targets=[shared(DE)])
    fr.wire.answer = answering(Answer(0, "refused"))
    await settle(fr)
    fr.clock.move(seconds=30)
    flying, closes, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(url: Uri, body: bytes) -> Answer:
        flying.set()
        await closes.wait()
        return Answer(0, "refused")

    fr.wire.answer = answer
    queue = SlowClaim(fr, closes, closed)
    at_work = lanes(fr, queue)
    async with asyncio.timeout(10):
        first = await at_work.start_due()
        await flying.wait()
        closing = asyncio.create_task(at_work.start_due())
        await closes.wait()
        await at_work.quiet()
        closed.set()
        again = await closing
        await at_work.quiet()
    tries, stands = len(sent(fr)), await lane(fr)
    fr.clock.move(minutes=2)
    fr.wire.answer = None
    later = await at_work.start_due()
    await at_work.quiet()
    await at_work.stop(1)

    assert (1, 0, 1) == (first, again, later)
    assert (2, 2) == (tries, stands["failures"])
    assert 3 == len(sent(fr))
    assert not await fr.queue.due(fr.clock())

"""Order and urgency: one message of an author at a time, what is urgent first, and hanging siblings delay nobody."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from federation.lanes import COMMON_SLOTS, FULL_WIDTH, OWN_SLOTS
from federation.ports import Answer
from federation.uri import Uri
from tests.federation.servers import sibling
from tests.instance.parts import ANNA, DE, FR, IT, Parts, shared
from tests.instance.queue.lanes import contact_with, lanes, sent, settle


async def test_what_is_queued_is_sent_and_settled(fr: Parts, tmp_path: Path) -> None:
    """Each sibling has it, the ledger says so, and nothing is left to do."""
    create = await fr.creates()
    begun = await settle(fr)
    contact = contact_with(DE, tmp_path)

    assert 2 == begun
    assert {DE: "done", IT: "done"} == await fr.states(create)
    assert [create.id] == sent(fr, DE) == sent(fr, IT)
    assert contact["last_out_at"] is not None
    assert not await fr.queue.due(fr.clock())
    assert 0 == await settle(fr)


async def test_an_authors_messages_arrive_in_order_one_at_a_time(fr: Parts) -> None:
    """Per sibling one message of an author is in flight; different authors do not wait for each other."""
    authors = [Uri.parse(f"{FR}/doctors/d{number}") for number in range(10)]
    written = defaultdict(list)
    for _ in range(10):
        for author in authors:
            written[author].append((await fr.creates(author, targets=[shared(DE)])).id)
    flying: Counter[str] = Counter()
    arrived = defaultdict(list)
    by_id = {id: author for author, ids in written.items() for id in ids}
    most = 0
    together = asyncio.Event()

    async def answer(url: Uri, body: bytes) -> Answer:
        nonlocal most
        author = by_id[Uri.parse(body.decode())]
        flying[author] += 1
        most = max(most, flying[author])
        if flying.total() == len(authors):
            together.set()
        await together.wait()
        flying[author] -= 1
        arrived[author].append(body.decode())
        return Answer(202)

    fr.wire.answer = answer
    await settle(fr)

    assert written == arrived
    assert 1 == most


async def test_no_more_than_the_width_is_in_flight(fr: Parts) -> None:
    """However many wait, a sibling is sent 32 at once."""
    for number in range(100):
        await fr.creates(Uri.parse(f"{FR}/doctors/d{number}"), targets=[shared(DE)])
    flying, most = 0, 0
    full = asyncio.Event()

    async def answer(url: Uri, body: bytes) -> Answer:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        if flying == FULL_WIDTH:
            full.set()
        await full.wait()
        await asyncio.sleep(0)
        flying -= 1
        return Answer(202)

    fr.wire.answer = answer
    await settle(fr)

    assert FULL_WIDTH == most
    assert 100 == len(fr.wire.posts)


async def test_revocations_overtake_everything(fr: Parts) -> None:
    """P7: revocation, then withdrawal, then doctors named, then the rest; within each the oldest first."""
    rest = await fr.creates(targets=[shared(DE)], priority=3)
    named = await fr.creates(targets=[shared(DE)], priority=2)
    withdrawal = await fr.deletes(ANNA, Uri.parse(FR + "/posts/9"), [shared(DE)])
    revocation = await fr.creates(targets=[shared(DE)], priority=0)
    await settle(fr)

    assert [revocation.id, withdrawal.id, named.id, rest.id] == sent(fr)


async def test_what_comes_while_a_lane_is_at_work_overtakes_too(fr: Parts) -> None:
    """A revocation does not wait for the hundred cases that were there before it."""
    for _ in range(100):
        await fr.creates(targets=[shared(DE)])
    at_work = lanes(fr)
    first: list[Any] = []

    async def answer(url: Uri, body: bytes) -> Answer:
        if not first:
            first.append(await fr.creates(targets=[shared(DE)], priority=0))
            await at_work.start_due()
        return Answer(202)

    fr.wire.answer = answer
    await at_work.start_due()
    await at_work.quiet()
    await at_work.stop(1)

    assert sent(fr).index(first[0].id) <= 2
    assert 101 == len(sent(fr))


async def test_siblings_that_hang_delay_nobody(fr: Parts) -> None:
    """P4, F33: 12 of 60 siblings never answer; the other 48 have everything meanwhile."""
    origins = [f"https://s{number}.example" for number in range(60)]
    fr.listed = {origin: sibling(origin) for origin in origins}
    hanging = set(origins[:12])
    for number in range(FULL_WIDTH + 4):
        await fr.creates(Uri.parse(f"{FR}/doctors/d{number}"), targets=[shared(origin) for origin in origins])
    release, healthy = asyncio.Event(), asyncio.Event()
    flying: Counter[str] = Counter()
    arrived: Counter[str] = Counter()
    expected = (FULL_WIDTH + 4) * 48

    async def answer(url: Uri, body: bytes) -> Answer:
        if url.origin in hanging:
            flying[url.origin] += 1
            await release.wait()
            return Answer(0, "deadline")
        await asyncio.sleep(0)
        arrived[url.origin] += 1
        if arrived.total() == expected:
            healthy.set()
        return Answer(202)

    fr.wire.answer = answer
    at_work = lanes(fr)
    await at_work.start_due()
    async with asyncio.timeout(60):
        await healthy.wait()
    held = dict(flying)
    release.set()
    await at_work.quiet()
    await at_work.stop(1)
    waiting = await fr.store.all("deliveries.counts", origin="", state="waiting")

    assert hanging == set(held)
    assert max(held.values()) <= FULL_WIDTH
    assert sum(max(0, number - OWN_SLOTS) for number in held.values()) <= COMMON_SLOTS
    assert dict.fromkeys(hanging, FULL_WIDTH + 4) == {row["origin"]: row["number"] for row in waiting}

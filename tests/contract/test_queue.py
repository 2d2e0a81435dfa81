"""What the queue of deliveries promises where it settles, reads and claims, kept by both engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from federation.audience import Target
from federation.ports import Answer, Lane
from federation.uri import Uri
from federation.vocabulary import Announce
from instance.queue import Queue
from instance.services.errors import Rejected
from instance.storage import open_store
from instance.storage.errors import StorageUnavailable
from instance.storage.store import Store, Transaction
from instance.times import to_ms
from tests.instance.parts import BRUNO, DE, Parts, shared


@pytest.fixture
async def fr(address: str) -> AsyncIterator[Parts]:
    """The sending half of an instance, over each engine in turn."""
    store = await open_store(address)
    try:
        await store.migrate()
        found = Parts(store)
        await found.lists(DE)
        yield found
    finally:
        await store.close()


class Between:
    """The real store; what a test does in between happens as it does where other processes are at work."""

    def __init__(self, store: Store) -> None:
        self._store, self.engine = store, store.engine
        self.lost = self.read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, work: Any, **options: Any) -> Any:
        """Commit; the answer gets lost as often as the test says."""
        result = await self._store.write(work, **options)
        if self.lost:
            self.lost -= 1
            raise StorageUnavailable("storage_failed", "no answer from the database")
        return result

    async def one(self, query: str, /, **values: Any) -> Any:
        """Read as over a network, also where there is none."""
        self.read += 1
        row = await self._store.one(query, **values)
        await asyncio.sleep(0)
        return row


async def test_a_settlement_written_twice_is_written_once(fr: Parts) -> None:
    """The commit reached the disk and its answer was lost: the next try passes, and nothing is counted twice."""
    for _ in range(3):
        await fr.creates(targets=[shared(DE)])
    done, dead, rests = await fr.queue.next(DE, fr.clock(), 10)
    between = Between(fr.store)
    queue = Queue(fr)  # type: ignore[arg-type]
    queue._store, between.lost = between, 1  # type: ignore[assignment]
    queue.done(done, Answer(202), fr.clock())
    queue.dead(dead, "malformed", Answer(400, "malformed"), fr.clock())
    queue.rest(rests, fr.clock.now.replace(hour=18), Answer(500), fr.clock())
    with pytest.raises(StorageUnavailable):
        await queue.flush()
    await queue.flush()
    found = [await fr.store.one("deliveries.show", id=row.id) for row in (done, dead, rests)]
    refusals = await fr.store.write(lambda tx: tx.run("inbound.forget_refusals", before=to_ms(fr.clock()), most=9))

    assert [("done", 1), ("dead", 1), ("resting", 1)] == [(row["state"], row["attempts"]) for row in found if row]
    assert 1 == refusals


async def test_a_row_may_rest_and_be_done_again(fr: Parts) -> None:
    """The twin: what is settled anew, not written again, counts."""
    await fr.creates(targets=[shared(DE)])
    for hours in (1, 2):
        [row] = await fr.queue.next(DE, fr.clock(), 10)
        fr.clock.move(hours=hours)
        fr.queue.rest(row, fr.clock(), Answer(500), fr.clock())
        await fr.queue.flush()
    [row] = await fr.queue.next(DE, fr.clock(), 10)
    fr.queue.done(row, Answer(202), fr.clock())
    await fr.queue.flush()

    found = await fr.store.one("deliveries.show", id=row.id) or {}

    assert ("done", 3) == (found["state"], found["attempts"])


async def test_a_body_that_many_lanes_want_is_read_once_and_kept(fr: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept bodies are counted as they are kept: also where six ask at once, later ones have their place."""
    monkeypatch.setattr("instance.queue._BODIES", 1_000)
    made = [await fr.creates(targets=[shared(DE)]) for _ in range(30)]
    between = Between(fr.store)
    queue = Queue(fr)  # type: ignore[arg-type]
    queue._store = between  # type: ignore[assignment]
    for create in made:
        bodies = await asyncio.gather(*(queue.body(create.id) for _ in range(6)))
        assert [create.id.encode()] * 6 == bodies
    at_once, between.read = between.read, 0
    await queue.body(made[-1].id)
    kept, between.read = between.read, 0
    await queue.body(made[0].id)

    assert (30, 0, 1) == (at_once, kept, between.read)
    assert sum(map(len, queue._bodies.values())) == queue._bodies_size <= 1_000


async def test_a_body_that_is_not_there_is_asked_for_again(fr: Parts) -> None:
    """Everybody who asked hears of it, and nothing is remembered."""
    create = await fr.creates(targets=[shared(DE)])
    queue = Queue(fr)  # type: ignore[arg-type]
    missing = fr.an_id()
    told = await asyncio.gather(*(queue.body(missing) for _ in range(2)), return_exceptions=True)

    assert [LookupError] * 2 == [type(error) for error in told]
    assert create.id.encode() == await queue.body(create.id)
    with pytest.raises(LookupError):
        await queue.body(missing)


@pytest.mark.parametrize("later", [True, False])
async def test_a_lane_is_claimed_as_it_stands_when_it_is_taken(fr: Parts, later: bool) -> None:
    """Another process met trouble and closed the lane since it was looked for: it is not knocked at with old numbers."""
    await fr.creates(targets=[shared(DE)])
    now = fr.clock()
    first, second = Queue(fr, shared=True), Queue(fr, shared=True)  # type: ignore[arg-type]

    class Meanwhile(Between):
        async def all(self, query: str, /, **values: Any) -> Any:
            rows = await fr.store.all(query, **values)
            [lane] = await first.claim(now, 10)
            first.lane(Lane(lane.origin, 7, 1, now, fr.clock.now.replace(minute=30) if later else now, "tls"), now)
            await first.flush()
            await first.release(lane.origin)
            return rows

    second._store = Meanwhile(fr.store)  # type: ignore[assignment]
    claimed = await second.claim(now, 10)

    assert ([] if later else [7]) == [lane.failures for lane in claimed]


async def test_the_ledger_hears_of_the_post_alone(fr: Parts) -> None:
    """What is answered to a recommendation is no copy of the post; what is answered to the post is, and its version."""
    create = await fr.creates(targets=[shared(DE)])
    post = create.object
    recommendation = Announce(id=fr.an_id(), actor=BRUNO, object=post.id)
    await fr.publishes(recommendation, post.id, [shared(DE)])
    first, second = await fr.queue.next(DE, fr.clock(), 10)
    fr.queue.done(second, Answer(202), fr.clock())
    await fr.queue.flush()
    [unheard] = await fr.store.all("copies.ledger", object=post.id)
    fr.queue.done(first, Answer(202), fr.clock())
    await fr.queue.flush()
    [heard] = await fr.store.all("copies.ledger", object=post.id)

    assert (recommendation.id, create.id) == (second.activity, first.activity)
    assert (None, to_ms(fr.clock())) == (unheard["delivered_at"], heard["delivered_at"])


async def test_the_ledger_knows_an_earlier_version_and_a_release(fr: Parts) -> None:
    """Since when stays the first time; the newest version counts, also where an older one is answered late."""
    create = await fr.creates(targets=[shared(DE)])
    began = to_ms(fr.clock())
    seen = []

    async def look() -> None:
        copies = {row["origin"]: row for row in await fr.store.all("copies.ledger", object=create.object.id)}
        copy = copies[DE]
        seen.append((copy["delivered_at"], bool(copy["earlier"]), copy["released_at"] is not None))

    async def answered(place: int = 0) -> None:
        rows = await fr.queue.next(DE, fr.clock(), 10)
        fr.queue.done(rows[place], Answer(202), fr.clock())
        await fr.queue.flush()
        await look()

    await answered()
    fr.clock.move(minutes=1)
    await fr.updates(create.object)
    await fr.updates(create.object)
    await look()
    await answered(1)
    await answered()
    await fr.deletes(create.object.author, create.object.id)
    await answered()

    assert [
        (began, False, False), (began, True, False), (began, False, False), (began, False, False), (began, False, True),
    ] == seen  # fmt: skip


async def test_dead_letters_are_sent_again_in_steps_each_once(fr: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a step of them, and what happens besides happens once; whoever is paused keeps theirs dead."""
    monkeypatch.setattr("instance.queue._STEP", 2)
    ordered: list[str] = []
    for _ in range(5):
        await fr.creates(targets=[shared(DE)])
    for row in await fr.queue.next(DE, fr.clock(), 10):
        fr.queue.dead(row, "malformed", Answer(400, "malformed"), fr.clock())
    await fr.queue.flush()

    async def also(tx: Transaction) -> None:
        ordered.append("once")

    async def policy(before: str, after: str) -> None:
        await fr.store.write(lambda tx: tx.run("siblings.set_policy", origin=DE, policy=after, before=before))

    await policy("inherit", "pause")
    kept = await fr.queue.retry(origin=DE)
    await policy("pause", "inherit")
    number = await fr.queue.retry(origin=DE, also=also)

    assert (0, 5, ["once"]) == (kept, number, ordered)
    assert 0 == await fr.queue.retry(origin=DE)


async def test_an_order_that_is_refused_changes_nothing(fr: Parts) -> None:
    """What happens besides may refuse the whole: letters stay dead, the lane keeps its time."""
    await fr.creates(targets=[shared(DE)])
    [row] = await fr.queue.next(DE, fr.clock(), 10)
    fr.queue.dead(row, "malformed", Answer(400, "malformed"), fr.clock())
    later = fr.clock.now + timedelta(hours=1)
    fr.queue.lane(Lane(DE, failures=1, next_at=later), fr.clock())
    await fr.queue.flush()

    async def refuse(tx: Transaction) -> None:
        raise Rejected("deliveries_kept", status=409)

    for order in (fr.queue.retry(origin=DE, also=refuse), fr.queue.try_now(DE, also=refuse)):
        with pytest.raises(Rejected, match="deliveries_kept"):
            await order
    [lane] = await fr.store.all("delivery_pages.lanes", origin=DE, now=0)
    shown = await fr.queue.show(row.id)

    assert ("dead", to_ms(later)) == (shown["state"], lane["next_at"])


async def test_trying_now_hastens_what_rests_but_for_inboxes_that_were_not_there(fr: Parts) -> None:
    """A sibling's error is over when the administrator says so; a doctor who was not found has their day."""
    personal = Target(DE, Uri.parse(f"{DE}/doctors/clara/inbox"), False)
    for target, answer in ((shared(DE), Answer(500)), (personal, Answer(404))):
        create = await fr.creates(targets=[target])
        row = next(each for each in await fr.queue.next(DE, fr.clock(), 10) if each.activity == create.id)
        fr.queue.rest(row, fr.clock.now + timedelta(hours=6), answer, fr.clock())
        await fr.queue.flush()

    async def also(tx: Transaction) -> None:
        """Nothing besides."""

    before = await fr.queue.next(DE, fr.clock(), 10)
    await fr.queue.try_now(DE, also=also)
    after = await fr.queue.next(DE, fr.clock(), 10)

    assert ([], [True]) == (before, [row.shared for row in after])

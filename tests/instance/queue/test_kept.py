"""Nothing is lost and nothing forgotten too early: dead letters, pauses, crashes, leases, full disks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from federation.allowlist import LocalPolicy
from federation.ports import Answer
from federation.uri import Uri
from instance.queue import Queue
from instance.services.errors import Rejected
from instance.storage.errors import StorageUnavailable
from tests.federation.servers import sibling
from tests.instance.parts import DE, IT, Parts, shared
from tests.instance.queue.lanes import answering, lanes, sent, settle


async def test_a_message_that_is_refused_is_dead_and_the_rest_goes_on(fr: Parts) -> None:
    """The dead letter shows the sibling's code, the refusal is on record, and it can be sent again."""
    fr.wire.answer = answering(Answer(403, "suspended"), Answer(202))
    refused = await fr.creates(targets=[shared(DE)])
    other = await fr.creates(targets=[shared(DE)])
    await settle(fr)
    shown = await fr.queue.overview(origin=DE)
    [row] = shown["rows"]
    states = await fr.states(refused), await fr.states(other)
    again = await fr.queue.retry(id=row["id"])
    await settle(fr)

    assert ({DE: "dead"}, {DE: "done"}) == states
    assert ("dead", 403, "suspended", "Create") == (row["state"], row["last_status"], row["last_code"], row["type"])
    assert {"dead": 1, "done": 1} == {line["state"]: line["number"] for line in shown["counts"]}
    assert 1 == again
    assert {DE: "done"} == await fr.states(refused)


async def test_only_dead_letters_of_open_siblings_are_sent_again(fr: Parts) -> None:
    """Sending again is for what is dead; nothing named is a mistake of the caller."""
    await fr.creates()
    number = await fr.queue.retry(origin=DE)
    with pytest.raises(Rejected, match="nothing_named"):
        await fr.queue.retry()
    with pytest.raises(Rejected, match="unknown_delivery"):
        await fr.queue.show("01")

    assert 0 == number


async def test_a_delivery_is_shown_without_its_body(fr: Parts) -> None:
    """The administrator sees what, to whom and how it stands."""
    create = await fr.creates(targets=[shared(DE)])
    [row] = (await fr.queue.overview())["rows"]
    shown = await fr.queue.show(row["id"])

    assert (create.id, DE, "waiting", fr.clock()) == (
        shown["activity"], shown["origin"], shown["state"], shown["created_at"],
    )  # fmt: skip
    assert "body" not in shown


async def test_a_pause_that_comes_late_still_counts(fr: Parts) -> None:
    """A62: the row was written while the sibling was open; at send time it is paused: held, nothing sent."""
    create = await fr.creates()
    fr.listed[DE] = sibling(DE, LocalPolicy.PAUSE)
    del fr.listed[IT]
    await settle(fr)

    assert {DE: "held", IT: "dropped"} == await fr.states(create)
    assert [] == fr.wire.posts


async def test_what_was_in_flight_at_a_crash_is_sent_again(fr: Parts) -> None:
    """`kill -9` between sending and settling: the sibling may get it twice, never not at all."""
    create = await fr.creates(targets=[shared(DE)])
    sent_once = asyncio.Event()

    async def answer(url: Uri, body: bytes) -> Answer:
        sent_once.set()
        await asyncio.Event().wait()
        raise AssertionError

    fr.wire.answer = answer
    dies = lanes(fr)
    await dies.start_due()
    await sent_once.wait()
    await dies.stop(0)
    fr.wire.answer = None
    await settle(fr, Queue(fr))  # type: ignore[arg-type]

    assert [create.id, create.id] == sent(fr)
    assert {DE: "done"} == await fr.states(create)


async def test_a_lane_of_a_dead_process_is_taken_over_when_its_lease_ends(fr: Parts) -> None:
    """Where several processes share a database a lane has one owner, for 30 s after its last sign of life."""
    await fr.creates(targets=[shared(DE)])
    first, second = Queue(fr, shared=True), Queue(fr, shared=True)  # type: ignore[arg-type]
    mine = await first.claim(fr.clock(), 10)
    at_once = await second.claim(fr.clock(), 10)
    fr.clock.move(seconds=20)
    await first.keep(fr.clock())
    fr.clock.move(seconds=29)
    kept = await second.claim(fr.clock(), 10)
    fr.clock.move(seconds=1)
    taken = await second.claim(fr.clock(), 10)
    lost = await first.claim(fr.clock(), 10)
    await second.release(DE)
    back = await first.claim(fr.clock(), 10)

    assert [DE] == [found.origin for found in mine]
    assert ([], []) == (at_once, kept)
    assert ([DE], [], [DE]) == (
        [found.origin for found in taken], [found.origin for found in lost], [found.origin for found in back],
    )  # fmt: skip


async def test_what_could_not_be_written_is_written_later(fr: Parts) -> None:
    """The disk is full for a moment: what siblings have accepted is settled when it heals, in order."""
    create = await fr.creates(targets=[shared(DE)])
    [row] = await fr.queue.next(DE, fr.clock(), 10)
    store, fails = fr.store, True

    class Failing:
        engine = store.engine

        async def write(self, work: Any) -> Any:
            if fails:
                raise StorageUnavailable("storage_full")
            return await store.write(work)

    fr.queue._store = Failing()  # type: ignore[assignment]
    fr.queue.done(row, Answer(202), fr.clock())
    with pytest.raises(StorageUnavailable):
        await fr.queue.flush()
    before = await fr.states(create)
    fails = False
    await fr.queue.flush()

    assert {DE: "waiting"} == before
    assert {DE: "done"} == await fr.states(create)


async def test_settled_rows_are_forgotten_after_a_season_and_dead_ones_never(fr: Parts) -> None:
    """The table does not grow for ever; a dead letter stays until somebody decides."""
    fr.wire.answer = answering(Answer(400, "malformed"), Answer(202))
    await fr.creates()
    await settle(fr)
    fr.clock.move(days=91)
    await fr.queue.tidy()
    counts = await fr.store.all("deliveries.counts", origin="", state="")

    assert ["dead"] == [row["state"] for row in counts]

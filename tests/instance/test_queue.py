"""Lanes over the real table: order, urgency, hanging siblings, back-off, dead letters, and what a crash leaves."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from federation.allowlist import LocalPolicy
from federation.courier import Courier
from federation.lanes import COMMON_SLOTS, FULL_WIDTH, OWN_SLOTS, Lanes
from federation.ports import Answer, Delivery
from federation.uri import Uri
from federation.vocabulary import Follow
from instance.queue import Queue
from instance.services.errors import Rejected
from instance.storage.errors import StorageUnavailable
from tests.federation.servers import sibling
from tests.instance.parts import ANNA, BRUNO, DE, FR, HOME, IT, Parts, parts, personal, shared


@pytest.fixture
async def fr(tmp_path: Path) -> AsyncIterator[Parts]:
    """The sending half of an instance."""
    async with parts(tmp_path) as found:
        yield found


def lanes(fr: Parts, queue: Queue | None = None) -> Lanes:
    """Lanes that send through the test's wire; a fault of theirs is a failure of the test."""

    async def may_send(actor: Uri) -> bool:
        return True

    async def reread(delivery: Delivery) -> Uri | None:
        return None

    def fault(where: str, error: BaseException) -> None:
        raise error

    queue = queue or fr.queue
    courier = Courier(
        fr.allowlist, fr.keys, fr.wire, queue, may_send, reread, fr.clock, instance_actor=HOME, rng=Random(1)
    )
    return Lanes(courier, queue, fr.clock, fault=fault, wake=lambda: None)


async def settle(fr: Parts, queue: Queue | None = None) -> int:
    """Empty every lane that is due; return how many lanes that were."""
    at_work = lanes(fr, queue)
    begun = await at_work.start_due()
    await at_work.quiet()
    await at_work.stop(1)
    return begun


def answering(*answers: Answer) -> Callable[[Uri, bytes], Any]:
    """Answer by turns, the last one for ever."""
    left = list(answers)

    async def answer(url: Uri, body: bytes) -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


async def lane(fr: Parts, origin: str = DE) -> dict[str, Any]:
    """How a lane stands."""
    return next(dict(row) for row in await fr.store.all("lanes.all") if row["origin"] == origin)


def sent(fr: Parts, origin: str = DE) -> list[str]:
    """The activities a sibling was sent, in order."""
    return [body.decode() for url, body in fr.wire.posts if url.origin == origin]


def contact_with(origin: str, folder: Path) -> sqlite3.Row:
    """What is written down of the contact with a sibling."""
    with closing(sqlite3.connect(folder / "fr.sqlite")) as file:
        file.row_factory = sqlite3.Row
        found: sqlite3.Row = file.execute("select * from sibling_contacts where origin = ?", [origin]).fetchone()
    return found


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


async def test_a_lane_that_fails_costs_one_probe_and_opens_step_by_step(fr: Parts) -> None:
    """F13, F22: ten thousand waiting messages are not ten thousand tries; after the recovery 1, 2, 4 … 32."""
    for number in range(200):
        await fr.creates(Uri.parse(f"{FR}/doctors/d{number}"), targets=[shared(DE)])
    fr.wire.answer = answering(Answer(0, "refused"))
    await settle(fr)
    first_round = len(fr.wire.posts)
    again_at_once = await settle(fr)
    fr.clock.move(seconds=30)
    await settle(fr)
    probes = len(fr.wire.posts) - first_round
    failing = await lane(fr)

    fr.clock.move(minutes=2)
    flying, widths = 0, []

    async def answer(url: Uri, body: bytes) -> Answer:
        nonlocal flying
        flying += 1
        widths.append(flying)
        await asyncio.sleep(0.002)
        flying -= 1
        return Answer(202)

    fr.wire.answer = answer
    await settle(fr)
    healed = await lane(fr)

    assert first_round <= FULL_WIDTH
    assert (0, 1) == (again_at_once, probes)
    assert (2, 1) == (failing["failures"], failing["width"])
    assert (0, FULL_WIDTH, None) == (healed["failures"], healed["width"], healed["failing_since"])
    assert [1, 1, 2] == widths[:3]
    assert max(widths) <= FULL_WIDTH
    assert not await fr.queue.due(fr.clock())


async def test_a_lane_that_fails_leaves_the_others_alone(fr: Parts, tmp_path: Path) -> None:
    """One sibling's trouble is its own."""

    async def answer(url: Uri, body: bytes) -> Answer:
        return Answer(0, "tls") if url.origin == DE else Answer(202)

    fr.wire.answer = answer
    create = await fr.creates()
    await settle(fr)
    failing = await lane(fr)
    contact = contact_with(DE, tmp_path)

    assert {DE: "waiting", IT: "done"} == await fr.states(create)
    assert "tls" == failing["alarm"]
    assert "tls" == contact["last_fault"]


async def test_retry_after_moves_the_whole_lane(fr: Parts) -> None:
    """F17: 429 with Retry-After 120: nothing goes there for two minutes, then everything."""
    fr.wire.answer = answering(Answer(429, "too_many_requests", 120), Answer(202))
    create = await fr.creates(targets=[shared(DE)])
    await settle(fr)
    fr.clock.move(seconds=119)
    too_early = await settle(fr)
    fr.clock.move(seconds=1)
    await settle(fr)

    assert 0 == too_early
    assert {DE: "done"} == await fr.states(create)


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


async def test_a_doctor_who_is_gone_keeps_back_their_own_messages_alone(fr: Parts) -> None:
    """A row that rests holds up what its signer wrote to the same inbox after it, so that order holds there."""

    async def answer(url: Uri, body: bytes) -> Answer:
        return Answer(404) if url.target == "/doctors/bert/inbox" and fr.clock() < back else Answer(202)

    back = fr.clock().replace(hour=17)
    follow = Follow(id=fr.an_id(), actor=ANNA, object=Uri.parse(DE + "/doctors/bert"))
    fr.wire.answer = answer
    await fr.publishes(follow, follow.object, [personal(DE)])
    behind = await fr.creates(targets=[personal(DE)])
    beside = await fr.creates(targets=[shared(DE)])
    others = await fr.creates(BRUNO, targets=[personal(DE, "clara")])
    await settle(fr)
    early = [(await fr.states(activity))[DE] for activity in (follow, behind, beside, others)]
    fr.clock.move(hours=6)
    await settle(fr)

    assert ["resting", "waiting", "done", "done"] == early
    assert [follow.id, behind.id] == [body.decode() for url, body in fr.wire.posts[-2:]]
    assert {DE: "done"} == await fr.states(behind)


async def test_a_withdrawal_that_rests_keeps_nothing_back(fr: Parts) -> None:
    """What it takes away was dropped when it was written, so what its signer wrote later need not wait for it."""
    fr.wire.answer = answering(Answer(404), Answer(202))
    taken_back = await fr.deletes(ANNA, fr.post().id, [personal(DE)])
    later = await fr.creates(targets=[personal(DE)])
    await settle(fr)

    assert {DE: "resting"} == await fr.states(taken_back)
    assert {DE: "done"} == await fr.states(later)


async def test_a_doctor_who_stays_away_is_given_up_after_a_day(fr: Parts) -> None:
    """Three tries over 24 hours, then the letter is dead and what was behind it goes."""
    fr.wire.answer = answering(Answer(410), Answer(410), Answer(410), Answer(202))
    gone = await fr.creates(targets=[personal(DE)])
    behind = await fr.creates(targets=[personal(DE)])
    for hours in (0, 6, 18):
        fr.clock.move(hours=hours)
        await settle(fr)

    assert {DE: "dead"} == await fr.states(gone)
    assert {DE: "done"} == await fr.states(behind)


async def test_one_doctors_key_trouble_does_not_keep_everybody_back(fr: Parts) -> None:
    """A 401 backs off the lane; the next probe is somebody else's message, and the lane opens again."""
    trouble = await fr.creates(ANNA, targets=[shared(DE)])

    async def answer(url: Uri, body: bytes) -> Answer:
        return Answer(401, "unknown_key") if body.decode() == trouble.id else Answer(202)

    fr.wire.answer = answer
    await settle(fr)
    fine = await fr.creates(BRUNO, targets=[shared(DE)])
    fr.clock.move(seconds=14)  # before the row's own hour, whatever the spread
    fr.clock.move(seconds=11)
    await settle(fr)

    assert {DE: "done"} == await fr.states(fine)
    assert (await fr.states(trouble))[DE] in ("resting", "waiting")


@pytest.mark.parametrize("hours", [1, 24, 7 * 24])
async def test_a_sibling_may_be_away_for_a_while(fr: Parts, hours: int) -> None:
    """F21: after an hour, a day or a week everything still arrives, in order."""
    fr.wire.answer = answering(Answer(0, "refused"))
    activities = [await fr.creates(targets=[shared(DE)]) for _ in range(3)]
    end = fr.clock.now.timestamp() + hours * 3_600
    while fr.clock.now.timestamp() < end:
        await settle(fr)
        fr.clock.move(minutes=31)
    fr.wire.posts.clear()
    fr.wire.answer = None
    fr.clock.move(hours=1)
    await settle(fr)

    assert [activity.id for activity in activities] == sent(fr)


async def test_after_thirty_days_all_but_erasures_is_dead_and_can_be_sent_again(fr: Parts) -> None:
    """F21: 31 days away: visible dead letters; the erasure is still tried, daily; sending again works."""
    fr.wire.answer = answering(Answer(0, "refused"))
    cases = [await fr.creates(targets=[shared(DE)]) for _ in range(3)]
    erasure = await fr.creates(targets=[shared(DE)], priority=0)
    await settle(fr)
    fr.clock.move(days=31)
    await settle(fr)
    states = [(await fr.states(case))[DE] for case in (*cases, erasure)]
    fr.wire.posts.clear()
    fr.clock.move(hours=2)
    within_the_day = await settle(fr)
    fr.clock.move(hours=23)
    await settle(fr)
    daily = sent(fr)
    fr.wire.answer = None
    number = await fr.queue.retry(origin=DE)
    fr.wire.posts.clear()
    await settle(fr)

    assert ["dead", "dead", "dead", "resting"] == states
    assert (0, [erasure.id]) == (within_the_day, daily)
    assert 3 == number
    assert [case.id for case in cases] == sent(fr)


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

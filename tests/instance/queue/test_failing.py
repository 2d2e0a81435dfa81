"""A sibling that does not answer, refuses or stays away: back-off, probes, and what becomes of the messages."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from federation.lanes import FULL_WIDTH
from federation.ports import Answer
from federation.uri import Uri
from federation.vocabulary import Follow
from tests.instance.parts import ANNA, BRUNO, DE, FR, IT, Parts, personal, shared
from tests.instance.queue.lanes import answering, contact_with, lane, sent, settle


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

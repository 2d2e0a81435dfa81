"""Status lists across instances: pushed, polled, announced, and what counts while they cannot be read."""

from __future__ import annotations

import asyncio
import itertools
from datetime import datetime, timedelta
from typing import Any

from federation.uri import Uri
from federation.vocabulary import Update
from federation.wire import Response
from tests.doorway import (
    a_comment,
    a_create,
    a_post,
    an_act,
    instance_key,
    kept,
    says,
    send_as_instance,
    send_signed,
    with_proof,
)
from tests.network.lists import (
    FOLDER,
    REVOCATION,
    SUSPENSION,
    UNREADABLE,
    altered,
    announcement,
    de,
    lists_are,
    no_post_reaches,
    posts_to,
    read_at,
    reinstate,
    standing,
    suspend,
    town,
    until,
)
from tests.network.scene import Visitor, profile_path, reads_of, without_trace
from tests.town import refused, rows
from verification import statuslist
from verification.statuslist import MIN_LENGTH, Purpose

__all__ = ["de", "town"]


# ── told, and not told ──


async def test_a_suspension_is_in_force_abroad_within_a_minute(town, anna, berta, fr):
    """Pushed: the row and the mark change before she says anything; her key opens nothing; her colleague goes on."""
    marie = await Visitor.of(await fr.doctor("marie"))
    shown = await marie.text(profile_path(anna, fr))
    begun = town.clock()
    await suspend(anna)
    await town.settle()
    there = await standing(fr, anna)

    assert ">verified<" in shown
    assert "suspended" == there
    assert ">verified<" not in await marie.text(profile_path(anna, fr))
    await without_trace(fr, lambda: says(anna, fr, a_create(anna)), 403, "suspended", reads=3)
    assert town.clock() - begun < timedelta(minutes=1)
    assert 202 == (await posts_to(berta, fr, "By her colleague")).status


async def test_a_push_that_cannot_be_followed_at_once_is_followed_within_a_minute(town, anna, de, fr):
    """The announcement arrives while the list cannot be read: it is asked for again after half a minute."""
    with lists_are(de, UNREADABLE):
        await suspend(anna)
        await town.settle()
        at_once = await standing(fr, anna)

    async def told() -> bool:
        return await standing(fr, anna) == "suspended"

    assert "ok" == at_once
    assert timedelta(minutes=1) > await until(town, fr, told, every=timedelta(seconds=10), most=timedelta(minutes=1))


async def test_a_suspension_of_which_no_message_arrives_is_in_force_within_twenty_minutes(town, anna, fr):
    """Polled: every POST is lost, and the list is read by itself."""
    town.clock.move(seconds=1)
    with no_post_reaches(fr):
        await suspend(anna)

        async def told() -> bool:
            return await standing(fr, anna) == "suspended"

        took = await until(town, fr, told, every=timedelta(minutes=1), most=timedelta(minutes=20))

    assert timedelta(0) < took < timedelta(minutes=20)
    await without_trace(fr, lambda: says(anna, fr, a_create(anna)), 403, "suspended", reads=3)


async def test_nobody_is_read_about_who_is_not_in_question(town, anna, fr):
    """The twin: without a change a poll reads the two lists and nothing else, and nobody loses anything."""
    await fr.node.workers.housekeep()  # new siblings are asked once what they hold of our log
    town.clock.move(minutes=16)
    contacts = len(town.contacts)
    await fr.node.workers.housekeep()

    made = town.contacts[contacts:]
    assert {f"https://de.example{REVOCATION}", f"https://de.example{SUSPENSION}"} == {one.url for one in made}
    assert "ok" == await standing(fr, anna)


async def test_a_reinstated_doctor_speaks_again_and_what_waited_arrives(town, anna, fr):
    """The bit is cleared; a new case is read; the withdrawal that was held while she was suspended takes effect."""
    slug = await anna.posts("To be withdrawn")
    await town.settle()
    town.down.add("fr")
    await anna.place.node.publishing.withdraw(anna.uri, slug)
    await town.settle()
    await suspend(anna)
    town.down.clear()
    town.clock.move(minutes=2)
    await town.settle()
    suspended = await standing(fr, anna), await fr.titles()
    town.clock.move(minutes=2)
    await reinstate(anna)
    await town.settle()
    await anna.posts("Back again")
    await town.settle()

    assert ("suspended", True) == (suspended[0], "To be withdrawn" in suspended[1])
    assert "ok" == await standing(fr, anna)
    assert "Back again" in await fr.titles()
    assert "To be withdrawn" not in await fr.titles()


async def test_a_reinstatement_of_which_no_message_arrives_is_seen_in_the_list(town, anna, fr):
    """A cleared bit gives the standing back, by the credential that is known."""
    await suspend(anna)
    await town.settle()
    with no_post_reaches(fr):
        await reinstate(anna)

        async def told() -> bool:
            return await standing(fr, anna) == "ok"

        await until(town, fr, told, every=timedelta(minutes=1), most=timedelta(minutes=20))

    assert 202 == (await posts_to(anna, fr, "Back again")).status


async def test_what_is_revoked_stays_revoked(town, anna, de, fr):
    """No order clears the bit: not a suspension that ends, not a reinstatement; and final is said before reversible."""

    async def revoked(tx: Any) -> None:
        assert await de.node.own_status.revoke(tx, anna.uri)

    await suspend(anna)
    await de.node.store.write(revoked)
    await town.settle()
    both = await standing(fr, anna)
    town.clock.move(minutes=2)
    await reinstate(anna)
    await town.settle()

    assert "revoked" == both
    assert "revoked" == await standing(fr, anna)
    assert [(1, 0)] == [tuple(row) for row in await rows(de.node, "select revoked, suspended from status_places")]
    await without_trace(fr, lambda: says(anna, fr, a_create(anna)), 403, "revoked", reads=3)


async def test_a_list_that_clears_a_revocation_clears_nothing_here(logged, town, anna, berta, de, fr):
    """Signed by its issuer or not, and also cut shorter: the bit stays, with an alarm; what is set besides counts."""
    long = statuslist.with_bit(statuslist.blank(2 * MIN_LENGTH), 2 * MIN_LENGTH - 1, True)

    async def revoked(tx: Any) -> None:
        assert await de.node.own_status.revoke(tx, anna.uri)

    await de.node.store.write(revoked)
    await town.settle()
    place = (await rows(de.node, f"select place from status_places where doctor = '{berta.uri}'"))[0]["place"]
    bits = {"long": long, "cleared": statuslist.with_bit(statuslist.blank(), place, True)}
    for each in bits.values():
        town.clock.move(minutes=16)
        with lists_are(de, await altered(de, Purpose.REVOCATION, town.clock(), each), Purpose.REVOCATION):
            await fr.node.directory.lists.poll_due()
    kept = fr.node.directory.lists()[Uri.parse(de.node.origin + REVOCATION)]
    noted = [(event["code"], event["level"]) for event in logged() if event["event"] == "status_list"]
    await fr.reopen()

    assert ("revoked", "revoked") == (await standing(fr, anna), await standing(fr, berta))
    assert kept.is_set(2 * MIN_LENGTH - 1)
    assert [("revocation_cleared", "error")] * 2 == noted
    assert kept == fr.node.directory.lists()[kept.id]
    await without_trace(fr, lambda: says(anna, fr, a_create(anna)), 403, "revoked", reads=3)


async def test_a_list_that_clears_a_suspension_clears_it(logged, town, anna, de, fr):
    """The neighbour: that one may end, and nobody is alarmed."""
    await suspend(anna)
    await town.settle()
    before = await standing(fr, anna)
    town.clock.move(minutes=16)
    with lists_are(de, await altered(de, Purpose.SUSPENSION, town.clock()), Purpose.SUSPENSION):
        await fr.node.directory.lists.poll_due()

    assert ("suspended", "ok") == (before, await standing(fr, anna))
    assert [] == [event for event in logged() if event["event"] == "status_list"]


# ── old lists ──


async def test_lists_of_a_day_are_enough_for_whom_we_know(town, anna, de, fr):
    """8.3, up to 24 hours: a known doctor goes on; whoever is new waits, and is heard when the lists can be read."""
    berta = await de.doctor("berta")
    with lists_are(de, UNREADABLE):
        town.clock.move(hours=23, minutes=50)
        known = await posts_to(anna, fr, "Known")
        new = await posts_to(berta, fr, "New")
        await town.settle()
        waiting = await fr.titles(), await kept(fr)
    town.clock.move(minutes=16)
    await fr.node.workers.housekeep()
    await town.settle()

    assert (202, 202) == (known.status, new.status)
    assert "Known" in waiting[0]
    assert "New" not in waiting[0]
    assert ("Create", "held") in waiting[1]
    assert "New" in await fr.titles()
    assert ("Create", "held") not in await kept(fr)


async def test_who_was_suspended_meanwhile_is_not_heard_when_the_lists_come_back(town, anna, de, fr):
    """The twin: what waited for the lists is refused where they speak against its author."""
    berta = await de.doctor("berta")
    with lists_are(de, UNREADABLE):
        town.clock.move(hours=1)
        await posts_to(berta, fr, "New")
        await town.settle()
    with no_post_reaches(fr):
        await suspend(berta)
        town.clock.move(minutes=16)
        await fr.node.workers.housekeep()
        await town.settle()

    assert "New" not in await fr.titles()
    assert ("Create", "refused") in await kept(fr)


async def test_lists_older_than_a_day_say_nothing(town, anna, de, fr):
    """8.3, beyond 24 hours: come back later, whoever you are; read again, everything is as before."""
    with lists_are(de, UNREADABLE):
        town.clock.move(hours=24, minutes=1)
        answer = await without_trace(fr, lambda: says(anna, fr, a_create(anna)), 503, "status_hard_stale", reads=None)
    town.clock.move(seconds=11)
    healed = await posts_to(anna, fr, "Healed")

    assert "900" == answer.headers["retry-after"]
    assert 202 == healed.status
    assert "Healed" in await fr.titles()


async def test_lists_read_by_a_clock_that_was_ahead_shut_nobody_out(town, anna, de, fr):
    """Read while the clock was two hours ahead, they say nothing once it is right; they are read anew, and all is well."""
    berta = await de.doctor("berta")
    town.clock.move(hours=2)
    await fr.node.directory.lists.poll_due()
    town.clock.move(hours=-2)
    await fr.node.directory.lists.poll_due()
    healed = await posts_to(berta, fr, "Healed")

    assert 202 == healed.status
    assert "Healed" in await fr.titles()


async def test_lists_that_were_never_read_say_nothing(town, de, fr):
    """A first contact while the lists cannot be read, and none is kept: 503, and 202 when they can."""
    anna = await de.doctor("anna")
    with lists_are(de, UNREADABLE):
        answer = await without_trace(fr, lambda: says(anna, fr, a_create(anna)), 503, "status_unknown", reads=None)
    town.clock.move(minutes=2)
    healed = await posts_to(anna, fr, "Healed")

    assert 202 == healed.status
    assert "Healed" in await fr.titles()
    assert int(answer.headers["retry-after"]) in range(27, 44)  # 30 s give or take a quarter, and the reading


async def test_lists_that_were_never_read_are_asked_for_until_they_answer(town, de, fr):
    """8.3: whoever was told to wait comes back to lists that were read meanwhile, and waits no quarter of an hour."""
    anna = await de.doctor("anna")
    with lists_are(de, UNREADABLE):
        first = await posts_to(anna, fr, "Too early")
        town.clock.move(seconds=int(first.headers["retry-after"]))
        await fr.node.directory.lists.poll_due()
        again = await posts_to(anna, fr, "Too early still")
    waited = int(again.headers["retry-after"])
    read_before = len(await read_at(fr))
    town.clock.move(seconds=waited)
    await fr.node.directory.lists.poll_due()
    read = len(town.contacts)
    await fr.node.directory.lists.poll_due()

    assert [503, 503] == [first.status, again.status]
    assert 45 <= waited <= 80  # twice as long as at first
    assert 0 == read_before
    assert 2 == len(fr.node.directory.lists())
    assert read == len(town.contacts)
    town.clock.move(minutes=1)
    assert 202 == (await posts_to(anna, fr, "In time")).status


async def test_lists_that_are_not_there_are_not_asked_for_again(town, de, fr):
    """The twin: an issuer that answers has said what there is; nobody is told to come back before the quarter."""
    anna = await de.doctor("anna")
    with lists_are(de, Response(404, {}, b"")):
        answer = await posts_to(anna, fr, "Nothing")
        town.clock.move(minutes=1)
        before = len(town.contacts)
        await fr.node.directory.lists.poll_due()

    assert (503, "900") == (answer.status, answer.headers["retry-after"])
    assert before == len(town.contacts)


async def test_whoever_is_removed_is_asked_for_no_lists(town, de, fr):
    """What was waited for of a sibling is forgotten with it."""
    anna = await de.doctor("anna")
    with lists_are(de, UNREADABLE):
        await posts_to(anna, fr, "Too early")
    await fr.node.siblings.remove(de.node.origin, by="test", reason="test")
    town.clock.move(minutes=2)
    before = len(town.contacts)
    await fr.node.directory.lists.poll_due()

    assert before == len(town.contacts)
    assert None is fr.node.directory.lists.seconds_to_next(de.node.origin)


async def test_a_bit_counts_however_old_its_list_is(town, anna, de, fr):
    """Who is suspended stays it while the lists cannot be read: never a 503 in its place, never an accept."""
    await suspend(anna)
    await town.settle()
    with lists_are(de, UNREADABLE):
        for hours in (1, 24, 72):
            town.clock.move(hours=hours)
            await without_trace(fr, lambda: says(anna, fr, a_create(anna)), 403, "suspended", reads=None)


async def test_after_a_failure_a_list_is_asked_for_less_and_less(town, anna, de, fr):
    """30 seconds, doubled, a quarter more or less, up to a quarter of an hour."""
    asked: list[datetime] = []
    step = timedelta(seconds=1)
    with lists_are(de, UNREADABLE):
        while len(asked) < 9:
            before = reads_of(town, REVOCATION)
            await fr.node.directory.lists.poll_due()
            if reads_of(town, REVOCATION) > before:
                asked.append(town.clock())
            town.clock.now += step
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]

    usual = [min(timedelta(seconds=30 * 2**n), timedelta(minutes=15)) for n in range(len(gaps))]
    assert all(0.75 * wait <= gap <= min(1.25 * wait, timedelta(minutes=15)) + step
               for gap, wait in zip(gaps, usual, strict=True)), gaps  # fmt: skip


async def test_young_lists_are_not_read_again_for_a_message(town, anna, de, fr):
    """A verdict lapses after a quarter of an hour; where the lists were read since, they are not read once more."""
    town.clock.move(minutes=15)
    await fr.node.workers.housekeep()
    town.clock.move(minutes=5)
    before = reads_of(town, FOLDER)
    answer = await posts_to(anna, fr, "Later")

    assert 202 == answer.status
    assert before == reads_of(town, FOLDER)


# ── announcements ──


async def test_nobody_but_the_issuer_announces_its_lists(town, tmp_path, anna, de, fr):
    """A doctor of its own, and another sibling: refused, and nothing is read for them; the issuer itself is heard."""
    it = await town.add(tmp_path, "it")
    await fr.admits(it)
    await it.admits(fr)
    address = Uri.parse(de.node.origin + SUSPENSION)
    before = reads_of(town, FOLDER)
    await without_trace(fr, lambda: says(anna, fr, an_act(anna, Update, object=address)), 403, "not_the_owner", reads=0)
    await without_trace(fr, lambda: send_as_instance(it, fr, announcement(it, of=de)), 403, "foreign_origin", reads=1)
    unmoved = reads_of(town, FOLDER)
    told = await send_as_instance(de, fr, announcement(de))

    assert before == unmoved
    assert 202 == told.status
    assert before + 2 == reads_of(town, FOLDER)


async def test_a_list_nobody_here_stands_in_is_not_read(town, de, fr):
    """The announcement is taken, and nothing is done: whoever of that home comes first has both lists read."""
    contacts = len(town.contacts)
    told = await send_as_instance(de, fr, announcement(de))
    await town.settle()
    made = town.contacts[contacts:]

    assert 202 == told.status
    assert [("Update", "applied")] == await kept(fr)
    assert [] == [contact for contact in made if FOLDER in contact.url]
    assert {} == dict(fr.node.directory.lists())


async def test_seven_announcements_a_minute_are_six_reads_and_none_is_lost(town, anna, de, fr):
    """A sibling that cries wolf is read at six times a minute; what it said last takes effect within 20 seconds."""
    before = reads_of(town, SUSPENSION)
    for _ in range(6):
        town.clock.move(seconds=1)
        await send_as_instance(de, fr, announcement(de))
    await suspend(anna)
    await town.settle()
    six, at_once = reads_of(town, SUSPENSION) - before, await standing(fr, anna)

    async def told() -> bool:
        return await standing(fr, anna) == "suspended"

    assert (6, "ok") == (six, at_once)
    assert timedelta(seconds=20) >= await until(town, fr, told, every=timedelta(seconds=5), most=timedelta(seconds=21))


async def test_an_announcement_during_a_read_is_followed_by_another(town, anna, de, fr):
    """What is on its way was written before the change: it does not stand for the answer to the announcement."""
    true, begun, release = de.request, asyncio.Event(), asyncio.Event()

    async def slow(method: str, target: str, headers: Any, body: bytes = b"") -> Response:
        answer = await true(method, target, headers, body)
        if target == SUSPENSION and not begun.is_set():
            begun.set()
            await release.wait()
        return answer

    de.request = slow  # type: ignore[method-assign]
    town.clock.move(minutes=16)
    poll = asyncio.create_task(fr.node.directory.lists.poll_due())
    await begun.wait()
    await suspend(anna)
    told = asyncio.create_task(fr.node.directory.lists.announced(de.node.origin))
    for _ in range(20):
        await asyncio.sleep(0)  # until it waits for the read that is under way
    release.set()
    await asyncio.gather(poll, told)

    assert "suspended" == await standing(fr, anna)


async def test_a_forwarded_author_whose_lists_are_too_old_is_asked_about_later(town, tmp_path, anna, de, fr):
    """The forwarder is told that the author's home is away, not that its own standing is in doubt."""
    it = await town.add(tmp_path, "it")
    for one, other in ((fr, it), (de, it), (it, fr), (it, de)):
        await one.admits(other)
    luca = await it.doctor("luca")
    await says(luca, fr, a_create(luca))
    town.clock.move(hours=25)
    await says(anna, fr, a_create(anna, post := a_post(anna)))
    body = await with_proof(luca, a_create(luca, a_comment(luca, post.id)))
    with lists_are(it, UNREADABLE):
        passed_on = await send_signed(fr, body, await instance_key(de))
        own = await says(luca, fr, a_create(luca))
    town.clock.move(seconds=11)
    healed = await send_signed(fr, body, await instance_key(de))

    assert (503, "author_away") == refused(passed_on)
    assert (503, "status_hard_stale") == refused(own)
    assert 202 == healed.status

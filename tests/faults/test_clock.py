"""F26, A132: clocks that are wrong, and clocks that jump."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from federation.signatures import http_date
from instance import commands, ids, ops
from tests.doorway import a_create, says
from tests.faults.test_scripted_sibling import Scripted, facing
from tests.network.converging import differences
from tests.town import MovedClock, Network, refused, rows

pytestmark = pytest.mark.faults


async def two_clocks(tmp_path, hours: float) -> tuple[Network, MovedClock, MovedClock]:
    """France and Germany, whose clock is that many hours ahead once they know each other."""
    here, there = MovedClock(), MovedClock()
    town = Network(here)
    await town.add(tmp_path, "fr")
    town.clock = there
    await town.add(tmp_path, "de")
    await town["fr"].admits(town["de"])
    await town["de"].admits(town["fr"])
    there.move(hours=hours)
    return town, here, there


@pytest.mark.parametrize("hours", [2, -2])
async def test_a_sibling_with_a_wrong_clock_waits_with_an_alarm_and_loses_nothing(tmp_path, hours):
    """F26: two hours ahead or behind: refused as stale, the lane waits with an alarm; once mended all arrives, once."""
    town, here, there = await two_clocks(tmp_path, hours)
    marie = await town["fr"].doctor("marie")
    await marie.posts("In time")
    await town.settle()
    (lane,) = (await town["fr"].node.queue.overview())["lanes"]

    assert "stale" == lane["alarm"]
    assert [] == await town["de"].titles()

    there.now = here.now
    for clock in (here, there):
        clock.move(hours=1)
    await town.settle()
    assert ["In time"] == await town["de"].titles()
    await town.close()


async def test_a_clock_set_back_while_a_lane_waits_does_not_keep_it_waiting(network):
    """F26, P2: a step of two hours back during the back-off: still at least one try an hour."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    town.clock.move(days=1)
    town.down.add("de")
    await marie.posts("Late")
    await town.settle()
    town.down.clear()
    town.clock.move(hours=-2)
    for _ in range(3):
        await town.settle()
        town.clock.move(minutes=25)
    await town.settle()

    assert ["Late"] == await town["de"].titles()


async def test_a_clock_set_back_while_a_message_rests_does_not_keep_it_resting(tmp_path):
    """F26, P2: our own clock was two hours ahead, the message was refused as stale and rests; once mended it is sent."""
    town, here, there = await two_clocks(tmp_path, 0)
    marie = await town["fr"].doctor("marie")
    here.move(hours=2)
    await marie.posts("Late")
    await town.settle()
    rested = [(row["state"], row["last_code"]) for row in (await town["fr"].node.queue.overview())["rows"]]
    here.now = there.now
    for clock in (here, there):
        clock.move(seconds=30)
    await town.settle()

    assert [("resting", "stale")] == rested
    assert ["Late"] == await town["de"].titles()
    await town.close()


async def test_a_message_that_rests_is_not_hurried_by_a_small_step(tmp_path):
    """The twin: what is to rest for hours rests, also where the clock is put right by half a minute."""
    scripted = Scripted(500)
    async with facing(tmp_path, scripted) as (node, marie):
        await marie.posts("Sent")
        await node.workers.run_until_quiet()
        for seconds in (-30, 15):
            node.clock.move(seconds=seconds)
            await node.workers.run_until_quiet()

        assert 1 == scripted.posts
        assert ["resting"] == [row["state"] for row in (await node.queue.overview())["rows"]]


async def test_a_clock_set_back_does_not_stop_the_reading_of_status_lists(network):
    """F26: lists whose reading was planned for hours ahead are read when a quarter of an hour is over all the same."""
    town = await network("fr", "de")
    anna, lists = await town["de"].doctor("anna"), town["fr"].node.directory.lists
    await anna.posts("First contact")
    await town.settle()
    town.clock.move(hours=2)
    await lists.poll_due()
    town.clock.move(hours=-2)
    await lists.poll_due()
    read = sum("/vc/status/" in contact.url for contact in town.contacts)
    await lists.poll_due()

    assert 2 * 2 + 2 == read
    assert read == sum("/vc/status/" in contact.url for contact in town.contacts)


async def test_what_is_written_after_a_restart_comes_after_what_was_written_before(network, monkeypatch):
    """F26, F1: written with a clock two hours ahead, then restarted with the right one: still sent in the order written."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    town.down.add("de")
    town.clock.move(hours=2)
    await marie.posts("First")
    await town.settle()
    town.clock.move(hours=-2)
    monkeypatch.setattr(ids, "_last", 0)  # what a new process knows of the old one's
    await town["fr"].reopen()
    marie.place = town["fr"]
    await marie.posts("Second")
    town.down.clear()
    town.clock.move(minutes=2)
    await town.settle()

    assert ["First", "Second"] == [
        row["title"] for row in await rows(town["de"].node, "select title from posts order by rowid")
    ]


async def test_an_hour_is_told_as_it_is_kept(network):
    """However long the writing takes, and whatever the clock does meanwhile: siblings are told the time that stands here."""
    town = await network("fr", "de")
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await anna.posts("Asked")
    await town.settle()
    (asked,) = await rows(town["fr"].node, "select uri from posts")
    true = town["fr"].node.clock
    town["fr"].node.clock = Hurried(true.now)
    await marie.posts("Told")
    await marie.comments(asked["uri"], "Answered")
    town["fr"].node.clock = true
    await town.settle()

    assert {"Told", "Asked"} == set(await town["de"].titles())
    assert [] == await differences(town)


class Hurried(MovedClock):
    """A clock that is three seconds later whenever it is looked at."""

    def __call__(self) -> datetime:
        """The time."""
        self.move(seconds=3)
        return self.now


async def test_a_clock_set_back_makes_no_replay_count(network):
    """F26: an old message is of now again; it is taken, and has no second effect, whatever was forgotten."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    town.clock.move(days=1)
    await marie.posts("First contact")
    await town.settle()
    create = a_create(marie)
    assert 202 == (await says(marie, town["de"], create)).status
    await town["fr"].node.publishing.withdraw(marie.uri, await marie.posts("Other"))
    town.clock.move(hours=2)
    assert (401, "stale") == refused(await says(marie, Past(town["de"], hours=2), create))
    town.clock.move(hours=-2)
    await town["de"].reopen()

    assert 202 == (await says(marie, town["de"], create)).status
    assert 1 == (await town["de"].titles()).count("Made-up case")


class Past:
    """A place to which messages are signed as of hours ago."""

    def __init__(self, place, hours: float) -> None:
        self._place = place
        clock = MovedClock(place.node.clock.now)
        clock.move(hours=-hours)
        self.node = type("Then", (), {"origin": place.node.origin, "clock": staticmethod(clock)})()

    async def request(self, *values):
        """Call the place itself."""
        return await self._place.request(*values)


@pytest.mark.parametrize("seconds", [61, -75, 7_200, -7_200])
async def test_a_clock_that_is_off_is_told_to_the_administrator(tmp_path, logged, seconds):
    """F26: more than a minute from a sibling's clock: logged once an hour, counted, and in `check`, with the sibling."""
    scripted = Scripted()
    async with facing(tmp_path, scripted) as (node, marie):
        scripted.headers = _date(node.clock() + timedelta(seconds=seconds))
        for number in range(3):
            await marie.posts(f"Sent {number}")
            await node.workers.run_until_quiet()
        told = [event for event in logged() if event["event"] == "clock_skew"]
        found = await commands.check(node)
        (origin,) = {sibling.origin for sibling in node.allowlist()}

        assert [(origin, seconds * 1000, "warning")] == [(one["sibling"], one["ms"], one["level"]) for one in told]
        assert f"esanum_clock_skew_seconds {float(abs(seconds))}" in node.metrics.render().decode()
        assert [f"the clock of {origin} is {abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} ours"] == [
            one.removeprefix("warning: ").partition(";")[0] for one in found["findings"] if "the clock of" in one
        ]

        node.clock.move(hours=1)
        scripted.headers = _date(node.clock() + timedelta(seconds=seconds))
        await marie.posts("An hour later")
        await node.workers.run_until_quiet()
        assert 2 == [event["event"] for event in logged()].count("clock_skew")


@pytest.mark.parametrize("seconds", [0, 59, -60])
async def test_a_clock_that_is_right_or_mended_is_nobodys_concern(tmp_path, logged, seconds):
    """The twin: within a minute nothing is said; what was said before is taken back."""
    scripted = Scripted()
    async with facing(tmp_path, scripted) as (node, marie):
        for off in (300, seconds):
            scripted.headers = _date(node.clock() + timedelta(seconds=off))
            await marie.posts(f"Sent {off}")
            await node.workers.run_until_quiet()
        found = await commands.check(node)

        assert 1 == [event["event"] for event in logged()].count("clock_skew")
        assert "esanum_clock_skew_seconds 0.0" in node.metrics.render().decode()
        assert not any("the clock of" in one for one in found["findings"])


async def test_the_clock_of_a_sibling_that_was_removed_is_nobodys_concern(tmp_path):
    """Nothing can be mended there any more: neither `check` nor the series goes on telling of it."""
    scripted = Scripted()
    async with facing(tmp_path, scripted) as (node, marie):
        scripted.headers = _date(node.clock() + timedelta(seconds=300))
        await marie.posts("Sent")
        await node.workers.run_until_quiet()
        assert "esanum_clock_skew_seconds 300.0" in node.metrics.render().decode()
        (origin,) = {sibling.origin for sibling in node.allowlist()}
        await node.siblings.remove(origin, by="test", reason="test")
        await ops.count(node)
        found = await commands.check(node)

        assert "esanum_clock_skew_seconds 0.0" in node.metrics.render().decode()
        assert not any("the clock of" in one for one in found["findings"])


@pytest.mark.parametrize("text", ["", "soon", "Mon, 23 Nov 2026 12:00:00", "Mon, 99 Nov 2026 12:00:00 GMT", "0", "é"])
async def test_an_answer_that_tells_no_time_says_nothing_of_a_clock(tmp_path, text):
    """A Date that cannot be read is no alarm and no fault; the message is delivered all the same."""
    scripted = Scripted(headers=f"Date: {text}\r\n")
    async with facing(tmp_path, scripted) as (node, marie):
        await marie.posts("Sent")
        await node.workers.run_until_quiet()

        assert [] == node.clocks.findings()
        assert [("done", 1)] == [(row["state"], row["number"]) for row in (await node.queue.overview())["counts"]]


def _date(moment: datetime) -> str:
    return f"Date: {http_date(moment)}\r\n"

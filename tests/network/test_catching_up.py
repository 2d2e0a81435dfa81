"""Logs by number: what was lost on the way is found out and read where it was said (P2, P3, P7, P10, F21, F27)."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from federation import catch_up
from federation.wire import Response
from tests.doorway import reads
from tests.network.converging import differences
from tests.network.living import Life
from tests.network.scene import Liar, home_uri
from tests.town import Network, Place, rows


async def converge(town: Network, rounds: int = 8) -> list[str]:
    """Let everybody catch up until nobody differs; return what is left."""
    left: list[str] = []
    for _ in range(rounds):
        await town.catch_up(minutes=62)
        left = await differences(town)
        if not left:
            return []
    return left


async def test_a_lost_message_is_found_by_its_number(town: Network) -> None:
    """P2, N34: what vanished though it was accepted is read in the log a minute after the next has come; once."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("One")
    await town.settle()
    await town.catch_up()
    town.swallows = lambda method, url, body: method == "POST" and "de.example" in url
    await marie.posts("Two")
    await town.settle()
    town.swallows = lambda *_: False
    await marie.posts("Three")
    await town.settle()
    before = await town["de"].titles()
    await town["de"].node.catching_up.poll_due()
    at_once = await town["de"].titles()
    await town.catch_up()

    assert {"One", "Three"} == set(before) == set(at_once)
    assert ["One", "Three", "Two"] == sorted(await town["de"].titles())
    assert [] == await differences(town)
    assert {3} == {
        row["mark"] for row in await rows(town["de"].node, "select mark from sibling_logs where origin like '%fr%'")
    }
    read = len(town.contacts)
    await town.catch_up()
    assert read == len(town.contacts)


async def test_who_cannot_be_heard_yet_is_heard_in_order(town: Network) -> None:
    """P4: her first words are put off, her page being away; her second, read a moment later, do not overtake them.

    The twin: what somebody else said meanwhile is taken in, and so is what she has taken back.
    """
    fr, de = town["fr"], town["de"]
    marie, rosa = await fr.doctor("marie"), await fr.doctor("rosa")
    town.swallows = lambda method, url, body: method == "POST" and "de.example" in url
    await marie.posts("One")
    gone = await marie.posts("Gone")
    await marie.posts("Two")
    await rosa.posts("Other")
    await town.settle()
    await fr.node.publishing.withdraw(marie.uri, gone)
    await town.settle()
    town.swallows = lambda *_: False
    asked: list[bool] = []

    def away_at_first(true: dict[str, Any]) -> Any:
        asked.append(not asked)
        town.clock.move(minutes=2)  # whoever was away is asked again
        return Response(503, {}, b"") if asked[-1] else true

    liar = Liar(fr, "/doctors/marie", away_at_first)
    await de.node.catching_up.poll_due()
    first = await in_order(de)
    liar.honest()
    await converge(town)

    assert asked[:1] == [True]
    assert ["Other"] == first
    assert ["Other", "One", "Two"] == await in_order(de)


async def in_order(place: Place) -> list[str]:
    """The titles in the order in which they came."""
    return [row["title"] for row in await rows(place.node, "select title from posts order by rowid")]


async def test_the_checker_names_what_differs(town: Network) -> None:
    """A post that vanished is named, with both ends; the twin, a town at rest, has nothing to name."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("One")
    await town.settle()
    at_rest = await differences(town)
    town.swallows = lambda method, url, body: method == "POST" and "de.example" in url
    slug = await marie.posts("Two")
    await town.settle()

    assert [] == at_rest
    assert [f"fr▸de post {home_uri(town['fr'], slug)} is missing"] == await differences(town)


@pytest.mark.parametrize("seed", range(3))
async def test_a_town_that_loses_one_message_in_twenty_converges(town: Network, seed: int) -> None:
    """F14, F15, P3: five in a hundred vanish; afterwards nobody differs, and nothing is there twice."""
    life, lost, chance = Life(town, seed), [], Random(seed)
    await life.begin()
    await town.catch_up()

    def swallows(method: str, url: str, body: bytes) -> bool:
        gone = method == "POST" and chance.random() < 0.05
        lost.extend([url] * gone)
        return gone

    town.swallows = swallows
    await life.goes_on(120)
    town.swallows = lambda *_: False
    unequal = await differences(town)

    assert lost
    assert unequal
    assert [] == await converge(town)


async def test_a_sibling_that_was_away_for_a_month_converges(town: Network) -> None:
    """F21, P2: 31 days away, every letter to it is dead; it comes back and reads what it missed, erasures among it."""
    life = Life(town, 7)
    await life.begin()
    await life.goes_on(40)
    town.down.add("de")
    await life.goes_on(60, without=("de",))
    for _ in range(31 * 4):
        town.clock.move(hours=6)
        await town.settle()
    dead = (await town["fr"].node.queue.overview(state="dead"))["rows"]
    town.down.clear()

    assert dead
    assert [] == await converge(town)
    await town.catch_up(minutes=62)
    # What was given up has come by log; only what was refused for its content is a dead letter still.
    left = (await town["fr"].node.queue.overview(state="dead"))["rows"]
    assert [] == [row["activity"] for row in left if row["last_code"] == "gave_up"]


async def test_a_page_is_no_larger_than_its_reader_takes(town: Network) -> None:
    """Texts that grow by being written as texts: page by page they are counted as they are written, and all come."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("First")
    await town.settle()
    await town.catch_up()
    town.swallows = lambda method, url, body: method == "POST" and "de.example" in url
    titles = {f"Paths {number}" for number in range(9)}
    for title in sorted(titles):
        await marie.posts(title, text="\\" * 18_000)
        await town.settle()
    town.swallows = lambda *_: False
    page = await reads(town["de"], town["fr"], "/siblings/de.example/log/1")
    await town.catch_up(minutes=62)

    assert len(page.body) < catch_up.PAGE_BYTES + 4_096
    assert {"First", *titles} == set(await town["de"].titles())
    assert [] == await differences(town)


async def test_what_a_sibling_kept_is_shown_a_page_at_a_time(town: Network) -> None:
    """The same for what it received: one entry at least, and never more than a page."""
    marie = await town["fr"].doctor("marie")
    for number in range(9):
        await marie.posts(f"Paths {number}", text="\\" * 18_000)
    await town.settle()
    row = (await rows(town["de"].node, "select epoch from received where origin like '%fr.%'"))[0]
    answer = await reads(town["fr"], town["de"], f"/siblings/fr.example/received/{row['epoch']}/0")
    last, kept = catch_up.read_received(json.loads(answer.body), 0)

    assert len(answer.body) < catch_up.PAGE_BYTES + 4_096
    assert 0 < len(kept) < last


@pytest.mark.parametrize("kept", [{"last": -1, "entries": 7}, {}])
async def test_whoever_shows_nonsense_of_ours_is_heard_all_the_same(town: Network, kept: dict[str, Any]) -> None:
    """What it received of us cannot be read: its own log is read, and what was lost comes."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("One")
    await town.settle()
    await town["de"].reopen()
    town.swallows = lambda method, url, body: method == "POST" and "de.example" in url
    await marie.posts("Two")
    await town.settle()
    town.swallows = lambda *_: False
    epoch = town["de"].node.logs.epoch
    ends = await town["de"].node.store.one("logs.ends", origin=town["fr"].node.origin)
    after = int(ends["last_number"]) if ends is not None else 0
    answer = Response(200, {"content-type": "application/json"}, json.dumps(kept).encode())
    Liar(town["fr"], f"/siblings/de.example/received/{epoch}/{after}", lambda _: answer)
    await town["de"].node.catching_up.poll_due()

    assert {"One", "Two"} == set(await town["de"].titles())

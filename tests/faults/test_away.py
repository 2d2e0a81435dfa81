"""F21, F22: a sibling is away for an hour, a day, a week, a month; then it comes back to what has gathered."""

from __future__ import annotations

from itertools import groupby

import pytest

from tests.town import Network, rows

pytestmark = pytest.mark.faults
#: Milliseconds that pass with each message: five hundred a second, more than any instance sends.
EACH = 2


@pytest.mark.parametrize(("hours", "step"), [(1, 0.1), (24, 0.5), (7 * 24, 1)])
async def test_a_sibling_that_comes_back_gets_everything(network, hours, step):
    """F21, P2: down for an hour, a day, a week; at least one try an hour; within an hour of its return all is there."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    town.down.add("de")
    await marie.posts("While you were away")
    longest = await _wait(town, hours, step)
    town.down.clear()
    await _wait(town, 1.1, 0.1)

    assert longest <= 1 + step
    assert ["While you were away"] == await town["de"].titles()


async def test_after_a_month_the_letter_is_dead_and_can_be_sent_again(network):
    """F21, P2: after 31 days a dead letter that the administrator sees; sent again, it arrives, once."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    town.down.add("de")
    await marie.posts("Long ago")
    await _wait(town, 31 * 24, 4)
    queue = town["fr"].node.queue
    listed = (await queue.overview())["rows"]

    assert [("dead", "gave_up")] == [(row["state"], row["last_code"]) for row in listed]
    assert [] == await town["de"].titles()

    town.down.clear()
    assert 1 == await queue.retry(origin=town["de"].node.origin)
    await town.settle()
    assert ["Long ago"] == await town["de"].titles()
    assert [] == (await queue.overview())["rows"]


@pytest.mark.parametrize("number", [300, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_what_has_gathered_is_drained_in_order(network, number):
    """F22, P6: thousands wait when a sibling returns: each author's in order, none lost or doubled, no 429, 20/s."""
    town = await network("fr", "de")
    authors = [await town["fr"].doctor(f"author{one}") for one in range(10)]
    town.down.add("de")
    for count in range(number):
        if count and count % 290 == 0:
            town.clock.move(hours=1)
        await authors[count % 10].posts(f"{count:06}")
    await town.settle()
    town.down.clear()
    town.contacts.clear()
    town.clock.move(hours=1)
    began = town.clock()
    town.loses = lambda *_: town.clock.move(milliseconds=EACH)
    await town.settle()

    assert number == len(await town["de"].titles())
    assert number / 20 >= (town.clock() - began).total_seconds()
    came = await rows(town["de"].node, "select author, title from posts order by author, slug")
    for _, posts in groupby(came, key=lambda row: row["author"]):
        in_order = [row["title"] for row in posts]
        assert sorted(in_order) == in_order
    posted = [contact.status for contact in town.contacts if contact.method == "POST"]
    assert [202] * number == posted


async def _wait(town: Network, hours: float, step: float) -> float:
    """Let time pass; return the longest stretch without a knock, in hours."""
    stretch = longest = 0.0
    for _ in range(round(hours / step)):
        town.clock.move(hours=step)
        stretch += step
        town.contacts.clear()
        await town.settle()
        if any(contact.method == "POST" for contact in town.contacts):
            longest, stretch = max(longest, stretch), 0.0
    return max(longest, stretch)

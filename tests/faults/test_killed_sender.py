"""F1, F5: the sender is killed, or told to stop, while it publishes and delivers."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

import pytest

from tests.faults.countries import Country, titles, until
from tests.faults.writing import Writers

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]

AUTHORS, EACH = 40, 25


@pytest.mark.parametrize("kills", [24, pytest.param(50, marks=pytest.mark.slow)])
async def test_nothing_is_lost_or_doubled_when_the_sender_is_killed(countries, kills):
    """F1, P1, P3: SIGKILL at random instants during 1,000 posts to two siblings: each is at both, once."""
    fr, de, it = await countries("fr", "de", "it", authors=AUTHORS)
    writers = await asyncio.to_thread(_write_while_killing, fr, [de, it], kills)

    expected = dict.fromkeys(writers.ledger.sent, 1)
    assert AUTHORS * EACH == len(writers.ledger.acknowledged)
    assert [] == writers.ledger.strange
    assert expected == Counter(titles(fr))
    assert expected == Counter(titles(de))
    assert expected == Counter(titles(it))
    posts = "activity in (select uri from activities where type = 'Create')"
    assert 2 * AUTHORS * EACH == fr.number(f"select count(*) from deliveries where state = 'done' and {posts}")


def _write_while_killing(sender: Country, receivers: list[Country], most: int) -> Writers:
    chance = random.Random(2_026)
    for country in (sender, *receivers):
        country.start()
    for country in (sender, *receivers):
        country.until_ready()
    # Fewer hands for more kills, so that there is still something to write at the last.
    writers = Writers(sender, posts_each=EACH, browsers=4 if most < 50 else 1)
    writers.start()
    kills = 0
    while not (writers.done and _drained(sender)):
        time.sleep(chance.uniform(0.02, 0.5 if most < 50 else 0.3))
        if kills < most:
            kills += 1
            sender.kill()
            sender.start()
            sender.until_ready()
    assert kills >= (15 if most < 50 else most)
    return writers


async def test_a_stop_under_load_loses_nothing(countries):
    """F5: SIGTERM under load ends the process within ten seconds; after the restart everything arrives, once."""
    fr, de = await countries("fr", "de", authors=8)
    writers, stops = await asyncio.to_thread(_write_while_stopping, fr, de)

    assert [0, 0, 0] == [status for status, _ in stops]
    assert max(seconds for _, seconds in stops) <= 10
    assert Counter(writers.ledger.sent) == Counter(titles(de))
    assert [] == writers.ledger.strange


def _write_while_stopping(sender: Country, receiver: Country) -> tuple[Writers, list[tuple[int, float]]]:
    for country in (sender, receiver):
        country.start()
        country.until_ready()
    writers, stops = Writers(sender, posts_each=25), []
    writers.start()
    for _ in range(3):
        time.sleep(0.7)
        stops.append(sender.stop())
        sender.start()
        sender.until_ready()
    until(lambda: writers.done and _drained(sender))
    return writers, stops


def _drained(sender: Country) -> bool:
    return sender.number("select count(*) from deliveries where state <> 'done'") == 0

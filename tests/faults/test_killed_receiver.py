"""F2, F3: a receiver is killed before the commit, between commit and answer, and at random instants."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

import pytest

from tests.faults.countries import Country, titles, until
from tests.faults.writing import Writers

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]

IMPATIENT = "tests.faults.impatient"


async def test_nothing_is_lost_or_doubled_when_a_receiver_is_killed(countries):
    """F2, F3, P1, P3: SIGKILL of one receiver at random instants while posts arrive: each is there, once."""
    fr, de, it = await countries("fr", "de", "it", authors=20)
    writers, kills = await asyncio.to_thread(_write_while_killing, fr, de, it)

    expected = dict.fromkeys(writers.ledger.sent, 1)
    assert 5 <= kills
    assert [] == writers.ledger.strange
    assert expected == Counter(titles(de))
    assert expected == Counter(titles(it))
    assert 20 * 20 == de.number("select count(*) from inbound where type = 'Create'")


def _write_while_killing(sender: Country, victim: Country, other: Country) -> tuple[Writers, int]:
    chance, kills = random.Random(7), 0
    sender.start(script=IMPATIENT)
    for country in (victim, other):
        country.start()
    for country in (sender, victim, other):
        country.until_ready()
    writers = Writers(sender, posts_each=20)
    writers.start()
    while not (writers.done and _drained(sender)):
        time.sleep(chance.uniform(0.05, 0.8))
        if kills < 10:
            kills += 1
            victim.kill()
            victim.start()
            victim.until_ready()
    return writers, kills


@pytest.mark.parametrize("failpoint", ["before_commit", "after_commit"])
async def test_the_worst_moment_costs_one_more_attempt(countries, failpoint):
    """F2, F3: killed with the transaction open, or with the answer unsent: sent again, one effect."""
    fr, de = await countries("fr", "de", authors=4)
    writers = await asyncio.to_thread(_write_into_a_failpoint, fr, de, failpoint)

    assert Counter(writers.ledger.sent) == Counter(titles(de))
    assert 40 == de.number("select count(*) from inbound where type = 'Create' and state = 'applied'")


def _write_into_a_failpoint(sender: Country, victim: Country, failpoint: str) -> Writers:
    sender.start(script=IMPATIENT)
    victim.start(script="tests.faults.failpoints", FAILPOINT=failpoint, FAIL_AT="9")
    for country in (sender, victim):
        country.until_ready()
    writers = Writers(sender, posts_each=10)
    writers.start()
    assert victim.process is not None
    assert -9 == victim.process.wait(30)
    # With the transaction open nothing of the ninth message is there; after the commit all of it is.
    there = victim.number("select count(*) from posts")
    assert there == victim.number("select count(*) from inbound where type = 'Create'")
    assert there < 40
    victim.start()
    victim.until_ready()
    until(lambda: writers.done and _drained(sender))
    return writers


def _drained(sender: Country) -> bool:
    return sender.number("select count(*) from deliveries where state <> 'done'") == 0

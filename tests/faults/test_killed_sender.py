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

#: So many kills more when everything is written and letters are still on their way.
LATE = 3


@pytest.mark.parametrize(("kills", "authors", "each"), [(12, 20, 20), pytest.param(50, 40, 25, marks=pytest.mark.slow)])
async def test_nothing_is_lost_or_doubled_when_the_sender_is_killed(countries, kills, authors, each):
    """F1, P1, P3: SIGKILL while posts for two siblings are written, while they are sent, and in a start: each is at both, once."""
    fr, de, it = await countries("fr", "de", "it", authors=authors)
    writers, during = await asyncio.to_thread(_write_while_killing, fr, [de, it], kills, each)

    expected = dict.fromkeys(writers.ledger.sent, 1)
    assert during["writing"] >= (6 if kills < 50 else kills)
    assert during["sending"] >= 1
    assert 1 == during["starting"]
    assert authors * each == len(writers.ledger.acknowledged)
    assert [] == writers.ledger.strange
    assert expected == Counter(titles(fr))
    assert expected == Counter(titles(de))
    assert expected == Counter(titles(it))
    assert 2 * authors * each == fr.number("select count(*) from deliveries where state = 'done'")


def _write_while_killing(
    sender: Country, receivers: list[Country], most: int, each: int
) -> tuple[Writers, Counter[str]]:
    for country in (sender, *receivers):
        country.start()
    for country in (sender, *receivers):
        country.until_ready()
    # Fewer hands for more kills, so that there is still something to write at the last.
    writers = Writers(sender, posts_each=each, browsers=4 if most < 50 else 1)
    pauses, during = _pauses(most, 0.4 if most < 50 else 0.3), Counter[str]()
    writers.start()
    while not (writers.done and _drained(sender)):
        if during["sending"] == LATE or (during["writing"] == most and not writers.done):
            time.sleep(0.01)
            continue
        time.sleep(pauses[during.total() % most])
        if writers.done:
            _until_one_more_is_sent(sender)
        _kill(sender, during, "sending" if writers.done else "writing")
        if during["starting"] == 0 and during["writing"] == most // 2:
            sender.start()
            time.sleep(0.3)
            _kill(sender, during, "starting")
        sender.start()
        sender.until_ready()
    return writers, during


def _until_one_more_is_sent(sender: Country) -> None:
    left = _left(sender)
    until(lambda: _left(sender) < max(left, 1), seconds=120, every=0.01)


def _kill(sender: Country, during: Counter[str], what: str) -> None:
    """Kill it; what is over by then counts for nothing."""
    sender.kill()
    during[what] += what != "sending" or not _drained(sender)


def _pauses(number: int, longest: float) -> list[float]:
    """How long it lives before each kill: somewhere in each of so many equal parts of the time, in any order."""
    chance = random.Random(2_026)
    part = longest / number
    return chance.sample([chance.uniform(at, at + 1) * part for at in range(number)], number)


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
    return _left(sender) == 0


def _left(sender: Country) -> int:
    return sender.number("select count(*) from deliveries where state <> 'done'")

"""F6, F18, F33: a receiver hangs; the others do not notice."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter

import pytest

from tests.faults.countries import Country, titles, until
from tests.faults.writing import Writers

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]


async def test_a_receiver_that_hangs_delays_nobody_and_misses_nothing(countries):
    """F6, P4: one of two siblings is stopped for longer than a delivery may take; the other has everything at once."""
    fr, de, it = await countries("fr", "de", "it", authors=8)
    writers, waited = await asyncio.to_thread(_write_while_stopped, fr, de, it)

    expected = Counter(writers.ledger.sent)
    assert waited < 2.0
    assert expected == Counter(titles(de))
    assert expected == Counter(titles(it))
    assert 200 == it.number("select count(*) from inbound where type = 'Create'")


def _write_while_stopped(sender: Country, well: Country, hanging: Country) -> tuple[Writers, float]:
    sender.start(script="tests.faults.impatient")
    for country in (well, hanging):
        country.start()
    for country in (sender, well, hanging):
        country.until_ready()
    for country in (sender, well, hanging):
        country.until_signing()
    hanging.signal(signal.SIGSTOP)
    writers = Writers(sender, posts_each=25)
    writers.start()
    until(lambda: writers.done)
    written = time.monotonic()
    until(lambda: Counter(writers.ledger.sent) == Counter(titles(well)))
    waited = time.monotonic() - written
    assert [] == titles(hanging)
    # Given up at fifteen seconds, and tried again.
    until(lambda: sender.number("select max(failures) from lanes") >= 1, seconds=25)
    hanging.signal(signal.SIGCONT)
    until(lambda: sender.number("select count(*) from deliveries where state <> 'done'") == 0)
    return writers, waited

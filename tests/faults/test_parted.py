"""F13 to F15 in network namespaces: a cable pulled out, packets dropped both ways or only on the way back, and netem.

Where namespaces may not be made, the skip says why, and what is dropped is dropped by a line in user space.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.faults.countries import Country, titles, until
from tests.faults.lines import Line
from tests.faults.namespaces import Cables, why_not
from tests.faults.writing import Writers
from tests.tools.ports import free_ports

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
SPACES = why_not()
MINUTES = float(os.environ.get("FAULT_MINUTES", "10"))
AUTHORS, EACH = 4, 5


@pytest.fixture
def cables(tmp_path: Path) -> Iterator[Cables]:
    """France, with a cable to Germany and one to Italy; skipped, with the reason, where that may not be."""
    if SPACES:
        pytest.skip(f"{SPACES}: tests/faults/test_bad_lines.py holds the fault over a line in user space")
    with Cables(tmp_path, "fr", "de", "it") as found:
        yield found


async def _start(cables: Cables, made: list[Country]) -> None:
    for country in made:
        country.start(script="tests.faults.impatient")
    for country in made:
        await asyncio.to_thread(cables.within, country, country.until_ready)
    for country in made:
        await asyncio.to_thread(cables.within, country, country.until_signing)


def _write(cables: Cables, fr: Country, word: str, each: int = EACH) -> Writers:
    writers = Writers(fr, posts_each=each, word=word)
    cables.within(fr, writers.start)
    until(lambda: writers.done)
    return writers


def _drained(fr: Country) -> bool:
    return fr.number("select count(*) from deliveries where state <> 'done'") == 0


def _in_order(country: Country) -> None:
    for _, posts in groupby(
        country.rows("select author, title from posts order by author, rowid"), lambda row: row["author"]
    ):
        came = [row["title"] for row in posts]
        assert sorted(came) == came


@pytest.mark.parametrize(
    ("how", "minutes"),
    [("dropped", 0.0), pytest.param("pulled out", MINUTES, marks=pytest.mark.slow)],
)
async def test_a_partition_delays_nobody_else_and_drains_afterwards(cables, how, minutes):
    """F13, P2, P4: no packet reaches Germany; Italy has everything at once; once mended Germany has it too, in order."""
    made = fr, de, it = await cables.countries(authors=AUTHORS)
    try:
        await _start(cables, made)
        part: Callable[[str], None] = cables.drop if how == "dropped" else cables.pull_out
        part("de")
        writers = await asyncio.to_thread(_write, cables, fr, "A")
        written = time.monotonic()
        await asyncio.to_thread(until, lambda: Counter(writers.ledger.sent) == Counter(titles(it)))
        waited = time.monotonic() - written
        await asyncio.to_thread(until, lambda: fr.number("select max(failures) from lanes") >= 1)
        await asyncio.sleep(minutes * 60)
        before = titles(de)
        cables.mend("de")
        await asyncio.to_thread(until, lambda: _drained(fr))
        settled = await asyncio.to_thread(lambda: [titles(one) for one in made])
    finally:
        ends = [await asyncio.to_thread(country.stop) for country in made]

    assert waited < 2
    assert [] == before
    assert [] == writers.ledger.strange
    assert [Counter(writers.ledger.acknowledged)] * 3 == [Counter(each) for each in settled]
    assert AUTHORS * EACH == de.number("select count(*) from inbound where type = 'Create' and state = 'applied'")
    _in_order(de)
    assert {0} == {status for status, _ in ends}


@pytest.mark.slow
async def test_answers_that_are_dropped_cost_attempts_and_no_second_effect(cables):
    """F14: messages arrive on connections that are open, and no packet of an answer comes back: sent again, one effect."""
    made = fr, de, it = await cables.countries(authors=AUTHORS)
    try:
        await _start(cables, made)
        first = await asyncio.to_thread(_write, cables, fr, "A", 1)
        await asyncio.to_thread(until, lambda: _drained(fr))
        cables.drop("de", there=False)
        second = await asyncio.to_thread(_write, cables, fr, "B", 1)
        await asyncio.to_thread(until, lambda: len(titles(de)) > AUTHORS)
        unanswered = fr.number("select count(*) from deliveries where state <> 'done'")
        there = len(titles(de)) - AUTHORS
        await asyncio.to_thread(until, lambda: fr.number("select max(failures) from lanes") >= 1)
        cables.mend("de")
        await asyncio.to_thread(until, lambda: _drained(fr))
        settled = titles(de)
    finally:
        for country in made:
            await asyncio.to_thread(country.stop)

    assert 1 <= there <= unanswered
    assert Counter(first.ledger.sent + second.ledger.sent) == Counter(settled)
    assert 2 * AUTHORS == de.number("select count(*) from inbound where type = 'Create'")
    assert 2 * AUTHORS == it.number("select count(*) from inbound where type = 'Create'")


async def test_lost_late_and_disordered_packets_are_delivered(tmp_path):
    """F15: loss 20 %, delay 300 ms, reorder 25 %, by the kernel: everything arrives, once, in order."""
    if reason := SPACES or why_not(netem=True):
        pytest.skip(f"{reason}: tests/faults/test_bad_lines.py holds the fault over a line in user space")
    with Cables(tmp_path, "fr", "de") as cables:
        made = fr, de = await cables.countries(authors=AUTHORS)
        try:
            await _start(cables, made)
            cables.netem("de", "loss", "20%", "delay", "300ms", "reorder", "25%")
            writers = await asyncio.to_thread(_write, cables, fr, "A")
            await asyncio.to_thread(until, lambda: _drained(fr), seconds=120)
        finally:
            for country in made:
                await asyncio.to_thread(country.stop)

    assert Counter(writers.ledger.sent) == Counter(titles(de))
    _in_order(de)


@pytest.mark.faults if SPACES else pytest.mark.slow
async def test_a_line_that_is_parted_drains_afterwards(countries):
    """F13 in user space: connections stay open and nothing arrives; afterwards everything does, once, in order."""
    fr, de = await countries("fr", "de", authors=AUTHORS)
    (behind,) = free_ports(1)
    de.file.write_text(de.file.read_text().replace(f'listen = "127.0.0.1:{de.port}"', f'listen = "127.0.0.1:{behind}"'))
    async with Line(de.port, behind) as line:
        for country in (fr, de):
            country.start(script="tests.faults.impatient")
        for country in (fr, de):
            await asyncio.to_thread(country.until_ready)
        line.whole.clear()
        writers = Writers(fr, posts_each=EACH)
        writers.start()
        await asyncio.to_thread(until, lambda: writers.done)
        await asyncio.to_thread(until, lambda: fr.number("select max(failures) from lanes") >= 1)
        before = titles(de)
        line.whole.set()
        await asyncio.to_thread(until, lambda: _drained(fr))

    assert [] == before
    assert Counter(writers.ledger.sent) == Counter(titles(de))
    _in_order(de)

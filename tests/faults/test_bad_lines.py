"""F15, F16: packets that are late, lost or out of order; connections that are reset or half open. All arrives, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import groupby
from random import Random

import pytest

from tests.faults.countries import Country, titles, until
from tests.faults.lines import Fate, Line
from tests.faults.writing import Writers
from tests.tools.ports import free_ports

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]


async def _send_over(countries, fate: Fate, *, seconds: float = 30) -> tuple[Country, Country, Writers, Line]:
    """Write forty posts at France; they go to Germany over a line of that fate until all have come."""
    fr, de = await countries("fr", "de", authors=4)
    (behind,) = free_ports(1)
    de.file.write_text(de.file.read_text().replace(f'listen = "127.0.0.1:{de.port}"', f'listen = "127.0.0.1:{behind}"'))
    fr.start(script="tests.faults.impatient")
    de.start()
    for country in (fr, de):
        await asyncio.to_thread(country.until_ready)
    async with Line(de.port, behind, fate) as line:
        writers = Writers(fr, posts_each=10)
        writers.start()
        await asyncio.to_thread(until, lambda: writers.done)
        await asyncio.to_thread(until, lambda: _done(fr), seconds=seconds)
    return fr, de, writers, line


def _two_of_three(fate: str) -> Fate:
    """By chance: a try takes three connections as long as a key is missing, and in turn the same would always be met."""
    chance = Random(16)
    return lambda number: fate if chance.random() < 2 / 3 else "good"


def _done(country: Country) -> bool:
    return country.number("select count(*) from deliveries where state <> 'done'") == 0


def _whole(fr: Country, de: Country, writers: Writers) -> None:
    assert 40 == len(writers.ledger.acknowledged)
    assert Counter(writers.ledger.sent) == Counter(titles(de))
    assert 40 == de.number("select count(*) from inbound where type = 'Create'")
    assert 0 == de.number("select count(*) from inbound where state <> 'applied'")
    came = de.rows("select author, title from posts order by author, received_at, slug")
    for _, posts in groupby(came, key=lambda row: row["author"]):
        in_order = [row["title"] for row in posts]
        assert sorted(in_order) == in_order


async def test_a_line_that_delays_loses_and_reorders_delivers(countries):
    """F15: a third of a second of delay, a fifth of the packets lost, a quarter out of order: all comes, first time."""
    fr, de, writers, _ = await _send_over(countries, lambda number: "bad")

    _whole(fr, de, writers)
    assert 0 == fr.number("select max(failures) from lanes")


@pytest.mark.parametrize("where", ["request", "answer"])
async def test_a_reset_in_the_middle_is_tried_again(countries, where):
    """F16: two of three connections are reset in the middle of a message or of its answer: one effect each."""
    fr, de, writers, line = await _send_over(countries, _two_of_three(f"reset in mid-{where}"))

    _whole(fr, de, writers)
    assert f"reset in mid-{where}" in line.fates


@pytest.mark.slow
async def test_a_half_open_connection_is_given_up(countries):
    """F16: the first connections are taken and nothing ever comes of them: given up at 15 s, then everything arrives."""
    fr, de, writers, line = await _send_over(
        countries, lambda number: "half-open" if number < 4 else "good", seconds=45
    )

    _whole(fr, de, writers)
    assert ["half-open"] * 4 == line.fates[:4]
    assert "good" in line.fates

"""F41: everything at once: processes killed and stopped, lines bad, cut and reset, while forty doctors write.

Half an hour by default; FAULT_MINUTES says otherwise.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import groupby

import pytest

from tests.faults.countries import Country, titles, until
from tests.faults.lines import Line
from tests.faults.writing import Ledger, Writers
from tests.tools.ports import free_ports

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
MINUTES = float(os.environ.get("FAULT_MINUTES", "30"))
#: A doctor may publish thirty posts an hour.
BATCHES, AUTHORS = 25, 40


class Trouble:
    """One country's bad luck, again and again, each stroke mended before the next."""

    def __init__(self, country: Country, line: Line | None, chance: random.Random) -> None:
        self._country, self._line, self._chance = country, line, chance
        self.strokes: Counter[str] = Counter()

    async def strikes(self, end: asyncio.Event) -> None:
        """Until the end."""
        strokes: list[Callable[[], Awaitable[None]]] = [self._killed, self._stopped]
        strokes += [self._bad_line] * 2 if self._line else []
        while not end.is_set():
            stroke = self._chance.choice(strokes)
            self.strokes[stroke.__name__] += 1
            await stroke()
            await asyncio.sleep(self._chance.uniform(1, 6))

    async def _killed(self) -> None:
        await asyncio.to_thread(self._country.kill)
        await asyncio.sleep(self._chance.uniform(0, 2))
        self._country.start(script="tests.faults.impatient")
        await asyncio.to_thread(self._country.until_ready)

    async def _stopped(self) -> None:
        self._country.signal(signal.SIGSTOP)
        await asyncio.sleep(self._chance.uniform(1, 18))
        self._country.signal(signal.SIGCONT)

    async def _bad_line(self) -> None:
        assert self._line is not None
        fate = self._chance.choice(["bad", "cut", "reset in mid-request", "reset in mid-answer", "half-open"])
        self._line.fate = lambda number: fate
        await asyncio.sleep(self._chance.uniform(1, 12))
        self._line.fate = lambda number: "good"


async def test_a_mix_of_all_faults_leaves_the_ledger_clean(countries, capsys):
    """F41, P1 to P4: what was acknowledged is at both siblings, once, each author's in order."""
    fr, de, it = await countries("fr", "de", "it", authors=AUTHORS)
    chance, end, ledger = random.Random(41), asyncio.Event(), Ledger()
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(_behind_a_line(country)) for country in (de, it)]
        for country in (fr, de, it):
            country.start(script="tests.faults.impatient")
        for country in (fr, de, it):
            await asyncio.to_thread(country.until_ready)
        troubles = [Trouble(fr, None, chance), Trouble(de, lines[0], chance), Trouble(it, lines[1], chance)]
        striking = [asyncio.ensure_future(trouble.strikes(end)) for trouble in troubles]
        for number in range(BATCHES):
            await _batch(fr, ledger, f"Batch {number:02}")
            await asyncio.sleep(MINUTES * 60 / BATCHES)
        end.set()
        await asyncio.gather(*striking)
        await asyncio.to_thread(until, lambda: _drained(fr), seconds=180)
    with capsys.disabled():
        print(
            "\n ", *(f"{country.name} {dict(one.strokes)}" for country, one in zip((fr, de, it), troubles, strict=True))
        )

    expected = dict.fromkeys(ledger.sent, 1)
    assert BATCHES * AUTHORS == len(ledger.acknowledged)
    assert {503} >= set(ledger.strange)
    for country in (fr, de, it):
        assert expected == Counter(titles(country)), country.name
    for country in (de, it):
        for _, posts in groupby(
            country.rows("select author, title from posts order by author, received_at, slug"), _author
        ):
            in_order = [row["title"] for row in posts]
            assert sorted(in_order) == in_order


def _author(row: dict[str, str]) -> str:
    return row["author"]


def _drained(country: Country) -> bool:
    return country.number("select count(*) from deliveries where state <> 'done'") == 0


def _behind_a_line(country: Country) -> Line:
    (behind,) = free_ports(1)
    listen = f'listen = "127.0.0.1:{country.port}"'
    country.file.write_text(country.file.read_text().replace(listen, f'listen = "127.0.0.1:{behind}"'))
    return Line(country.port, behind)


async def _batch(country: Country, ledger: Ledger, word: str) -> None:
    """Every doctor publishes one post; all are acknowledged in the end, whatever happens to the instance."""
    writers = Writers(country, posts_each=1, word=word)
    writers.start()
    await asyncio.to_thread(until, lambda: writers.done, seconds=120)
    ledger.sent += writers.ledger.sent
    ledger.acknowledged += writers.ledger.acknowledged
    ledger.strange += writers.ledger.strange

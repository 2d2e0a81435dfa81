"""F41: everything at once: processes killed and stopped, lines parted, bad, cut and doubled, clocks that jump, while all write.

The long run is `make faults`: FAULT_MINUTES, FAULT_POSTS and FAULT_SEED say otherwise than 20 minutes, 2,000 posts and chance.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.checking import Findings, check
from tests.faults.countries import Country, until
from tests.faults.ledger import Ledger
from tests.faults.lines import Line
from tests.faults.lives import Lives
from tests.tools.ports import free_ports

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
NAMES = ("fr", "de", "it", "es", "at")
#: How far a clock is off: beyond what a signature may be, and within it.
STEPS = (7_200, -7_200, 10, -10)


#: Seconds that a start may take where many processes share a processor.
PATIENCE = 120.0


@dataclass(frozen=True)
class Size:
    """How much of everything there is."""

    names: Sequence[str]
    authors: int
    posts: int
    seconds: float
    seed: int
    #: How long a fault lasts at most, and how long until the next one.
    longest: float
    pause: float
    #: How long everything may take to arrive once all is mended.
    patience: float


class Trouble:
    """One country's bad luck, again and again, each stroke mended before the next."""

    def __init__(self, country: Country, line: Line, size: Size) -> None:
        self._country, self._line, self._size = country, line, size
        self._chance = random.Random(f"{size.seed} {country.name}")
        self.clock = country.folder / "clock"
        self.clock.write_text("0")
        self.strokes: Counter[str] = Counter()

    def start(self) -> None:
        """Start the instance, with its own clock."""
        self._country.start(script="tests.faults.shaken", CLOCK_OFF=str(self.clock))

    async def strikes(self, end: asyncio.Event) -> None:
        """Until the end, each kind once before any comes again."""
        strokes: list[Callable[[], Awaitable[None]]] = [
            self._killed, self._stopped, self._parted, self._bad_line, self._twice, self._clock_steps,
        ]  # fmt: skip
        while not end.is_set():
            self._chance.shuffle(strokes)
            for stroke in strokes:
                if end.is_set():
                    return
                self.strokes[stroke.__name__.strip("_")] += 1
                await stroke()
                with suppress(TimeoutError):
                    await asyncio.wait_for(end.wait(), self._chance.uniform(0.2, 1) * self._size.pause)

    async def _lasts(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.1, 1) * self._size.longest)

    async def _killed(self) -> None:
        await asyncio.to_thread(self._country.kill)
        await asyncio.sleep(self._chance.uniform(0, 1))
        self.start()
        await asyncio.to_thread(self._country.until_ready, PATIENCE)

    async def _stopped(self) -> None:
        self._country.signal(signal.SIGSTOP)
        await self._lasts()
        self._country.signal(signal.SIGCONT)

    async def _parted(self) -> None:
        self._line.whole.clear()
        await self._lasts()
        self._line.whole.set()

    async def _bad_line(self) -> None:
        fates = ["bad", "cut", "reset in mid-request", "reset in mid-answer", "half-open"]
        await self._with_fate(self._chance.choice(fates))

    async def _twice(self) -> None:
        await self._with_fate("twice")

    async def _with_fate(self, fate: str) -> None:
        share = 1.0 if fate in ("cut", "twice") else 0.7
        self._line.fate = lambda number: fate if self._chance.random() < share else "good"
        self._line.hang_up()
        await self._lasts()
        self._line.fate = lambda number: "good"
        self._line.hang_up()

    async def _clock_steps(self) -> None:
        self.clock.write_text(str(self._chance.choice(STEPS)))
        await self._lasts()
        self.clock.write_text("0")


@pytest.mark.parametrize("seed", [41])
async def test_a_short_mix_of_all_faults_leaves_the_ledger_clean(countries, tmp_path, capsys, seed):
    """F41, P1 to P4: three instances, a hundred posts, half a minute: nothing lost, doubled, leaked or out of order."""
    seed = int(os.environ.get("FAULT_SEED", seed))
    size = Size(NAMES[:3], authors=6, posts=102, seconds=24, seed=seed, longest=3, pause=1.5, patience=200)

    found = await mixed(countries, tmp_path, capsys, size)

    assert Findings([], [], [], [], []) == found, f"seed {seed}: {found}"


@pytest.mark.slow
async def test_a_long_mix_of_all_faults_leaves_the_ledger_clean(countries, tmp_path, capsys):
    """F41, P1 to P4: five instances, 2,000 posts, twenty minutes: lost 0, doubled 0, leaked 0, each author's in order."""
    minutes, posts = float(os.environ.get("FAULT_MINUTES", "20")), int(os.environ.get("FAULT_POSTS", "2000"))
    seed = int(os.environ.get("FAULT_SEED", random.randrange(10**6)))
    # A doctor may publish thirty posts an hour. Whoever holds lists that look too old, since a clock was off, asks for a
    # quarter of an hour (503, Retry-After 900): so long it may take until everything has arrived.
    authors = max(posts // len(NAMES) // 15, 4)
    size = Size(NAMES, authors, posts, minutes * 60, seed, longest=18, pause=6, patience=1_200)

    found = await mixed(countries, tmp_path, capsys, size)

    assert Findings([], [], [], [], []) == found, f"seed {seed}: {found}"


async def mixed(countries, folder: Path, capsys, size: Size) -> Findings:
    """Live through it, mend everything, wait until all has arrived, end all instances, and compare."""
    with capsys.disabled():
        print(
            f"\n  seed {size.seed}: {len(size.names)} instances, {size.posts} posts in {size.seconds:.0f} s", flush=True
        )
    # A clock that is hours behind is still later than the day on which doctors were verified.
    found = await countries(*size.names, authors=size.authors, everywhere=True, days=1)
    end = asyncio.Event()
    with Ledger(folder / "ledger") as ledger:
        async with AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(_behind_a_line(country)) for country in found]
            troubles = [Trouble(country, line, size) for country, line in zip(found, lines, strict=True)]
            for trouble in troubles:
                trouble.start()
            for country in found:
                await asyncio.to_thread(country.until_ready, PATIENCE)
            began, each = time.monotonic(), size.posts // len(found)
            lives = [Lives(one, ledger, each, f"{size.seed} {one.name}", seconds=size.seconds) for one in found]
            striking = [asyncio.ensure_future(trouble.strikes(end)) for trouble in troubles]
            for life in lives:
                life.start()
            try:
                await _over(lives, striking, 3 * size.seconds + 60)
                end.set()
                await asyncio.gather(*striking)
                mended = time.monotonic()
                await asyncio.to_thread(until, lambda: not _unsettled(found), seconds=size.patience, every=0.5)
            except AssertionError as fault:
                raise AssertionError(f"seed {size.seed}: {fault}; {_unsettled(found)}") from None
            finally:
                end.set()
                for life in lives:
                    life.stop()
                for one in striking:
                    one.cancel()
                await asyncio.gather(*striking, return_exceptions=True)
            ends = [await asyncio.to_thread(country.stop) for country in found]
        findings = await check(found, ledger)
        acts = sum((life.acts for life in lives), Counter())
        strokes = sum((trouble.strokes for trouble in troubles), Counter())
        with capsys.disabled():
            print(f"  lived {mended - began:.0f} s, settled {time.monotonic() - mended:.0f} s later; {dict(acts)}")
            print(f"  {dict(strokes)}, {sum(line.twice for line in lines)} messages carried twice")
            print(f"  {findings}", flush=True)

    assert each * len(found) == acts["post"] == len(ledger.notes(act="post"))
    assert min(acts["answer"], acts["follow"], acts["withdraw"]) > 0, acts
    assert min(strokes.values()) > 0
    assert 6 == len(strokes)
    assert 0 < sum(line.twice for line in lines)
    assert [] == [strange for life in lives for strange in life.strange]
    assert {0} == {status for status, _ in ends}
    return findings


async def _over(lives: Sequence[Lives], striking: Sequence[asyncio.Future[None]], seconds: float) -> None:
    """Return when everybody has lived; raise what went wrong in a life or in a stroke."""
    began = time.monotonic()
    while any(life.is_alive() for life in lives):
        assert time.monotonic() - began < seconds, (
            f"not acknowledged in time: {[(one.last, one.answers) for one in lives]}"
        )
        for one in striking:
            if one.done():
                one.result()
        await asyncio.sleep(0.1)
    for life in lives:
        if life.fault is not None:
            raise life.fault


def _unsettled(countries: Sequence[Country]) -> list[tuple[object, ...]]:
    """What is on its way still: messages to be sent, messages to be applied."""
    asked = (
        "select origin, state, last_code, count(*) from deliveries where state in ('waiting', 'resting', 'held') group by 1, 2, 3"
        " union all select origin, state, type, count(*) from inbound where state in ('waiting', 'held') group by 1, 2, 3"
    )
    return [(country.name, *row) for country in countries for row in country.rows(asked)]


def _behind_a_line(country: Country) -> Line:
    """Put a line before the instance; whoever uses its pages goes past it."""
    (behind,) = free_ports(1)
    listen = f'listen = "127.0.0.1:{country.port}"'
    country.file.write_text(country.file.read_text().replace(listen, f'listen = "127.0.0.1:{behind}"'))
    line = Line(country.port, behind)
    country.port = behind
    return line

"""F27, F36, A131: a back-up taken while everybody writes, and the drill of putting it back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.countries import Country, titles, until
from tests.faults.writing import Writers

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]


async def test_a_back_up_under_load_is_whole_and_can_be_put_back(countries, tmp_path, capsys):
    """F36, F27, A131, P10: what was acknowledged before it is in it; put back, it serves, loses and doubles nothing there,
    gives no address out twice, siblings take what it writes next, and what it had written since it takes back from them."""
    fr, de = await countries("fr", "de", authors=16)
    copy = tmp_path / "back-up.db"
    before, seconds = await asyncio.to_thread(_back_up_under_load, fr, de, copy)
    in_copy, torn = _look_into(copy)
    written, everything = titles(fr), Counter(titles(de))
    drill = await asyncio.to_thread(_put_back, fr, copy)
    restored = titles(fr)
    again = Writers(fr, posts_each=1, word="After the drill")
    again.start()
    await asyncio.to_thread(until, lambda: again.done)
    await asyncio.to_thread(until, lambda: _waiting(fr) == 0)
    await asyncio.to_thread(until, lambda: set(written) <= set(titles(fr)))
    await asyncio.to_thread(until, lambda: _waiting(fr) == 0)
    after, back = Counter(titles(de)), Counter(titles(fr))
    with capsys.disabled():
        print(f"\n  back-up under load: {seconds:.2f} s; restore drill: {drill:.2f} s")

    assert len(before) >= 16
    assert set(before) <= set(in_copy)
    assert set(in_copy) < set(written)
    assert set(in_copy) <= set(restored) <= set(written)
    assert Counter(written) + Counter(again.ledger.sent) == back
    assert [] == torn
    # What was not settled in the copy was sent again, and had no second effect.
    assert dict.fromkeys(everything, 1) == everything
    assert everything + Counter(again.ledger.sent) == after
    assert [] == de.rows("select activity from deliveries where state = 'dead'")
    assert 0 == fr.number("select count(*) from deliveries where state = 'dead'")


def _back_up_under_load(fr: Country, de: Country, copy: Path) -> tuple[list[str], float]:
    """Have sixteen doctors write, and copy in the middle of it; return what was acknowledged first, and how long it took."""
    for country in (fr, de):
        country.start()
    for country in (fr, de):
        country.until_ready()
    writers = Writers(fr, posts_each=25)
    writers.start()
    until(lambda: len(writers.ledger.acknowledged) >= 40, every=0.01)
    before, began = list(writers.ledger.acknowledged), time.monotonic()
    _esanum(fr, "backup", str(copy))
    seconds = time.monotonic() - began
    until(lambda: writers.done)
    until(lambda: _waiting(fr) == 0)
    assert Counter(writers.ledger.sent) == Counter(titles(de))
    return before, seconds


def _look_into(copy: Path) -> tuple[list[str], list[str]]:
    """The titles in the copy; and what is torn in it: a broken page, a post without its activity or its delivery."""
    connection = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
    try:
        torn = [row[0] for row in connection.execute("pragma integrity_check") if row[0] != "ok"]
        torn += [str(row) for row in connection.execute("pragma foreign_key_check")]
        torn += [
            row[0]
            for row in connection.execute(
                "select p.uri from posts p where p.local = 1 and not exists (select 1 from activities a"
                " join deliveries d on d.activity = a.uri where a.object = p.uri and a.type = 'Create')"
            )
        ]
        return [row[0] for row in connection.execute("select title from posts order by title")], torn
    finally:
        connection.close()


def _put_back(country: Country, copy: Path) -> float:
    """The drill of docs/operate/backup.md; return the seconds from the stop to the first answer."""
    began = time.monotonic()
    country.stop()
    for ending in ("-wal", "-shm"):
        country.database.with_name(f"{country.database.name}{ending}").unlink(missing_ok=True)
    shutil.copy(copy, country.database)
    _esanum(country, "check")
    country.start()
    country.until_ready()
    return time.monotonic() - began


def _waiting(country: Country) -> int:
    return country.number("select count(*) from deliveries where state <> 'done'")


def _esanum(country: Country, *words: str) -> None:
    command = [sys.executable, "-m", "instance.cli", "-c", str(country.file), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert 0 == done.returncode, done.stdout + done.stderr

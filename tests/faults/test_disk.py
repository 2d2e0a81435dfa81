"""F8, F9: the disk is full, or turns read-only, under a running instance: 503, never 2xx and lost."""

from __future__ import annotations

import asyncio
import http.client
import os
from collections import Counter
from typing import Any

import pytest

from tests.faults import disks
from tests.faults.countries import Country, titles, until
from tests.faults.writing import Writers

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]


async def test_a_full_disk_refuses_and_heals_by_itself(countries, tmp_path):
    """F8: 20 MB, all of it taken: nobody is told 2xx, siblings wait; once there is room all arrives, without a restart."""
    with disks.small(tmp_path / "de", "20m"):
        fr, de = await countries("fr", "de")
        fr.start(script="tests.faults.impatient")
        de.start()
        for country in (fr, de):
            await asyncio.to_thread(country.until_ready)
        for country in (fr, de):
            await asyncio.to_thread(country.until_signing)
        before = Counter(titles(de))
        filler = de.folder / "filler"
        await asyncio.to_thread(_fill, filler)
        abroad, at_home = Writers(fr, posts_each=5), Writers(de, posts_each=5)
        abroad.start()
        at_home.start()
        await asyncio.to_thread(until, lambda: abroad.done)
        await asyncio.to_thread(until, lambda: fr.number("select max(failures) from lanes") >= 2)
        report, refused = de.health(), set(at_home.ledger.strange)
        told = Counter(at_home.ledger.acknowledged)
        pid = de.process.pid
        filler.unlink()
        await asyncio.to_thread(until, lambda: at_home.done)
        await asyncio.to_thread(until, lambda: fr.number("select count(*) from deliveries where state <> 'done'") == 0)
        here = Counter(titles(de))

        assert not report["parts"]["database"]
        assert {503} == refused
        assert Counter() == told
        assert before + Counter(abroad.ledger.sent) + Counter(at_home.ledger.sent) == here
        assert pid == de.process.pid
        assert de.process.poll() is None
        assert de.health()["ok"]
        assert 0 == (await asyncio.to_thread(de.stop))[0]


def _fill(path: Any) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 512, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue


async def test_a_disk_that_turns_read_only_is_read_and_nothing_more(countries, tmp_path):
    """F9: after an error the kernel writes nothing more: doctors still read, writing is 503, health says so; nothing
    that was acknowledged is lost."""
    with disks.failing(tmp_path / "de"):
        fr, de = await countries("fr", "de")
        fr.start(script="tests.faults.impatient")
        de.start()
        for country in (fr, de):
            await asyncio.to_thread(country.until_ready)
        for country in (fr, de):
            await asyncio.to_thread(country.until_signing)
        os.sync()  # what the test wrote; what the instance writes from now on is its own to keep
        first = Writers(de, posts_each=3)
        first.start()
        await asyncio.to_thread(until, lambda: first.done)
        await asyncio.to_thread(disks.fail, de.folder)
        feed, page = await asyncio.to_thread(_read, de, "/feed"), await asyncio.to_thread(_read, de, "/colleagues")
        second = Writers(de, posts_each=1, word="Lost")
        second.start()
        abroad = Writers(fr, posts_each=3)
        abroad.start()
        await asyncio.to_thread(until, lambda: len(second.ledger.strange) > 2)
        await asyncio.to_thread(until, lambda: fr.number("select max(failures) from lanes") >= 2)
        second.stop()
        report = de.health()
        await asyncio.to_thread(de.stop)
        await asyncio.to_thread(disks.repair, de.folder)
        de.start()
        await asyncio.to_thread(de.until_ready)
        await asyncio.to_thread(until, lambda: fr.number("select count(*) from deliveries where state <> 'done'") == 0)

        assert (200, 200) == (feed, page)
        assert {503} == set(second.ledger.strange)
        assert [] == second.ledger.acknowledged
        assert (False, False) == (report["ok"], report["parts"]["database"])
        assert Counter([*first.ledger.sent, *abroad.ledger.sent]) == Counter(titles(de))
        assert 0 == (await asyncio.to_thread(de.stop))[0]


def _read(country: Country, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", country.port, timeout=10)
    token = country.authors[0].token
    connection.request("GET", path, headers={"Host": country.origin.partition("://")[2], "Cookie": f"session={token}"})
    status = connection.getresponse().status
    connection.close()
    return status

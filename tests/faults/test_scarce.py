"""F30, F31: too few open files, too little of the processor: less is served, nothing is lost, and it passes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
import time
import urllib.request
from collections import Counter
from typing import Any

import pytest

from tests.faults.countries import Country, titles, until
from tests.faults.writing import Writers
from tests.servers.raw import Reply, request, send

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
FILES = 64


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
async def test_too_few_open_files_are_answered_503_and_it_passes(countries, server):
    """F30: with 64 open files and 120 who hold connections: 503 for more, health and deliveries go on, all recovers."""
    fr, de = await countries("fr", "de", server=server)
    fr.start(files=FILES)
    de.start()
    await asyncio.to_thread(fr.until_ready)
    await asyncio.to_thread(de.until_ready)
    held = [await asyncio.to_thread(_hold, fr) for _ in range(120)]
    await asyncio.sleep(0.3)
    surplus = await _asks(fr)
    healthy, descriptors = _health(fr), len(os.listdir(f"/proc/{fr.process.pid}/fd"))
    de_writes = Writers(de, posts_each=1)
    de_writes.start()
    for one in held:
        one.close()
    until(lambda: de_writes.done)
    fr_writes = Writers(fr, posts_each=3)
    fr_writes.start()
    until(lambda: fr_writes.done)

    assert (503, True) == (surplus.status, surplus.closed)
    assert b'"error":"too_busy"' in surplus.body
    assert "5" == surplus.headers["retry-after"]
    assert healthy
    assert descriptors < FILES
    assert 404 == (await _asks(fr)).status
    everything = sorted([*fr_writes.ledger.sent, *de_writes.ledger.sent])
    until(lambda: everything == titles(de) == titles(fr))
    assert '"event":"fault"' not in fr.log()


async def test_whoever_waits_at_granian_is_served_in_the_end(countries):
    """F30: granian lets connections too many wait; it neither burns the processor nor stays deaf."""
    (fr,) = await countries("fr", server="granian")
    fr.start(files=FILES)
    await asyncio.to_thread(fr.until_ready)
    held = [await asyncio.to_thread(_hold, fr) for _ in range(100)]
    before = _cpu(fr)
    await asyncio.sleep(1)
    burnt, healthy = _cpu(fr) - before, _health(fr)
    for one in held:
        one.close()

    assert healthy
    assert burnt < 0.5
    assert 404 == (await _asks(fr)).status


def _hold(country: Country) -> socket.socket:
    """A connection on which nothing is said."""
    return socket.create_connection(("127.0.0.1", country.port), timeout=5)


async def _asks(country: Country) -> Reply:
    host = country.origin.partition("://")[2]
    return await send(country.port, request("GET", "/nowhere", host, ("Connection: close",)), wait=20)


def _health(country: Country) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{country.metrics}/health", timeout=5) as answer:
        return answer.status == 200


def _cpu(country: Country) -> float:
    with open(f"/proc/{country.process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_a_tenth_of_the_processor_is_slow_and_nothing_worse(countries):
    """F31: a receiver that runs a tenth of the time: its health says so, nothing times out, all arrives once."""
    fr, de = await countries("fr", "de", authors=8)
    for country in (fr, de):
        country.start()
    for country in (fr, de):
        await asyncio.to_thread(country.until_ready)
    throttled = Throttled(de)
    throttled.start()
    writers = Writers(fr, posts_each=10)
    writers.start()
    asked = asyncio.gather(*(_asks(de) for _ in range(150)))
    await asyncio.to_thread(until, lambda: _report(de)["slow"])
    answers, report = await asked, _report(de)
    await asyncio.to_thread(until, lambda: writers.done and Counter(writers.ledger.sent) == Counter(titles(de)))
    throttled.stop()

    assert report["ok"]
    assert {404} == {answer.status for answer in answers}
    assert [] == writers.ledger.strange
    assert 80 == de.number("select count(*) from inbound where type = 'Create'")
    assert 0 == fr.number("select max(failures) from lanes")
    assert 0 == fr.number("select count(*) from deliveries where state <> 'done'")
    await asyncio.to_thread(until, lambda: not _report(de)["slow"])


def _report(country: Country) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{country.metrics}/health", timeout=20) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


class Throttled(threading.Thread):
    """Lets a process run for a tenth of the time, in slices of twenty milliseconds."""

    def __init__(self, country: Country) -> None:
        super().__init__(daemon=True)
        self._country, self._end = country, threading.Event()

    def run(self) -> None:
        """Stop and continue it by turns."""
        while not self._end.wait(0.02):
            self._country.signal(signal.SIGSTOP)
            time.sleep(0.18)
            self._country.signal(signal.SIGCONT)

    def stop(self) -> None:
        """Let it run again."""
        self._end.set()
        self.join()

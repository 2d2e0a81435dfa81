"""Siblings that do not answer for their lists: they keep nobody else waiting, and no chore."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from federation.wire import Response
from instance.services import status_lists
from instance.times import to_ms
from tests.doorway import a_create, says
from tests.network.lists import FOLDER
from tests.town import Network, Place, rows

HANGING = ("de", "it", "es")


@pytest.fixture
async def town(network: Any) -> Network:
    """France, which reads the lists of four others."""
    town = await network("fr", *HANGING, "at")
    for name in (*HANGING, "at"):
        doctor = await town[name].doctor("anna")
        assert 202 == (await says(doctor, town["fr"], a_create(doctor))).status
    await town.settle()
    town.clock.move(minutes=16)
    return town


def hangs(place: Place, until: asyncio.Event) -> None:
    """Let an instance take every request for its lists, and answer none before then."""
    true = place.request

    async def silent(method: str, target: str, headers: Any, body: bytes = b"") -> Response:
        if target.startswith(FOLDER):
            await until.wait()
        return await true(method, target, headers, body)

    place.request = silent  # type: ignore[method-assign]


async def read_at(fr: Place, name: str) -> set[int]:
    """When the lists of a sibling were read."""
    found = await rows(fr.node, f"select fetched_at from sibling_lists where origin = 'https://{name}.example'")
    return {row["fetched_at"] for row in found}


async def soon(holds: Callable[[], Any]) -> None:
    """Wait until something holds; two seconds at most."""
    async with asyncio.timeout(2):
        while not await holds():
            await asyncio.sleep(0.01)


async def test_three_that_hang_delay_no_other_list_and_no_chore(town):
    """At work: the fourth is read in time, twice; what has passed is swept; then the three are read as well."""
    fr, released = town["fr"], asyncio.Event()
    for name in HANGING:
        hangs(town[name], released)
    await fr.doctor("marie")
    await fr.node.people.sign_in("marie", "a-long-enough-passphrase", "127.0.0.1", "")
    town.clock.move(days=31)
    await fr.node.workers.start()

    async def other_is_read() -> bool:
        return await read_at(fr, "at") == {to_ms(town.clock())}

    async def swept() -> bool:
        return [] == await rows(fr.node, "select token from sessions")

    await soon(other_is_read)
    await soon(swept)
    town.clock.move(minutes=16)
    fr.node.directory.lists.begin_due()
    await soon(other_is_read)
    silent = [await read_at(fr, name) == {to_ms(town.clock())} for name in HANGING]
    released.set()
    await fr.node.directory.lists.poll_due()
    town.clock.move(minutes=1)  # what they were asked was too old when they took it up: it has failed

    async def all_are_read() -> bool:
        return [{to_ms(town.clock())}] * 3 == [await read_at(fr, name) for name in HANGING]

    fr.node.directory.lists.begin_due()
    await soon(all_are_read)
    await fr.node.workers.stop()

    assert [False] * 3 == silent


async def test_no_more_are_read_at_once_than_there_are_places(town, monkeypatch):
    """The twin: with two places two that hang keep the others waiting, and each is asked once."""
    fr, released = town["fr"], asyncio.Event()
    for name in HANGING:
        hangs(town[name], released)
    monkeypatch.setattr(fr.node.directory.lists, "_places", asyncio.Semaphore(2))
    before, contacts = await read_at(fr, "at"), len(town.contacts)
    for name in ("de", "it"):  # whoever answered last time comes first
        fr.node.directory.lists._state(f"https://{name}.example").failures = -1
    for _ in range(3):
        reading = fr.node.directory.lists.begin_due()
        await asyncio.sleep(0.02)
    waiting = await read_at(fr, "at") == before, len(reading), len(town.contacts) - contacts
    released.set()
    await fr.node.directory.lists.poll_due()

    assert (True, 4, 0) == waiting
    assert {to_ms(town.clock())} == await read_at(fr, "at")
    assert 8 == status_lists.AT_ONCE
    assert 8 == len(town.contacts) - contacts


async def test_a_stop_waits_for_nobody_who_hangs(town):
    """Whoever is being read is left; the stop is over at once."""
    fr = town["fr"]
    hangs(town["de"], asyncio.Event())
    await fr.node.workers.start()
    await soon(lambda: _is_read(fr))
    async with asyncio.timeout(2):
        await fr.node.workers.stop()

    assert () == tuple(fr.node.directory.lists._polls.values())


async def _is_read(fr: Place) -> bool:
    return bool(fr.node.directory.lists._polls)

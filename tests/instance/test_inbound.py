"""Kept messages are worked off sibling by sibling: one that does not answer delays nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from federation.uri import Uri
from federation.vocabulary import Update
from federation.wire import NotReached
from tests.doorway import a_create, a_post, an_act, says
from tests.town import Network, Person, rows


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """Three countries that list each other."""
    found = await Network.open(tmp_path, "fr", "de", "it")
    yield found
    await found.close()


async def announces_a_change(author: Person, to: Any, times: int) -> None:
    """Post Updates that name only an address, so that the receiver has to read at home."""
    await says(author, to, a_create(author, a_post(author)))
    for number in range(times):
        where = Uri.parse(f"{author.place.node.origin}/posts/made-to-be-read-{number}")
        await says(author, to, an_act(author, Update, object=where))


async def test_a_sibling_that_hangs_delays_nobody_elses_kept_messages(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F33, P4: its first message meets the silence, its others wait with it, and the rest is worked off beside."""
    fr, asked, released = network["fr"], [], asyncio.Event()
    luca, anna = await network["it"].doctor("luca"), await network["de"].doctor("anna")
    await announces_a_change(luca, fr, 3)
    await announces_a_change(anna, fr, 1)
    get = fr.node.wire.get

    async def hangs(url: Uri, headers: Any, **options: Any) -> Any:
        if url.origin != "https://it.example":
            return await get(url, headers, **options)
        asked.append(url)
        await released.wait()
        raise NotReached("deadline")

    monkeypatch.setattr(fr.node.wire, "get", hangs)
    working = asyncio.create_task(fr.node.inbound.apply_next())
    async with asyncio.timeout(10):
        while await open_rows(fr, "https://de.example"):
            await asyncio.sleep(0.01)
    still = await open_rows(fr, "https://it.example")
    released.set()
    await working

    assert 3 == still
    assert 1 == len(asked)
    assert 0 == await fr.node.inbound.apply_next()


async def open_rows(place: Any, origin: str) -> int:
    """How many messages of this sibling wait."""
    found = await rows(place.node, "select origin from inbound where state = 'waiting'")
    return sum(row["origin"] == origin for row in found)

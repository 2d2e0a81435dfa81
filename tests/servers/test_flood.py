"""A sibling that sends as fast as it can: taken up to its rate, then told to wait; others go on being served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import pytest

from federation.admission import IN_WORK, WAITING
from federation.signatures import Profile
from tests.bench.letters import creates
from tests.bench.load import play
from tests.servers.conftest import Door
from tests.servers.raw import Reply, send

pytestmark = [
    pytest.mark.faults,
    pytest.mark.xdist_group("servers"),
    pytest.mark.parametrize("door", ["hypercorn"], indirect=True),
]

#: More than may be in work and wait.
CONNECTIONS = IN_WORK + WAITING + 40


async def test_a_sibling_over_its_share_is_told_to_wait_and_others_are_served(door: Door) -> None:
    """A81: 429 and Retry-After; each 202 is kept, each 429 is not; another sibling and a page are answered meanwhile."""
    number = 4_000
    flood = creates(door.ground, door.ground.authors["it"], number, Profile.RFC9421).requests
    others = creates(door.ground, door.ground.authors["de"], 60, Profile.CAVAGE).requests
    before = door.kept()

    sending = asyncio.ensure_future(play("127.0.0.1", door.port, flood, CONNECTIONS))
    await asyncio.sleep(0.5)
    told = asyncio.ensure_future(_told(door, reversed(flood)))
    slowest = 0.0
    for other in others:
        began = time.monotonic()
        assert 202 == (await send(door.port, other, wait=0)).status
        assert 200 == (await door.asks("GET", "/sign-in", "Connection: close")).status
        slowest = max(slowest, time.monotonic() - began)
    refusal = await asyncio.wait_for(told, 20)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    assert 429 == refusal.status
    assert "5" == refusal.headers["retry-after"]
    assert b'"error":"too_many_requests"' in refusal.body
    assert slowest < 1
    assert 60 < await _settled(door) - before < number


async def _told(door: Door, letters: Iterable[bytes]) -> Reply:
    """The first refusal; not each is one, since there is room now and then."""
    for letter in letters:
        if (reply := await send(door.port, letter, wait=0)).status == 429:
            return reply
    raise AssertionError("nothing was refused")


async def _settled(door: Door) -> int:
    """How many are kept, once what was under way when the flood was called off has been kept too."""
    kept, before = door.kept(), -1
    while kept != before:
        await asyncio.sleep(0.5)
        kept, before = door.kept(), kept
    return kept

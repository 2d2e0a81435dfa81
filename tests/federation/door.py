"""The door under test: France and Germany, a verified doctor in Germany, and what she sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from federation.signatures import Profile, sign
from tests.town import Network, Person, Place


@pytest.fixture
async def town(tmp_path: Any) -> AsyncIterator[Network]:
    """France and Germany, which list each other."""
    network = await Network.open(tmp_path, "fr", "de")
    yield network
    await network.close()


@pytest.fixture
async def anna(town: Network) -> Person:
    """A verified doctor in Germany."""
    return await town["de"].doctor("anna")


@pytest.fixture
def fr(town: Network) -> Place:
    """The door under test."""
    return town["fr"]


async def signed_headers(anna: Person, fr: Place, body: bytes, profile: Profile = Profile.CAVAGE) -> dict[str, str]:
    """The headers of a good message."""
    key = await anna.place.node.keys.signing_key(anna.uri, profile)
    return sign("POST", fr.node.shared_inbox, body, key, profile, fr.node.clock())


async def neighbour(tmp_path: Any, town: Network, *, countries: tuple[str, ...] = ()) -> Place:
    """Italy, which both others list; France believes it for these countries (its own)."""
    it, fr, de = await town.add(tmp_path, "it"), town["fr"], town["de"]
    await fr.admits(it, countries=countries)
    for one, other in ((it, fr), (it, de), (de, it)):
        await one.admits(other)
    return it

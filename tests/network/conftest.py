"""The fixture `network`: towns that are closed at the end of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.network.scene import known
from tests.town import Network, Person, Place


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Network]]]:
    """Open a network of instances by their names."""
    opened: list[Network] = []

    async def open_(*names: str, **options: Any) -> Network:
        found = await Network.open(tmp_path, *names, **options)
        opened.append(found)
        return found

    yield open_
    for one in opened:
        await one.close()


@pytest.fixture
async def town(tmp_path: Any) -> AsyncIterator[Network]:
    """France, Germany and Italy, which list each other; modules that need others have their own."""
    network = await Network.open(tmp_path, "fr", "de", "it")
    yield network
    await network.close()


@pytest.fixture
def fr(town: Network) -> Place:
    """The door under attack."""
    return town["fr"]


@pytest.fixture
async def marie(fr: Place) -> Person:
    """A doctor of ours."""
    return await fr.doctor("marie")


@pytest.fixture
async def anna(town: Network) -> Person:
    """A German doctor whom France knows."""
    return await known(town, "de", "anna")


@pytest.fixture
async def berta(town: Network) -> Person:
    """Another doctor of the same instance, known too."""
    return await known(town, "de", "berta")


@pytest.fixture
async def luca(town: Network) -> Person:
    """An Italian doctor whom France knows."""
    return await known(town, "it", "luca")


@pytest.fixture
async def people(town: Network) -> dict[str, Person]:
    """Anna in Germany writes; Marie in France and Luca in Italy read."""
    named = {"anna": "de", "marie": "fr", "luca": "it"}
    return {handle: await town[place].doctor(handle) for handle, place in named.items()}

"""The scene, opened once for tests that only look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.instance.pages.house import House, close_house, open_house
from tests.instance.pages.scene import fill
from tests.town import Network


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The French instance on a morning."""
    opened = await open_house(tmp_path, fill)
    yield opened
    await close_house(opened)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """France and Germany, each listing the other."""
    opened = await Network.open(tmp_path, "fr", "de")
    yield opened
    await opened.close()

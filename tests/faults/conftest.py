"""Countries that are stopped at the end of the test, whatever happened in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.countries import Country, make_countries, stop_all
from tests.town import Network

Countries = Callable[..., Awaitable[list[Country]]]


@pytest.fixture
async def countries(tmp_path: Path) -> AsyncIterator[Countries]:
    """Make countries by their names; they are not started."""
    made: list[Country] = []

    async def make(*names: str, **options: Any) -> list[Country]:
        found = await make_countries(tmp_path, *names, **options)
        made.extend(found)
        return found

    yield make
    stop_all(made)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Network]]]:
    """Open a network of instances in this process by their names."""
    opened: list[Network] = []

    async def open_(*names: str, **options: Any) -> Network:
        found = await Network.open(tmp_path, *names, **options)
        opened.append(found)
        return found

    yield open_
    for one in opened:
        await one.close()

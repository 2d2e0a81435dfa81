"""Countries that are stopped at the end of the test, whatever happened in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.countries import Country, make_countries, stop_all
from tests.network.conftest import network

__all__ = ["network"]

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

"""The fixture `network`: towns that are closed at the end of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.town import Network


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

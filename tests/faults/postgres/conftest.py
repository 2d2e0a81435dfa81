"""Towns whose every instance lives in a PostgreSQL database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from instance.wiring import Node
from tests.contract.databases import fresh_postgres, start_postgres
from tests.town import MovedClock, Network


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """One embedded PostgreSQL server for the whole run."""
    yield from start_postgres()


@pytest.fixture
async def network(tmp_path: Path, postgres_server: Any) -> AsyncIterator[Callable[..., Awaitable[Network]]]:
    """Open a network of instances by their names."""
    opened: list[Network] = []

    async def open_(*names: str) -> Network:
        town = Network(MovedClock())
        opened.append(town)
        for name in names:
            await town.add(tmp_path, name, database=await fresh_postgres(postgres_server))
        for one in town.places.values():
            for other in town.places.values():
                if one is not other:
                    await one.admits(other)
        return town

    yield open_
    for town in opened:
        await town.close()


async def rows(node: Node, sql: str) -> list[tuple[Any, ...]]:
    """Read rows with the test's own SQL, through a connection of its own."""
    import asyncpg

    connection = await asyncpg.connect(node.config.database)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()

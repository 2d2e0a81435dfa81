"""`store` is each engine in turn, migrated with the contract's own small schema; `product`, with the product's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from instance.storage import open_store
from instance.storage.store import Store
from tests.contract.databases import SQL, fresh_postgres, start_postgres

ENGINES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """One embedded PostgreSQL server for the whole run."""
    yield from start_postgres()


@pytest.fixture(params=ENGINES)
async def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/contract.db"
    return await fresh_postgres(request.getfixturevalue("postgres_server"))


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    """A migrated store of each engine in turn."""
    store = await open_store(address, schema_dir=SQL / "schema", queries_dir=SQL / "queries")
    try:
        await store.migrate()
        yield store
    finally:
        await store.close()


@pytest.fixture
async def product(address: str) -> AsyncIterator[Store]:
    """The product's own schema and queries, over each engine in turn."""
    store = await open_store(address)
    try:
        await store.migrate()
        yield store
    finally:
        await store.close()

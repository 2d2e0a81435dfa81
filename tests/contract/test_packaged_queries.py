"""Every query of the product fits the schema of the product, on both engines, and they answer with the same columns."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from instance.storage import QUERIES, open_store
from instance.storage.queries import Queries, Query
from instance.storage.sqlite_rows import connect
from tests.contract.databases import fresh_postgres

SELECTS = ("select", "with", "values")
CHANGES = re.compile(r"\b(insert|update|delete)\b")


def of_sqlite(path: Path) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The columns of each query that only reads, and a sentence for each that SQLite does not accept."""
    columns: dict[str, tuple[str, ...]] = {}
    refused: list[str] = []
    connection = connect(path, writes=True)
    try:
        for query in Queries(QUERIES, "sqlite"):
            try:
                columns[query.name] = _asked(connection, query)
            except sqlite3.Error as error:
                refused.append(f"{query.name}: {error}")
    finally:
        connection.close()
    return columns, refused


def _asked(connection: sqlite3.Connection, query: Query) -> tuple[str, ...]:
    """Compile the query; run it if it only reads, since SQLite names columns only then."""
    values = [1] * len(query.names)
    connection.execute(f"explain {query.text}", values).fetchall()
    if not query.text.lower().startswith(SELECTS) or CHANGES.search(query.text.lower()):
        return ()
    return tuple(column[0] for column in connection.execute(query.text, values).description or ())


async def of_postgres(address: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The columns of each query, and a sentence for each that PostgreSQL does not accept."""
    columns: dict[str, tuple[str, ...]] = {}
    refused: list[str] = []
    connection = await asyncpg.connect(address)
    try:
        for query in Queries(QUERIES, "postgres"):
            try:
                statement = await connection.prepare(query.text)
            except asyncpg.PostgresError as error:
                refused.append(f"{query.name}: {error}")
            else:
                columns[query.name] = tuple(attribute.name for attribute in statement.get_attributes())
    finally:
        await connection.close()
    return columns, refused


@pytest.fixture
async def sqlite_file(tmp_path: Path) -> AsyncIterator[Path]:
    """A file with the product's schema."""
    path = tmp_path / "product.db"
    store = await open_store(path)
    try:
        assert 0 < await store.migrate()
        assert 0 == await store.migrate()
        yield path
    finally:
        await store.close()


async def test_every_query_compiles_on_sqlite(sqlite_file: Path) -> None:
    """A query that names a table or column that is not there is found before anybody runs it."""
    columns, refused = await asyncio.to_thread(of_sqlite, sqlite_file)

    assert [] == refused
    assert [] == [name for name, names in columns.items() if len(set(names)) < len(names)]


@pytest.mark.postgres
async def test_every_query_prepares_on_postgres_with_the_same_columns(sqlite_file: Path, postgres_server: Any) -> None:
    """What SQLite takes and PostgreSQL does not, or calls otherwise, is found here."""
    address = await fresh_postgres(postgres_server)
    store = await open_store(address)
    try:
        await store.migrate()
    finally:
        await store.close()
    columns, refused = await of_postgres(address)
    of_the_other, _ = await asyncio.to_thread(of_sqlite, sqlite_file)

    assert [] == refused
    assert [] == [name for name, names in of_the_other.items() if names and names != columns[name]]

"""A real SQLite store with the contract's small schema, and processes that can be killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from instance.storage import open_store
from instance.storage.sqlite import SqliteStore
from tests.contract.databases import SQL

ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., "subprocess.Popen[str]"]


async def open_small(path: Path, *, schema_dir: Path = SQL / "schema", examine: bool = False) -> SqliteStore:
    """Open a SQLite file with the contract's schema and queries."""
    store = await open_store(path, schema_dir=schema_dir, queries_dir=SQL / "queries", examine=examine)
    assert isinstance(store, SqliteStore)
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database file is, or will be."""
    return tmp_path / "small.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """A migrated SQLite store."""
    store = await open_small(path)
    try:
        await store.migrate()
        yield store
    finally:
        await store.close()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a Python process in the checkout; none outlives the test."""
    running: list[subprocess.Popen[str]] = []

    def launch(*arguments: str) -> subprocess.Popen[str]:
        running.append(
            subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
        return running[-1]

    yield launch
    for process in running:
        process.kill()
        process.communicate()

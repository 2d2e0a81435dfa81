"""The embedded engine: one file, one process, one writing connection with group commit, readers apart.

* writes go through `Writer`: brief ones on the loop with the commit in its thread, all others in the thread whole;
* `one` and `few` are answered on the event loop by a read-only connection: shorter than handing it to a thread;
* `all`, `read` and the checks run in the threads of two read-only connections.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from instance.storage import sqlite_care
from instance.storage.errors import DatabaseDamaged, NotSupported, StorageError, StorageUnavailable
from instance.storage.lock import ProcessLock
from instance.storage.migrate import read_migrations
from instance.storage.queries import Engine, Queries
from instance.storage.sqlite_rows import (
    INLINE_BUSY_SECONDS,
    Rows,
    as_storage_error,
    connect,
    connect_apart,
    drive,
    execute,
)
from instance.storage.sqlite_writer import Writer
from instance.storage.store import Look, Row, Work

T = TypeVar("T")

READERS = 2
_REMEMBERED = 4_096

# Every step of SQLite lets go of the interpreter's lock, and a saturated event loop, which lets go of it only for an
# instant at a time, is made to hand it over only after this interval. Measured with a loop that is never idle, batches
# of 32: 1.8 s (p99) with CPython's 5 ms, 30 ms with this one.
SWITCH_SECONDS = 0.00005

# At DEBUG it writes every call with its values.
logging.getLogger("aiosqlite").setLevel(logging.INFO)


class SqliteStore:
    """`Store` over one SQLite file."""

    engine: Engine = "sqlite"

    def __init__(self, path: Path, schema_dir: Path, queries_dir: Path) -> None:
        self._path = path
        self._schema = schema_dir
        self._queries = Queries(queries_dir, "sqlite")
        self._lock = ProcessLock(path)
        self._writer = Writer(path, self._queries)
        self._inline: sqlite3.Connection | None = None
        self._readers: list[_Reading] = []
        self._remembered: dict[tuple[Any, ...], Row | None] = {}
        self._remembered_at = -1

    @property
    def commits(self) -> int:
        """How many transactions have been committed; fewer than units of work where they came together."""
        return self._writer.commits

    async def open(self, *, examine: bool) -> None:
        """Connect; raise DatabaseDamaged where the file is none, or is examined and found unsound."""
        # Made here, so that the file and the WAL beside it are nobody else's to read.
        os.close(os.open(self._path, os.O_CREAT | os.O_CLOEXEC, 0o600))
        await self._writer.open()
        if not await self._writer.call(sqlite_care.can_search):
            raise NotSupported(
                "this Python's SQLite has no FTS5, which the search needs; use one that was built with it"
            )
        if examine and (found := await self._writer.call(sqlite_care.damage)):
            raise DatabaseDamaged(f"{self._path.name} is damaged ({found[0]}); restore the last back-up")
        self._inline = connect(self._path, writes=False, busy=INLINE_BUSY_SECONDS)
        for _ in range(READERS):
            self._readers.append(await _Reading.open(self._path))

    async def write(self, work: Work[T], *, brief: bool = False) -> T:
        """Run the unit of work and return its result after commit."""
        return await self._writer.write(work, brief=brief)

    async def read(self, look: Look[T]) -> T:
        """Run several reads against one snapshot."""
        context = copy_context()

        def snapshot(connection: sqlite3.Connection) -> T:
            rows = Rows(connection, self._queries, writes=False)
            connection.execute("begin")
            try:
                result: T = context.run(lambda: drive(look(rows)))
                rows.finish()
                return result
            finally:
                if connection.in_transaction:
                    connection.execute("rollback")

        found: T = await self._apart(snapshot)
        return found

    async def one(self, query: str, /, **values: Any) -> Row | None:
        """Return the first row, or None; answered here, without a thread."""
        if self._inline is None:
            raise StorageUnavailable("storage_closed")
        return Rows(self._inline, self._queries, writes=False).first(query, values)

    async def known(self, query: str, /, **values: Any) -> Row | None:
        """Return the first row, or None; from memory where nothing was committed since it was read."""
        version, key = self._data_version(), (query, *values.items())
        if version != self._remembered_at:
            self._remembered.clear()
            self._remembered_at = version
        elif key in self._remembered:
            return self._remembered[key]
        row = await self.one(query, **values)
        if len(self._remembered) < _REMEMBERED:
            self._remembered[key] = row
        return row

    async def few(self, query: str, /, **values: Any) -> list[Row]:
        """Return the rows of a page; answered here, without a thread, whose wake-ups cost more than the rows."""
        if self._inline is None:
            raise StorageUnavailable("storage_closed")
        return Rows(self._inline, self._queries, writes=False).every(query, values)

    async def all(self, query: str, /, **values: Any) -> list[Row]:
        """Return all rows of one query, without blocking the loop."""

        def every(connection: sqlite3.Connection) -> list[Row]:
            return Rows(connection, self._queries, writes=False).every(query, values)

        found: list[Row] = await self._apart(every)
        return found

    async def migrate(self) -> int:
        """Apply the numbered migrations that are missing; return how many."""
        done: int = await self._writer.call(sqlite_care.migrate, read_migrations(self._schema, "sqlite"))
        return done

    async def check(self) -> list[str]:
        """Return what is wrong with the file, in sentences; those that begin with `warning: ` are advice."""
        migrations = read_migrations(self._schema, "sqlite")
        found: list[str] = await self._apart(lambda connection: sqlite_care.check(connection, self._path, migrations))
        return found

    async def backup(self, target: str) -> None:
        """Write a consistent, checked copy while the server runs; never over a file that is there."""
        if self._inline is None:
            raise StorageUnavailable("storage_closed")
        await asyncio.to_thread(sqlite_care.copy, self._path, Path(target))

    def _data_version(self) -> int:
        """A number that changes with every commit of anybody, other processes and people with an editor included."""
        if self._inline is None:
            raise StorageUnavailable("storage_closed")
        try:
            return int(self._inline.execute("pragma data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise as_storage_error(error, "data_version") from None

    async def close(self) -> None:
        """Commit what is waiting, disconnect (the writer last, which empties the WAL), let the file go."""
        try:
            await self._writer.finish()
            inline, self._inline = self._inline, None
            if inline is not None:
                inline.close()
            while self._readers:
                await self._readers.pop().close()
            await self._writer.close()
        finally:
            self._lock.release()

    async def _apart(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function on the reader that has least to do."""
        if not self._readers:
            raise StorageUnavailable("storage_closed")
        return await min(self._readers, key=lambda reader: reader.waiting).run(look)


class _Reading:
    """A read-only connection in its own thread."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.waiting = 0
        self._connection = connection

    @classmethod
    async def open(cls, path: Path) -> _Reading:
        return cls(await connect_apart(path, writes=False))

    async def run(self, look: Callable[[sqlite3.Connection], T]) -> T:
        self.waiting += 1
        try:
            result: T = await execute(self._connection, look)
            return result
        except sqlite3.Error as error:
            raise as_storage_error(error, "snapshot") from None
        finally:
            self.waiting -= 1

    async def close(self) -> None:
        await self._connection.close()


def _usable(path: Path) -> Path:
    """One name for one file, or two processes could lock it by two."""
    path = path.resolve()
    if not path.parent.is_dir():
        raise NotSupported(f"the folder of {path} does not exist")
    return path


async def open_sqlite(path: Path, schema_dir: Path, queries_dir: Path, *, examine: bool = False) -> SqliteStore:
    """Open the file for this process alone."""
    sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))
    store = SqliteStore(_usable(path), schema_dir, queries_dir)
    try:
        await store.open(examine=examine)
    except BaseException as error:
        with suppress(StorageError, sqlite3.Error):
            await store.close()
        if isinstance(error, sqlite3.Error):
            raise as_storage_error(error, "opening") from None
        raise
    return store

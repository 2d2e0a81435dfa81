"""SQLite, one connection at a time: how it is opened, what its errors mean, and a unit of work driven on it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import aiosqlite

from instance.storage.errors import (
    BadValue,
    BrokenRule,
    Conflict,
    DatabaseDamaged,
    Misused,
    StorageError,
    StorageUnavailable,
)
from instance.storage.queries import Queries, Query
from instance.storage.store import Row

T = TypeVar("T")

BUSY_SECONDS = 5.0
# Longer than this the event loop may not stand still for a point read; readers of a WAL hardly ever wait.
INLINE_BUSY_SECONDS = 0.5

_WRITER = (
    "pragma journal_mode = wal",
    "pragma synchronous = full",
    "pragma foreign_keys = on",
    "pragma cache_size = -16384",
    "pragma wal_autocheckpoint = 1000",
    "pragma journal_size_limit = 67108864",
    # The triggers that take words out of the search index write to FTS5, which SQLite lets no trigger do otherwise.
    "pragma trusted_schema = on",
)
_READER = (
    "pragma query_only = on",
    "pragma wal_autocheckpoint = 0",
    "pragma mmap_size = 268435456",
    "pragma cache_size = -4096",
    "pragma trusted_schema = off",
)

_KEY_TAKEN = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID}
_UNAVAILABLE = {
    sqlite3.SQLITE_FULL: "storage_full",
    sqlite3.SQLITE_BUSY: "storage_busy",
    sqlite3.SQLITE_LOCKED: "storage_busy",
    sqlite3.SQLITE_READONLY: "storage_readonly",
    sqlite3.SQLITE_IOERR: "storage_failed",
    sqlite3.SQLITE_CANTOPEN: "storage_failed",
    sqlite3.SQLITE_PROTOCOL: "storage_failed",
    sqlite3.SQLITE_NOMEM: "storage_failed",
    sqlite3.SQLITE_INTERRUPT: "storage_failed",
}


def connect(path: Path, *, writes: bool, busy: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Open a connection that commits only when told; a reader cannot write, checkpoint or create the file."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rw' if writes else 'ro'}",
        uri=True,
        timeout=busy,
        isolation_level=None,
        cached_statements=512,
        check_same_thread=False,
    )
    try:
        for pragma in _WRITER if writes else _READER:
            connection.execute(pragma).fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


async def connect_apart(path: Path, *, writes: bool) -> aiosqlite.Connection:
    """Open a connection that lives in a thread of its own."""
    connection = aiosqlite.Connection(lambda: connect(path, writes=writes), 64)
    try:
        return await connection
    except BaseException:
        # aiosqlite asks the thread to end and does not wait; it would outlive the loop it reports to.
        await asyncio.to_thread(connection._thread.join)
        raise


async def execute(connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    """Run a function of the raw connection in the connection's own thread, whole and undisturbed."""
    # aiosqlite's public methods are one statement each; this is what they are made of (version bound in pyproject).
    result: T = await connection._execute(lambda: function(connection._conn))  # type: ignore[no-untyped-call]
    return result


def meaning(error: Exception, query: str, *, writes: bool = True) -> Exception:
    """Say in our own words what SQLite refused; SQLite's messages name tables and columns, never values."""
    if isinstance(error, OverflowError | UnicodeEncodeError):
        return BadValue(f"a value for query {query} cannot be stored ({type(error).__name__})")
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return Misused(f"query {query}: {error}")
    primary = code & 0xFF
    if code in _KEY_TAKEN:
        return Conflict(_table(str(error)))
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return BrokenRule(f"query {query}: {error}")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseDamaged(str(error))
    if primary in (sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH):
        return BadValue(f"a value for query {query} cannot be stored ({error})")
    if primary == sqlite3.SQLITE_READONLY and not writes:
        return Misused(f"query {query} would change rows, and only a unit of work may")
    if primary in _UNAVAILABLE:
        return StorageUnavailable(_UNAVAILABLE[primary], str(error))
    return Misused(f"query {query}: {error}")


def _table(message: str) -> str:
    """The table of `UNIQUE constraint failed: table.column, table.column`."""
    return message.partition(": ")[2].partition(".")[0] or "a table"


class TooLong(Exception):
    """A unit of work that was said to be brief is not through in its time; it is undone, and begins again elsewhere."""


class Rows:
    """A Transaction over one connection; its coroutines never suspend. After the moment `until` it raises TooLong."""

    __slots__ = ("_connection", "_failure", "_queries", "_until", "_writes")

    def __init__(
        self, connection: sqlite3.Connection, queries: Queries, *, writes: bool, until: float | None = None
    ) -> None:
        self._connection: sqlite3.Connection | None = connection
        self._queries = queries
        self._writes = writes
        self._until = until
        self._failure: Exception | None = None

    async def take_turn(self, subject: str) -> None:
        """There is one writer: units of work take turns by themselves."""

    async def one(self, query: str, /, **values: Any) -> Row | None:
        """Return the first row, or None."""
        return self.first(query, values)

    async def all(self, query: str, /, **values: Any) -> list[Row]:
        """Return all rows."""
        return self.every(query, values)

    async def run(self, query: str, /, **values: Any) -> int:
        """Change rows; return how many."""
        named = self._queries[query]
        cursor = self._execute(named, values)
        try:
            # With `returning`, rowcount is right only after the last row was taken.
            if cursor.description is not None:
                return len(cursor.fetchall())
            if cursor.rowcount < 0 and named.text[:4].lower() == "with":
                return self._changed()
            return max(cursor.rowcount, 0)
        finally:
            cursor.close()

    async def many(self, query: str, rows: Iterable[Mapping[str, Any]], /) -> None:
        """Run the statement once for each mapping of values."""
        named = self._queries[query]
        bound = [named.bind(values) for values in rows]
        connection = self._usable()
        try:
            connection.executemany(named.text, bound).close()
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            raise self._failed(error, named) from None

    def first(self, query: str, values: Mapping[str, Any]) -> Row | None:
        """Return the first row, or None."""
        named = self._queries[query]
        cursor = self._execute(named, values)
        try:
            row = cursor.fetchone()
            return None if row is None else dict(zip([column[0] for column in cursor.description], row, strict=True))
        except sqlite3.Error as error:
            raise self._failed(error, named) from None
        finally:
            # A cursor left in the middle of its rows would hold the snapshot, and with it the WAL.
            cursor.close()

    def every(self, query: str, values: Mapping[str, Any]) -> list[Row]:
        """Return all rows."""
        named = self._queries[query]
        cursor = self._execute(named, values)
        try:
            rows = cursor.fetchall()
            columns = [column[0] for column in cursor.description or ()]
        except sqlite3.Error as error:
            raise self._failed(error, named) from None
        finally:
            cursor.close()
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def finish(self) -> None:
        """End the unit: nothing may be asked afterwards, and a failure that was swallowed is raised again."""
        self._connection = None
        if self._failure is not None:
            raise self._failure

    def _execute(self, named: Query, values: Mapping[str, Any]) -> sqlite3.Cursor:
        bound = named.bind(values)
        connection = self._usable()
        try:
            return connection.execute(named.text, bound)
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            raise self._failed(error, named) from None

    def _usable(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Misused("a transaction was used after its unit of work had ended")
        if self._until is not None and self._failure is None and monotonic() > self._until:
            self._failure = TooLong()
        if self._failure is not None:
            raise self._failure
        return self._connection

    def _failed(self, error: Exception, named: Query) -> Exception:
        self._failure = meaning(error, named.name, writes=self._writes)
        return self._failure

    def _changed(self) -> int:
        """How many rows the last statement changed; sqlite3 does not count one that begins with `with`."""
        return int(self._usable().execute("select changes()").fetchone()[0])


def drive(unit: Awaitable[T]) -> T:
    """Run a unit of work to its end here and now; it may await its transaction and nothing else."""
    steps = unit.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    close = getattr(steps, "close", None)
    try:
        if close is not None:
            close()
    finally:
        raise Misused("a unit of work awaits its transaction and nothing else; this one waits for something outside")


def as_storage_error(error: Exception, doing: str) -> Exception:
    """The meaning of an error outside any query."""
    return error if isinstance(error, StorageError | Misused) else meaning(error, doing)

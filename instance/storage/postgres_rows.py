"""PostgreSQL, one connection at a time: a Transaction over it, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from instance.storage.errors import BadValue, BrokenRule, Conflict, Misused, StorageUnavailable
from instance.storage.queries import Queries, Query
from instance.storage.store import Row

# SQLSTATE, or its class of two characters; the longer one is asked first.
_UNAVAILABLE = {
    "53100": "storage_full",
    "53": "storage_failed",
    "25006": "storage_readonly",
    "40": "storage_busy",
    "55P03": "storage_busy",
    "57014": "storage_busy",
    "57": "storage_failed",
    "58": "storage_failed",
    "08": "storage_failed",
    "XX001": "storage_damaged",
    "XX002": "storage_damaged",
    "XX": "storage_failed",
}
AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


def meaning(error: BaseException, query: str, *, writes: bool = True) -> Exception:
    """Say in our own words what PostgreSQL refused; its details quote values, so nothing of them is kept."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return Conflict(error.table_name or "a table")
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        rule = error.constraint_name or error.column_name or "a rule"
        return BrokenRule(f"query {query}: {rule} of {error.table_name} forbids the row")
    if isinstance(error, asyncpg.PostgresError):
        return _server_said(error, query, writes=writes)
    if isinstance(error, ValueError):
        return BadValue(f"a value for query {query} cannot be stored ({type(error).__name__})")
    return StorageUnavailable("storage_failed", f"no answer from the database ({type(error).__name__})")


def _server_said(error: asyncpg.PostgresError, query: str, *, writes: bool) -> Exception:
    state = error.sqlstate or ""
    # 22: the value is none of its type; 54: too large for a row or an index.
    if state.startswith(("22", "54")):
        return BadValue(f"a value for query {query} cannot be stored ({state})")
    if state == "25006" and not writes:
        return Misused(f"query {query} would change rows, and only a unit of work may")
    code = _UNAVAILABLE.get(state) or _UNAVAILABLE.get(state[:2])
    if code is not None:
        return StorageUnavailable(code, f"SQLSTATE {state}")
    return Misused(f"query {query}: {error.args[0] if error.args else state}")


class Rows:
    """A Transaction over one connection."""

    __slots__ = ("_connection", "_failure", "_queries", "_writes")

    def __init__(self, connection: Any, queries: Queries, *, writes: bool) -> None:
        self._connection = connection
        self._queries = queries
        self._writes = writes
        self._failure: BaseException | None = None

    async def take_turn(self, subject: str) -> None:
        """Hold the subject's lock until the end of the transaction."""
        try:
            await self._connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", subject)
        except FAILURES as error:
            raise self._failed(error, "take_turn") from None

    async def one(self, query: str, /, **values: Any) -> Row | None:
        """Return the first row, or None."""
        named, bound = self._bound(query, values)
        try:
            row = await self._connection.fetchrow(named.text, *bound)
        except FAILURES as error:
            raise self._failed(error, named.name) from None
        return None if row is None else dict(row)

    async def all(self, query: str, /, **values: Any) -> list[Row]:
        """Return all rows."""
        named, bound = self._bound(query, values)
        try:
            rows = await self._connection.fetch(named.text, *bound)
        except FAILURES as error:
            raise self._failed(error, named.name) from None
        return [dict(row) for row in rows]

    async def run(self, query: str, /, **values: Any) -> int:
        """Change rows; return how many."""
        named, bound = self._bound(query, values)
        try:
            status = await self._connection.execute(named.text, *bound)
        except FAILURES as error:
            raise self._failed(error, named.name) from None
        # "UPDATE 3", "INSERT 0 1"; a statement that changes no rows has no number.
        count = status.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    async def many(self, query: str, rows: Iterable[Mapping[str, Any]], /) -> None:
        """Run the statement once for each mapping of values."""
        named = self._queries[query]
        bound = [named.bind(values) for values in rows]
        self._check_usable()
        try:
            await self._connection.executemany(named.text, bound)
        except FAILURES as error:
            raise self._failed(error, named.name) from None

    def finish(self) -> None:
        """End the unit: nothing may be asked afterwards, and a failure that was swallowed is raised again."""
        self.end()
        if self._failure is not None:
            raise self._failure

    def end(self) -> None:
        """Accept nothing more."""
        self._connection = None

    def _bound(self, query: str, values: Mapping[str, Any]) -> tuple[Query, list[Any]]:
        named = self._queries[query]
        bound = named.bind(values)
        self._check_usable()
        return named, bound

    def _check_usable(self) -> None:
        if self._connection is None:
            raise Misused("a transaction was used after its unit of work had ended")
        if self._failure is not None:
            raise self._failure

    def _failed(self, error: BaseException, query: str) -> BaseException:
        # Deadlocks keep their own class: the whole unit is run again for them.
        self._failure = error if isinstance(error, AGAIN) else meaning(error, query, writes=self._writes)
        return self._failure

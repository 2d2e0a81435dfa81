"""Group commit: one writing connection, one batch in flight, what gathers meanwhile is the next batch.

A batch of brief units is driven on the event loop, and only its commit, which waits for the disk, is left to the
writing thread: two threads that take turns at every statement cost more than the statements. Everything else, every
batch while another process holds the file, and one that turns out to hold up the loop, runs in the thread as a whole.
The loop leaves the connection alone while the thread has it, whoever waits for that.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import aiosqlite

from instance.storage.errors import StorageError, StorageUnavailable
from instance.storage.queries import Queries
from instance.storage.sqlite_rows import BUSY_SECONDS, Rows, TooLong, as_storage_error, connect_apart, drive, execute
from instance.storage.store import Work

T = TypeVar("T")

# Some ten milliseconds of point writes.
BATCH = 64
# So long (seconds) a batch may hold up the loop; then it is undone, and begins again in the thread.
LONGEST = 0.05
# Beyond this the disk does not keep up, and the callers are better told than kept.
MOST_WAITING = 10_000


@dataclass(slots=True)
class Unit:
    """A unit of work that waits for its batch, and then its outcome."""

    work: Work[Any]
    done: asyncio.Future[Any]
    brief: bool = False
    context: Context = field(default_factory=copy_context)
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Tell the caller, if it still waits."""
        if self.done.done():
            return
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.result)


class _BatchLost(Exception):
    """SQLite rolled the whole transaction back by itself (disk full, I/O error)."""


class Writer:
    """The one connection that writes, and the queue in front of it."""

    def __init__(self, path: Path, queries: Queries) -> None:
        self.commits = 0
        self._path = path
        self._queries = queries
        self._waiting: deque[Unit] = deque()
        self._task: asyncio.Task[None] | None = None
        self._connection: aiosqlite.Connection | None = None
        self._closed = False
        #: One for each function that the thread runs or is about to run; the thread takes it out.
        self._in_hand: set[object] = set()

    async def open(self) -> None:
        """Connect; also after the connection was lost."""
        self._connection = await connect_apart(self._path, writes=True)

    async def write(self, work: Work[T], *, brief: bool = False) -> T:
        """Run the unit in the next batch; return its result after the commit."""
        if self._closed:
            raise StorageUnavailable("storage_closed")
        if len(self._waiting) >= MOST_WAITING:
            raise StorageUnavailable("storage_busy", "too many writes are waiting")
        unit = Unit(work, asyncio.get_running_loop().create_future(), brief)
        self._waiting.append(unit)
        if self._task is None:
            self._task = asyncio.create_task(self._drain())
        result: T = await unit.done
        return result

    async def call(self, function: Any, *arguments: Any) -> Any:
        """Run a function of the raw connection in the writing thread, between two batches."""
        if self._closed:
            raise StorageUnavailable("storage_closed")
        return await self._in_thread(await self._connected(), lambda raw: function(raw, *arguments))

    async def finish(self) -> None:
        """Accept nothing more, and commit what is waiting."""
        self._closed = True
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Disconnect, after what is waiting."""
        await self.finish()
        await self._let_go()

    async def _drain(self) -> None:
        """Commit batch after batch until nobody waits; if it is stopped, those who wait hear storage_closed."""
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                await self._commit([unit for unit in batch if not unit.done.done()])
        finally:
            self._task = None
            while self._waiting:
                unit = self._waiting.popleft()
                unit.error = StorageUnavailable("storage_closed", "stopped before it began")
                unit.settle()

    async def _commit(self, batch: list[Unit]) -> None:
        """Run one batch and settle every caller, whatever happens."""
        try:
            if not await self._carry_out(await self._connected(), batch):
                await self._let_go()
        except Exception as error:
            for unit in batch:
                unit.error = _lost(error)
        except BaseException:
            for unit in batch:
                unit.error = StorageUnavailable("storage_closed", "stopped before the commit was known")
            raise
        finally:
            for unit in batch:
                unit.settle()

    async def _connected(self) -> aiosqlite.Connection:
        if self._connection is None:
            await self.open()
        assert self._connection is not None
        return self._connection

    async def _let_go(self) -> None:
        """Drop a connection that could not even roll back; the next batch opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                await connection.close()

    async def _carry_out(self, connection: aiosqlite.Connection, batch: list[Unit]) -> bool:
        """Run the batch where it belongs; return whether the connection is still good."""
        raw = connection._conn
        if self._in_hand or not all(unit.brief for unit in batch) or not _begun_at_once(raw):
            return await self._in_thread(connection, lambda raw: self._run(raw, batch))
        try:
            self._work(raw, batch, monotonic() + LONGEST)
        except TooLong:
            return await self._in_thread(connection, lambda raw: self._run(raw, batch))
        except (sqlite3.Error, _BatchLost) as error:
            fault = error
            return await self._in_thread(connection, lambda raw: self._give_up(raw, batch, fault))
        return await self._in_thread(connection, lambda raw: self._end(raw, batch))

    async def _in_thread(self, connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function of the raw connection in the writing thread, which has it in hand until the function ends."""
        mark = object()

        def whole(raw: sqlite3.Connection) -> T:
            try:
                return function(raw)
            finally:
                self._in_hand.discard(mark)

        self._in_hand.add(mark)
        return await execute(connection, whole)

    def _run(self, connection: sqlite3.Connection, batch: list[Unit]) -> bool:
        """Run the batch in the writing thread; return whether the connection is still good."""
        for unit in batch:
            unit.error = None  # whatever it met on the loop was undone with the rest
        try:
            if connection.in_transaction:  # begun on the loop, and not ended there
                connection.execute("rollback")
            connection.execute(f"pragma busy_timeout = {BUSY_SECONDS * 1000:.0f}")
            connection.execute("begin immediate")
            self._work(connection, batch)
        except (sqlite3.Error, _BatchLost) as error:
            return self._give_up(connection, batch, error)
        return self._end(connection, batch)

    def _work(self, connection: sqlite3.Connection, batch: list[Unit], until: float | None = None) -> None:
        """Run the units of a transaction that has begun; raise TooLong where they are not through by then."""
        if not self._together(connection, batch, until):
            connection.execute("begin immediate")
            # The one that raised is not asked again: what came before it comes before it again.
            for unit in [unit for unit in batch if unit.error is None]:
                self._apart(connection, unit, until)

    def _end(self, connection: sqlite3.Connection, batch: list[Unit]) -> bool:
        """Wait for the disk; return whether the connection is still good."""
        try:
            connection.execute("commit")
            self.commits += 1
        except sqlite3.Error as error:
            return self._give_up(connection, batch, error)
        return True

    def _together(self, connection: sqlite3.Connection, batch: list[Unit], until: float | None) -> bool:
        """Run the units one after the other; False, with the transaction undone, where one raised.

        Units hardly ever raise, and a savepoint for each costs a sixth of its work: SQLite copies every page a unit
        touches.
        """
        for unit in batch:
            self._attempt(connection, unit, until)
            if unit.error is not None:
                connection.execute("rollback")
                return False
        return True

    def _apart(self, connection: sqlite3.Connection, unit: Unit, until: float | None) -> None:
        """Run one unit in its savepoint; one that raises is undone alone."""
        connection.execute("savepoint unit")
        self._attempt(connection, unit, until)
        if unit.error is not None:
            connection.execute("rollback to unit")
        connection.execute("release unit")

    def _attempt(self, connection: sqlite3.Connection, unit: Unit, until: float | None) -> None:
        """Run one unit to its result or error; raise TooLong, or _BatchLost where SQLite undid all by itself."""
        unit.error = None
        rows = Rows(connection, self._queries, writes=True, until=until)
        try:
            unit.result = unit.context.run(lambda: drive(unit.work(rows)))
        except BaseException as error:
            unit.error = error
        try:
            rows.finish()
        except TooLong:
            raise
        except Exception as error:
            unit.error = unit.error or error
        if not connection.in_transaction:
            raise _BatchLost from unit.error

    def _give_up(self, connection: sqlite3.Connection, batch: list[Unit], error: Exception) -> bool:
        """Undo the batch after its commit failed, and tell every caller that nothing was kept."""
        try:
            if connection.in_transaction:
                connection.execute("rollback")
        except sqlite3.Error:
            healthy = False
        else:
            healthy = True
        if isinstance(error, sqlite3.IntegrityError) and healthy and len(batch) > 1:
            # A rule checked only at commit: each unit alone, so that the one that breaks it falls alone.
            alone = [self._run(connection, [unit]) for unit in batch]
            return all(alone)
        reason = error.__cause__ if isinstance(error, _BatchLost) else error
        for unit in batch:
            unit.error = unit.error or _lost(reason)
        return healthy


def _begun_at_once(connection: sqlite3.Connection) -> bool:
    """Begin without waiting; False where another process holds the file, or the connection is not what it was."""
    try:
        connection.execute("pragma busy_timeout = 0")
        connection.execute("begin immediate")
    except sqlite3.Error:
        return False
    return True


def _lost(reason: BaseException | None) -> Exception:
    """What the callers of a lost batch are told."""
    if isinstance(reason, sqlite3.Error) and isinstance(found := as_storage_error(reason, "commit"), StorageError):
        return found
    if isinstance(reason, StorageUnavailable):
        return StorageUnavailable(reason.code, reason.reason)
    return StorageUnavailable("storage_failed", "the transaction was lost")

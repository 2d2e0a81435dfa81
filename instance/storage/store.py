"""What both databases promise; everything above this file is written against it.

A unit of work is a coroutine function that takes a `Transaction` and awaits nothing else. SQLite drives it to its end
without a pause, in the writing thread or (what is brief) on the loop, together with what else has gathered, and commits
the batch once (group commit); PostgreSQL awaits it in a transaction of its own. Either way `write` returns after the
commit has reached the disk, and a unit that raises leaves no trace while its neighbours in the batch are kept.

A unit may be run again: after a deadlock, after a neighbour raised or broke a rule that is checked at commit, and where
it took too long on the loop. So it changes rows and nothing else; what is to be remembered is remembered after `write`.
After a statement of it has failed the unit is over, even where the error was caught: what may conflict says
`on conflict`.

Values are text without NUL, integers of 64 bits, floats, bytes and None; truth is 0 or 1. Rows are plain mappings.
What can be raised stands in errors.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from instance.storage.errors import (
    AlreadyRunning,
    BadValue,
    BrokenRule,
    Conflict,
    DatabaseDamaged,
    MigrationFailed,
    Misused,
    NotSupported,
    SchemaChanged,
    StorageError,
    StorageUnavailable,
)
from instance.storage.queries import Engine

__all__ = [
    "AlreadyRunning",
    "BadValue",
    "BrokenRule",
    "Conflict",
    "DatabaseDamaged",
    "Engine",
    "Look",
    "MigrationFailed",
    "Misused",
    "NotSupported",
    "Reader",
    "Row",
    "SchemaChanged",
    "StorageError",
    "StorageUnavailable",
    "Store",
    "Transaction",
    "Work",
]

Row = Mapping[str, Any]
T = TypeVar("T")


class Reader(Protocol):
    """Named queries (`file.name`, from queries/file.sql), with named parameters."""

    async def one(self, query: str, /, **values: Any) -> Row | None:
        """Return the first row, or None."""

    async def all(self, query: str, /, **values: Any) -> list[Row]:
        """Return all rows."""


class Transaction(Reader, Protocol):
    """A Reader that may also change rows. It is over when its unit of work is."""

    async def take_turn(self, subject: str) -> None:
        """Wait until no other unit of work is about this subject, and keep others waiting until this one is over.

        For units that look before they write.
        """

    async def run(self, query: str, /, **values: Any) -> int:
        """Change rows; return how many."""

    async def many(self, query: str, rows: Iterable[Mapping[str, Any]], /) -> None:
        """Run the statement once for each mapping of values."""


Work = Callable[[Transaction], Awaitable[T]]
Look = Callable[[Reader], Awaitable[T]]


class Store(Protocol):
    """One instance's rows. Made by `instance.storage.open_store`."""

    @property
    def engine(self) -> Engine:
        """Which database this is."""

    @property
    def commits(self) -> int:
        """How many transactions this process has committed."""

    async def write(self, work: Work[T], *, brief: bool = False) -> T:
        """Run the unit of work and return its result after commit (synchronous=FULL, synchronous_commit=on).

        `brief` says that it is a dozen statements by key as a rule: SQLite runs these on the loop, as it does `one`,
        and once more elsewhere where that holds the loop up.

        Raises what the unit raises; StorageUnavailable where the commit failed, and the next write may succeed again.
        A caller that is cancelled while it waits may still find its unit committed.
        """

    async def read(self, look: Look[T]) -> T:
        """Run several reads against one snapshot."""

    async def one(self, query: str, /, **values: Any) -> Row | None:
        """Point read by key: a few microseconds on SQLite, for use on hot paths."""

    async def known(self, query: str, /, **values: Any) -> Row | None:
        """The same as `one`, for a row that is asked for again and again: SQLite remembers it until anybody commits.

        The row is shared, and not the caller's to change.
        """

    async def few(self, query: str, /, **values: Any) -> list[Row]:
        """Return the rows of a query that walks an index to one page: for hot paths, where `all` costs too much.

        SQLite answers on the loop: whatever may have to look at more than some hundred rows is asked for with `all`.
        """

    async def all(self, query: str, /, **values: Any) -> list[Row]:
        """Return all rows of one query, without blocking the loop."""

    async def migrate(self) -> int:
        """Apply the numbered migrations that are missing, under a lock; return how many.

        Raises SchemaChanged, or MigrationFailed for one that was rolled back.
        """

    async def check(self) -> list[str]:
        """Return what is wrong with the database, in sentences; empty when nothing is.

        A sentence that begins with `warning: ` is advice; every other one is a fault.
        """

    async def backup(self, target: str) -> None:
        """Write a consistent copy while the server runs (SQLite: a file; PostgreSQL: raises NotSupported)."""

    async def close(self) -> None:
        """Finish what was begun and let go of the database; later calls raise StorageUnavailable(storage_closed)."""

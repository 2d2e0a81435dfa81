"""What storage raises, on either engine; no message carries a value that was to be stored.

StorageError
├── StorageUnavailable     503: full, busy, failed, read-only, closed; heals by itself
│   └── DatabaseDamaged    the file does not pass its check
├── BrokenRule             a row would break a rule of the schema
│   └── Conflict           a unique or primary key is taken
├── BadValue               a value no column can hold: NUL in text, a lone surrogate, an integer beyond 64 bits
├── AlreadyRunning         another process has the SQLite file
├── SchemaChanged          the migrations on disk are not those that were applied
├── MigrationFailed        a migration raised and was rolled back
└── NotSupported           this engine, or this database, cannot do that
Misused (RuntimeError)     a mistake in our own code: unknown query, surplus values, a unit that awaits others
"""

from __future__ import annotations


class StorageError(Exception):
    """The database did not do what was asked."""


class StorageUnavailable(StorageError):
    """Not now; nothing was acknowledged. `code` is storage_full, _busy, _failed, _readonly, _damaged or _closed."""

    def __init__(self, code: str, reason: str = "") -> None:
        super().__init__(f"{code}: {reason}" if reason else code)
        self.code = code
        self.reason = reason


class DatabaseDamaged(StorageUnavailable):
    """The database file does not pass its check; only a back-up helps."""

    def __init__(self, reason: str) -> None:
        super().__init__("storage_damaged", reason)


class BrokenRule(StorageError):
    """A foreign key, check or not-null rule of the schema forbids the row."""


class Conflict(BrokenRule):
    """A row with that unique or primary key is there already; `table` names where."""

    def __init__(self, table: str) -> None:
        super().__init__(f"a row with that key is in {table} already")
        self.table = table


class BadValue(StorageError, ValueError):
    """A value that cannot be stored as the query asks."""


class AlreadyRunning(StorageError):
    """Another process serves this database file."""


class SchemaChanged(StorageError):
    """An applied migration was edited, renamed, removed or overtaken; the message names the file."""


class MigrationFailed(StorageError):
    """A migration could not be applied and left no trace; the message names the file."""


class NotSupported(StorageError):
    """This engine or this database cannot do what was asked."""


class Misused(RuntimeError):
    """Our own code broke the promise of `Store`: a defect to mend, never an answer to a request."""

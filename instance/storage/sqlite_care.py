"""SQLite, the file as a whole: migrating, checking and copying it. Each function runs in a thread of its own."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from instance.storage.errors import DatabaseDamaged, MigrationFailed, SchemaChanged
from instance.storage.migrate import APPLIED, TABLE, Migration, missing
from instance.storage.sqlite_rows import as_storage_error, connect

# Before it, two connections that write or checkpoint at once can damage a WAL database.
SAFE_VERSION = (3, 51, 3)
MOST_WAL = 256 * 1024 * 1024


def migrate(connection: sqlite3.Connection, migrations: list[Migration]) -> int:
    """Apply what is missing; return how many."""
    connection.execute(TABLE)
    todo = missing(migrations, connection.execute(APPLIED).fetchall())
    # With foreign keys on, dropping a table to rebuild it would empty the tables that refer to it.
    connection.execute("pragma foreign_keys = off")
    try:
        for migration in todo:
            _apply(connection, migration)
    finally:
        connection.execute("pragma foreign_keys = on")
    return len(todo)


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    connection.execute("begin immediate")
    try:
        for statement in statements(migration.script):
            connection.execute(statement)
        if connection.execute("pragma foreign_key_check").fetchone() is not None:
            raise MigrationFailed(f"{migration.file} leaves rows that refer to nothing")
        connection.execute("insert into schema_migrations values (?, ?, ?, ?)", migration.row())
        connection.execute("commit")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("rollback")
        if isinstance(error, sqlite3.Error):
            raise MigrationFailed(f"{migration.file}: {error}") from None
        raise


def statements(script: str) -> Iterator[str]:
    """Yield one statement after the other; a semicolon in a string, comment or trigger ends none."""
    pending = ""
    for piece in script.split(";"):
        pending += piece
        if sqlite3.complete_statement(pending + ";"):
            if pending.strip():
                yield pending
            pending = ""
        else:
            pending += ";"
    if pending.strip("; \n"):
        yield pending.removesuffix(";")


def check(connection: sqlite3.Connection, path: Path, migrations: list[Migration]) -> list[str]:
    """Return what is wrong with the file, in sentences."""
    found = [f"{path.name}: {finding}" for finding in damage(connection)]
    for table, row, parent, _ in connection.execute("pragma foreign_key_check").fetchmany(10):
        found.append(f"row {row} of {table} refers to a row of {parent} that is not there")
    found += _pending(connection, migrations)
    if wal_size(str(path)) > MOST_WAL:
        found.append(f"{path.name}-wal has grown beyond {MOST_WAL >> 20} MiB: somebody has been reading for very long")
    if sqlite3.sqlite_version_info < SAFE_VERSION:
        found.append(
            f"warning: SQLite {sqlite3.sqlite_version} is older than {'.'.join(map(str, SAFE_VERSION))}, in which a "
            "fault that could damage a database is mended; let no other program write to the file"
        )
    return found


def wal_size(database: str) -> int:
    """Return the bytes of the WAL beside a SQLite file, given as path or address; 0 where there is none."""
    try:
        return Path(f"{database.removeprefix('sqlite:///')}-wal").stat().st_size
    except OSError:
        return 0


def can_search(connection: sqlite3.Connection) -> bool:
    """Whether this SQLite was built with FTS5."""
    return connection.execute("select 1 from pragma_module_list where name = 'fts5'").fetchone() is not None


def damage(connection: sqlite3.Connection) -> list[str]:
    """Return what `quick_check` finds."""
    try:
        found = [str(line) for (line,) in connection.execute("pragma quick_check(10)")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def _pending(connection: sqlite3.Connection, migrations: list[Migration]) -> list[str]:
    try:
        todo = missing(migrations, connection.execute(APPLIED).fetchall())
    except sqlite3.OperationalError:
        todo = migrations
    except SchemaChanged as error:
        return [str(error)]
    return [f"migration {migration.file} has not been applied" for migration in todo]


def copy(path: Path, target: Path) -> None:
    """Write a copy of one instant beside `target`, check it, put it in place; never over another file."""
    if target.exists():
        raise FileExistsError(f"{target} exists already")
    partial = target.with_name(f"{target.name}.partial")
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        _copy_pages(path, partial)
        _to_disk(partial)
        os.link(partial, target)
    except sqlite3.Error as error:
        raise as_storage_error(error, "backup") from None
    finally:
        partial.unlink()
    _to_disk(target.parent)


def _copy_pages(path: Path, partial: Path) -> None:
    source = connect(path, writes=False)
    copied = sqlite3.connect(partial, isolation_level=None)
    try:
        # All pages in one step: in smaller ones every write between two would make it begin again.
        source.backup(copied, pages=-1)
        copied.execute("pragma journal_mode = delete").fetchone()
        if findings := damage(copied):
            raise DatabaseDamaged(f"the copy does not pass its check: {findings[0]}")
    finally:
        copied.close()
        source.close()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""The SQLite engine: how it is opened, checked, copied; what stands still and what does not."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import stat
from pathlib import Path

import pytest

from instance.storage import open_store
from instance.storage.sqlite import SqliteStore
from instance.storage.sqlite_care import SAFE_VERSION, statements
from instance.storage.store import Misused, NotSupported, Reader, StorageUnavailable
from tests.contract.test_store import add, ids
from tests.instance.storage.conftest import open_small


async def test_every_commit_is_synced(store: SqliteStore) -> None:
    """WAL, synchronous=FULL (2) and foreign keys on the writing connection (P1)."""

    def settings(connection: sqlite3.Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.execute(f"pragma {name}").fetchone()[0] for name in names]

    assert ["wal", 2, 1] == await store._writer.call(settings)


async def test_the_file_and_its_wal_are_nobody_elses_to_read(path: Path, store: SqliteStore) -> None:
    """Mode 0600 for the database, the WAL, the lock and a back-up."""
    await add(store, "a")
    copy = path.with_name("copy.db")
    await store.backup(str(copy))

    files = [path, path.with_name("small.db-wal"), path.with_name("small.db.lock"), copy]
    assert [0o600] * 4 == [stat.S_IMODE(file.stat().st_mode) for file in files]


async def test_a_point_read_holds_no_snapshot(path: Path, store: SqliteStore) -> None:
    """After `one` of a query with many rows, a checkpoint can empty the WAL."""
    for number in range(50):
        await add(store, f"{number:02}", number)
    await store.one("notes.in_order", most=50)
    await store.all("notes.in_order", most=50)

    busy, _, _ = await store._writer.call(
        lambda connection: connection.execute("pragma wal_checkpoint(truncate)").fetchone()
    )
    assert (0, 0) == (busy, path.with_name("small.db-wal").stat().st_size)


async def test_a_look_that_raises_lets_its_snapshot_go(store: SqliteStore) -> None:
    """The reader is as good as new after a failure."""

    async def fails(reader: Reader) -> None:
        await reader.all("notes.in_order", most=1)
        raise LookupError

    async def waits(reader: Reader) -> None:
        await asyncio.sleep(0)

    for _ in range(4):
        with pytest.raises(LookupError):
            await store.read(fails)
        with pytest.raises(Misused, match="waits for something outside"):
            await store.read(waits)
    await add(store, "a")

    assert ["a"] == await store.read(ids)


async def test_a_back_up_under_load_is_of_one_instant(path: Path, store: SqliteStore) -> None:
    """Copied while writing goes on, it holds a prefix of what was written, complete, and opens (P10)."""
    going = True

    async def write_on() -> int:
        number = 0
        while going:
            number += 1
            await add(store, f"{number:06}", number, "x" * 2000)
        return number

    writing = asyncio.create_task(write_on())
    copy = path.with_name("copy.db")
    while len(await ids(store)) < 100:
        await asyncio.sleep(0)
    await store.backup(str(copy))
    going = False
    written = await writing
    restored = await open_small(copy, examine=True)
    try:
        kept = await ids(restored)
        assert 0 == await restored.migrate()
    finally:
        await restored.close()

    assert [f"{number:06}" for number in range(1, len(kept) + 1)] == kept
    assert 100 <= len(kept) <= written


async def test_a_back_up_never_overwrites(path: Path, store: SqliteStore) -> None:
    """Neither another file nor the database itself; nothing half-written stays."""
    other = path.with_name("other.db")
    other.write_text("dear")

    for target in (other, path):
        with pytest.raises(FileExistsError):
            await store.backup(str(target))
    with pytest.raises(FileNotFoundError):
        await store.backup(str(path.with_name("no folder") / "x.db"))
    assert "dear" == other.read_text()
    assert [] == list(path.parent.glob("*.partial"))


async def test_check_warns_of_an_old_sqlite_and_finds_broken_references(path: Path, store: SqliteStore) -> None:
    """Advice begins with `warning: `; a row that refers to nothing is a fault."""
    warned = [sentence for sentence in await store.check() if sentence.startswith("warning: SQLite")]

    def break_it(connection: sqlite3.Connection) -> None:
        connection.execute("pragma foreign_keys = off")
        connection.execute("insert into tags values ('nobody', 'w', 1)")
        connection.execute("pragma foreign_keys = on")

    await store._writer.call(break_it)
    found = await store.check()

    assert (sqlite3.sqlite_version_info < SAFE_VERSION) == (len(warned) == 1)
    assert "row 1 of tags refers to a row of notes that is not there" in found


async def test_values_are_not_logged(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    """Even where everything is logged, the driver's own lines with values are not."""
    with caplog.at_level(logging.DEBUG):
        await add(store, "secret", body="private")
        await store.all("notes.matching", word="private")

    assert "private" not in caplog.text


async def test_a_database_is_named_in_three_ways(tmp_path: Path) -> None:
    """A path, sqlite:/// and an absolute path, postgresql://; anything else is refused."""
    for where in (tmp_path / "a.db", f"sqlite:///{tmp_path}/b.db", f"sqlite://{tmp_path}/c.db"):
        store = await open_store(where)
        await store.close()
    names = {file.name for file in tmp_path.glob("*.db")}

    assert {"a.db", "b.db", "c.db"} == names
    for wrong in ("sqlite://", "sqlite:///", "sqlite:relative.db", "mysql://x/y", ":memory:", ""):
        with pytest.raises(Misused, match="a database is"):
            await open_store(wrong)
    with pytest.raises(NotSupported, match="does not exist"):
        await open_store(tmp_path / "no folder" / "x.db")


async def test_too_many_waiting_writes_are_told_so(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk does not keep up, callers are refused before memory is."""
    monkeypatch.setattr("instance.storage.sqlite_writer.MOST_WAITING", 3)
    outcomes = await asyncio.gather(*(add(store, f"{number}", number) for number in range(5)), return_exceptions=True)

    assert ["storage_busy"] * 2 == [outcome.code for outcome in outcomes if isinstance(outcome, StorageUnavailable)]
    assert ["0", "1", "2"] == await ids(store)


def test_scripts_are_cut_where_statements_end() -> None:
    """Semicolons in strings, comments and triggers end nothing."""
    script = (
        "create table a (t text default ';'); -- one; two\ncreate trigger x after insert on a begin select 1; end;\n"
    )

    assert 2 == len(list(statements(script)))
    assert ["select 1"] == list(statements("select 1"))
    assert [] == list(statements(" ;\n"))

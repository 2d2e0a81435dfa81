"""What must hold when processes are killed, the power goes, the disk fills or bytes are flipped."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from instance.storage.sqlite import SqliteStore
from instance.storage.store import AlreadyRunning, DatabaseDamaged, StorageUnavailable
from tests.contract.databases import SQL
from tests.contract.test_store import add, ids
from tests.instance.storage.conftest import Start, open_small

CHILD = "tests.instance.storage.writing_child"


def read_acknowledged(process: subprocess.Popen[str], least: int) -> list[str]:
    """The first so many ids that the child has acknowledged."""
    assert process.stdout is not None
    lines = []
    while len(lines) < least:
        line = process.stdout.readline()
        if not line:
            pytest.fail(f"the child ended early: {process.communicate()[1]}")
        lines.append(line.strip())
    return lines


async def examine(path: Path, acknowledged: list[str]) -> None:
    """The file is sound, every acknowledged note is there, and each note has its tag."""
    connection = sqlite3.connect(path)
    try:
        sound = connection.execute("pragma integrity_check").fetchall()
        kept = {note for (note,) in connection.execute("select id from notes")}
        torn = connection.execute("select id from notes where id not in (select note from tags)").fetchall()
    finally:
        connection.close()

    assert [("ok",)] == sound
    assert [] == [note for note in acknowledged if note not in kept]
    assert [] == torn


async def test_nothing_acknowledged_is_lost_by_kill_9(path: Path, start: Start) -> None:
    """Ten times killed at a random instant of group commits; the same file goes on each time (P1)."""
    acknowledged: list[str] = []
    for turn in range(10):
        child = start("-m", CHILD, str(path), f"t{turn}")
        acknowledged += read_acknowledged(child, random.randint(1, 400))
        child.kill()
        assert child.stdout is not None
        # The last line may be torn; what precedes it was acknowledged.
        acknowledged += child.stdout.read().split("\n")[:-1]

        await examine(path, acknowledged)


async def test_a_copy_at_any_instant_has_every_acknowledged_row(path: Path, tmp_path: Path, start: Start) -> None:
    """Power loss: database and WAL as they stand at one instant open soundly and whole (F7)."""
    child = start("-m", CHILD, str(path), "p")
    acknowledged: list[str] = []
    for turn in range(6):
        acknowledged += read_acknowledged(child, random.randint(50, 500))
        child.send_signal(signal.SIGSTOP)
        copy = tmp_path / f"copy{turn}.db"
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")
        child.send_signal(signal.SIGCONT)

        await examine(copy, acknowledged)


async def test_a_second_process_is_refused(path: Path, store: SqliteStore, start: Start) -> None:
    """Two servers on one file: the second does not start, and names the first (F34)."""
    child = start("-m", CHILD, str(path), "second")
    _, said = await asyncio.to_thread(child.communicate)

    assert 0 != child.returncode
    assert f"AlreadyRunning: {path.name} is served by process {os.getpid()} already" in said
    with pytest.raises(AlreadyRunning):
        await open_small(path)
    await add(store, "unharmed")


async def test_the_lock_goes_with_its_process(path: Path, start: Start) -> None:
    """After a kill the next process starts at once, whatever the lock file says; so it does after close."""
    child = start("-m", CHILD, str(path), "gone")
    read_acknowledged(child, 1)
    child.kill()
    child.wait()

    for _ in range(2):
        store = await open_small(path)
        await store.close()


async def test_another_name_of_the_file_is_the_same_file(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """A symbolic link does not lead around the lock."""
    link = tmp_path / "other.db"
    link.symlink_to(path)

    with pytest.raises(AlreadyRunning):
        await open_small(link)


async def test_a_migration_is_whole_or_absent_after_kill_9(path: Path, tmp_path: Path, start: Start) -> None:
    """Killed inside a migration, the file is as before it, and the next start finishes (F4)."""
    schema = Path(shutil.copytree(SQL / "schema", tmp_path / "schema"))
    rows = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000000) "
    slow = schema / "0003_slow.sql"
    slow.write_text(f"create table slow (i bigint);\n{rows} insert into slow select i from n;")
    program = (
        "import asyncio,sys;from pathlib import Path;from instance.storage import open_store\n"
        "async def main():\n"
        "    store = await open_store(Path(sys.argv[1]), schema_dir=Path(sys.argv[2]), queries_dir=Path(sys.argv[2]))\n"
        "    print('begun', flush=True); await store.migrate()\n"
        "asyncio.run(main())"
    )
    child = start("-c", program, str(path), str(schema))
    assert child.stdout is not None
    child.stdout.readline()
    wal = path.with_name(f"{path.name}-wal")
    while not wal.exists() or wal.stat().st_size < 1_000_000:
        assert child.poll() is None
        await asyncio.sleep(0.01)
    child.kill()
    child.wait()
    slow.write_text("create table slow (i bigint);")
    store = await open_small(path, schema_dir=schema)
    try:
        assert ["migration 0003_slow.sql has not been applied"] == faults(await store.check())
        assert 1 == await store.migrate()
        assert [] == faults(await store.check())
    finally:
        await store.close()


async def test_a_write_lock_held_elsewhere_is_busy_and_then_over(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign program that holds the write lock costs the busy time-out, then 503; freed, writing goes on (F10)."""
    await store._writer.call(lambda connection: connection.execute("pragma busy_timeout = 50"))
    stranger = sqlite3.connect(path, isolation_level=None)
    stranger.execute("begin immediate")

    with pytest.raises(StorageUnavailable) as refused:
        await add(store, "early")
    stranger.execute("rollback")
    stranger.close()
    await add(store, "later", 2)

    assert "storage_busy" == refused.value.code
    assert ["later"] == await ids(store)


async def test_a_file_that_may_not_grow_is_full_and_heals(path: Path, start: Start) -> None:
    """The operating system refuses to write more: every caller is told, and afterwards writing goes on (F8, F9)."""
    program = f"""
import asyncio, resource
from pathlib import Path
from tests.instance.storage.conftest import open_small
from tests.contract.test_store import add, ids
from instance.storage.store import StorageUnavailable
async def main():
    store = await open_small(Path({str(path)!r}))
    await store.migrate()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    fit = (add(store, f"n{{i}}", i, "x" * 20_000) for i in range(10))
    do_not = (add(store, f"m{{i}}", i, "x" * 90_000) for i in range(10))
    outcomes = await asyncio.gather(*fit, return_exceptions=True)
    more = await asyncio.gather(*do_not, return_exceptions=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert all(isinstance(o, StorageUnavailable) for o in more), more
    await add(store, "later", 99)
    kept = [f"n{{i}}" for i, o in enumerate(outcomes) if o is None]
    assert sorted([*kept, "later"]) == await ids(store), (kept, await ids(store))
    print(*{{o.code for o in more}}, await store.check())
    await store.close()
asyncio.run(main())
"""
    child = start("-c", program)
    said, complaint = await asyncio.to_thread(child.communicate)

    assert "" == complaint
    assert said.startswith(("storage_full", "storage_failed"))


async def test_flipped_bytes_are_found_at_the_start(path: Path) -> None:
    """A hundred bytes of the file changed: an examined start refuses and says what helps (F12)."""
    store = await open_small(path)
    await store.migrate()
    # Small rows: SQLite has no checksums, so only what holds the pages together can be found wrong.
    await asyncio.gather(*(add(store, f"{number}", number) for number in range(2000)))
    await store.close()
    dice = random.Random(12)
    with path.open("r+b") as file:
        for _ in range(100):
            file.seek(dice.randrange(4096, path.stat().st_size))
            file.write(dice.randbytes(1))

    with pytest.raises(DatabaseDamaged, match="restore the last back-up"):
        await open_small(path, examine=True)


@pytest.mark.parametrize(
    "content", [b"this is no database at all, but text " * 40, b"SQLite format 3\0" + b"\xff" * 4000]
)
async def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    """Neither opened nor overwritten."""
    path.write_bytes(content)

    with pytest.raises(DatabaseDamaged):
        await open_small(path)
    assert content == path.read_bytes()


async def test_a_sound_file_passes_its_examination(path: Path) -> None:
    """The twin: examined and opened."""
    for _ in range(2):
        store = await open_small(path, examine=True)
        await store.migrate()
        await store.close()


def faults(sentences: list[str]) -> list[str]:
    """What check() found, without its advice."""
    return [sentence for sentence in sentences if not sentence.startswith("warning: ")]

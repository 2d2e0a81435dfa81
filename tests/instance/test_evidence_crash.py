"""The evidence vault after a crash at any step, and after a back-up was put back."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from instance.evidence import EvidenceFile, EvidenceVault
from instance.evidence_files import ErasureLog, WrappedKeys
from instance.services.errors import Rejected
from instance.storage.store import Transaction
from tests.instance.vaults import DOSSIER, OTHER, Keeper, Killed, keeper


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Keeper]:
    """An open vault."""
    async with keeper(tmp_path / "fr") as made:
        yield made


# ── a crash at each step ──


@pytest.mark.parametrize("step", ["put: key", "put: bytes"])
async def test_an_upload_that_was_cut_off_is_swept(held: Keeper, step: str) -> None:
    """Nobody was told that it was kept; after a day nothing is left of it, and the file beside it is untouched."""
    other = await held.put("other", OTHER)
    held.dies_at(step)
    with pytest.raises(Killed):
        await held.put()
    await held.again()
    left = (held.sealed() | held.keys()) - {other.id}
    await _keep_for_ever(held, OTHER)
    held.clock.move(hours=23)
    await held.vault.sweep()
    still = (held.sealed() | held.keys()) - {other.id}
    held.clock.move(hours=1)
    await held.vault.sweep()

    assert 1 == len(left)
    assert left == still
    assert [] == await held.vault.files(DOSSIER)
    assert ({other.id}, {other.id}) == (held.sealed(), held.keys())
    assert await held.see(other)


async def _keep_for_ever(held: Keeper, dossier: str) -> None:
    async def work(tx: Transaction) -> None:
        await held.vault.schedule(tx, dossier, None)

    await held.store.write(work)


async def _forgets(held: Keeper, *files: EvidenceFile) -> None:
    """The database is put back as it was before these were sent."""

    async def work(tx: Transaction) -> None:
        for file in files:
            await tx.run("evidence.mark_destroyed", id=file.id, now=1, why="test")
        await tx.run("evidence.forget_dossier", dossier=DOSSIER)

    await held.store.write(work)


async def _remembers(held: Keeper, *files: EvidenceFile) -> None:
    """The right database comes back."""

    async def work(tx: Transaction) -> None:
        for file in files:
            await held.vault._add(tx, file)

    await held.store.write(work)


async def test_the_wrong_database_can_be_mended_for_a_day(held: Keeper) -> None:
    """The day begins when a file is first seen to be nobody's, however old it is, and begins anew after it was mended."""
    file = await held.put(destroy_at=held.at(days=300))
    held.clock.move(days=20)
    await _forgets(held, file)
    await held.again()
    held.clock.move(hours=23)
    await held.again()
    await _remembers(held, file)
    held.clock.move(hours=2)
    await held.again()
    seen = await held.see(file)
    await _forgets(held, file)
    await held.again()
    held.clock.move(hours=23, minutes=59)
    await held.vault.sweep()
    kept = held.sealed() & held.keys()
    held.clock.move(minutes=1)
    await held.vault.sweep()

    assert seen
    assert {file.id} == kept
    assert set() == held.sealed() | held.keys()


async def test_most_of_the_files_are_not_taken_for_left_overs(held: Keeper) -> None:
    """A database that knows hardly any of them is likelier the wrong one: said aloud, and kept for thirty days."""
    files = [await held.put(f"{number}", destroy_at=held.at(days=300)) for number in range(5)]
    other = await held.put("other", OTHER, destroy_at=held.at(days=300))
    await _forgets(held, *files)
    await held.again()
    held.clock.move(days=29)
    await held.vault.sweep()
    kept, said = held.sealed(), held.log.of("evidence_orphans_kept")
    found = await held.vault.findings()
    held.clock.move(days=1)
    await held.vault.sweep()

    assert {file.id for file in (*files, other)} == kept
    assert {"count": 5} == said[-1]
    assert ["5 files of evidence are named by no row: is this the right database?"] == found
    assert {other.id} == held.sealed() == held.keys()
    assert [] == await held.vault.findings()


async def test_a_few_left_overs_are_taken_also_where_they_are_most(held: Keeper) -> None:
    """Four uploads that were cut off in an instance that has no other file."""
    files = [await held.put(f"{number}") for number in range(4)]
    await _forgets(held, *files)
    await held.vault.sweep()
    held.clock.move(days=1)
    await held.vault.sweep()

    assert set() == held.sealed() | held.keys()
    assert [] == held.log.of("evidence_orphans_kept")


async def test_a_torn_line_of_the_orphans_is_seen_anew(held: Keeper) -> None:
    """What cannot be read hastens nothing."""
    file = await held.put(destroy_at=held.at(days=300))
    await _forgets(held, file)
    path = held.config.data / "evidence-orphans.log"
    path.write_text(f"{file.id} x\n{file.id} 1", "utf-8")
    await held.vault.sweep()

    assert {file.id} == held.sealed() == held.keys()
    assert 0o600 == path.stat().st_mode & 0o777


async def test_what_is_put_off_before_it_is_claimed_is_kept(held: Keeper) -> None:
    """Handed in between the look and the deed: the file stays. The one beside it goes."""
    file, other = await held.put(), await held.put("other", OTHER)
    held.clock.move(days=31)
    look = held.store.all

    async def then_put_off(query: str, **values: Any) -> Any:
        found = await look(query, **values)
        if query == "evidence.due" and found:
            await _keep_for_ever(held, DOSSIER)
        return found

    held.store.all = then_put_off  # type: ignore[method-assign]
    assert 1 == await held.vault.sweep()
    assert {file.id} == held.sealed() == held.keys()
    assert await held.see(file)
    assert other.id != file.id


async def test_what_is_claimed_is_not_put_off(held: Keeper) -> None:
    """Whoever comes after the claim is too late: a crash in between is gone on with, and the file goes."""
    file = await held.put()
    held.clock.move(days=31)

    async def dies(_ids: list[str], _why: str) -> None:
        raise Killed

    held.vault._destroy = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await held.vault.sweep()
    await _keep_for_ever(held, DOSSIER)

    async def one(tx: Transaction) -> None:
        await held.vault.schedule_file(tx, file.id, None)

    await held.store.write(one)
    await held.again()

    assert set() == held.sealed() | held.keys()
    assert "retention" == (await held.row(file) or {})["destroyed_for"]


async def test_an_upload_under_way_is_not_swept(held: Keeper) -> None:
    """What has no row yet may be about to get one."""
    held.dies_at("put: bytes")
    with pytest.raises(Killed):
        await held.put()
    await held.again()
    await held.vault.sweep()

    assert 1 == len(held.sealed()) == len(held.keys())


async def test_an_upload_whose_row_is_there_is_kept(held: Keeper) -> None:
    """The row is the last step: with it everything is there."""
    held.dies_at("put: row")
    with pytest.raises(Killed):
        await held.put()
    await held.again()
    (file,) = await held.vault.files(DOSSIER)

    assert await held.see(file)


async def test_an_upload_that_fails_takes_itself_back(held: Keeper) -> None:
    """A full disk, a database that is away: nothing is left, and the next upload works."""

    def full(step: str) -> None:
        if step == "put: bytes":
            raise OSError(28, "No space left on device")

    held.vault._step = full
    with pytest.raises(Exception, match="storage_full"):
        await held.put()
    assert (set(), set()) == (held.sealed(), held.keys())
    held.vault._step = lambda _step: None

    assert await held.put()


STEPS = ["destroy: record", "destroy: key", "destroy: bytes", "destroy: row"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_destruction_that_was_cut_off_is_gone_on_with(held: Keeper, step: str) -> None:
    """Before anybody is served it is finished; never is a file readable that was told to be gone."""
    file, other = await held.put(), await held.put("other", OTHER)
    told: list[str] = []
    held.dies_at(step)
    with pytest.raises(Killed):
        await held.vault.destroy(file.id, "request")
    await held.store.close()
    vault = await _start_that_tells(held, told)
    row = await held.row(file)

    assert ({other.id}, {other.id}) == (held.sealed(), held.keys())
    assert row is not None
    assert row["destroyed_at"] is not None
    with pytest.raises(Rejected, match="evidence_gone"):
        await held.see(file)
    assert await held.see(other)
    assert ([] if step == "destroy: row" else [file.id]) == told
    assert "open" == vault.state


async def _start_that_tells(held: Keeper, told: list[str]) -> EvidenceVault:
    """A start in which the audit log hears of erasures from the beginning."""
    from instance.storage import open_store

    held.store = await open_store(held.config.database)
    held.vault = EvidenceVault(held.config, held.store, held.clock, held.log, held.metrics)

    async def tell(_tx: Transaction, file: EvidenceFile, _why: str) -> None:
        told.append(file.id)

    held.vault.on_erased = tell
    await held.vault.open()
    return held.vault


@pytest.mark.parametrize("step", STEPS)
async def test_a_sweep_that_was_cut_off_is_gone_on_with(held: Keeper, step: str) -> None:
    """The same for many at once."""
    files = [await held.put(f"{number}") for number in range(3)]
    held.clock.move(days=31)
    held.dies_at(step)
    with pytest.raises(Killed):
        await held.vault.sweep()
    await held.again()

    assert set() == held.sealed() | held.keys()
    assert [] == [file.id for file in files if (await held.row(file) or {})["destroyed_at"] is None]


async def test_a_start_that_crashes_is_started_again(held: Keeper) -> None:
    """Replaying is itself interrupted, and comes to its end the next time."""
    file = await held.put()
    held.dies_at("destroy: record")
    with pytest.raises(Killed):
        await held.vault.destroy(file.id, "request")
    for _ in range(2):
        await held.again()

    assert set() == held.sealed() | held.keys()


async def test_a_torn_line_of_the_record_hides_no_other(tmp_path: Path) -> None:
    """A crash in the middle of a line costs that line, never one before or after it."""
    path = tmp_path / "erased.log"
    log = ErasureLog(path)
    one, two, three = (f"01JD000000000000000000000{digit}" for digit in "123")
    log.append([one], "request", 5)
    with path.open("ab") as file:
        file.write(f"{two} retent".encode())
    log.append([three], "retention", 6)

    assert {one: "request", three: "retention"} == log.read()


async def test_a_hot_journal_of_the_keys_is_rolled_back_and_blackened(tmp_path: Path) -> None:
    """A process that dies while it writes keys leaves a journal; the next start mends the file and empties the journal."""
    code = """
import os, sys
from pathlib import Path
from typing import Any
from instance.evidence_files import WrappedKeys
keys = WrappedKeys(Path(sys.argv[1]))
keys.create(b"check")
keys.add("kept", lambda _check: b"K" * 65)
with keys._changing() as connection:
    connection.execute("pragma cache_size = 1")
    connection.execute("pragma cache_spill = 1")
    for number in range(3000):
        connection.execute("insert into wrapped_keys values (?, ?)", (f"lost{number}", b"L" * 65))
    os.kill(os.getpid(), 9)
"""
    import sys

    path = tmp_path / "keys.db"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path))
    assert -9 == await process.wait()
    journal = path.with_name("keys.db-journal")
    hot = journal.stat().st_size
    keys = WrappedKeys(path)
    keys.settle()

    assert hot > 0
    assert {"kept"} == keys.ids()
    assert (b"check", b"K" * 65) == (keys.check(), keys.get("kept"))
    assert b"" == b"".join(found.read_bytes() for found in tmp_path.glob("keys.db-*"))


# ── a back-up is put back ──


async def _back_up(held: Keeper, folder: Path) -> None:
    """Database and sealed files in one place, the keys in another."""
    folder.mkdir()
    (folder / "apart").mkdir()
    await held.store.backup(str(folder / "esanum.db"))
    await held.vault.copy_to(folder / "evidence")
    await held.vault.copy_keys_to(folder / "apart" / "keys.db")


async def _put_back(held: Keeper, folder: Path, *, keys: bool = True) -> None:
    """The drill of docs/operate/backup.md; the record of erasures stays where it is."""
    await held.store.close()
    data = held.config.data
    for name in ("esanum.db", "esanum.db-wal", "esanum.db-shm"):
        (data / name).unlink(missing_ok=True)
    shutil.copy(folder / "esanum.db", data / "esanum.db")
    for path in (folder / "evidence").glob("*.sealed"):
        shutil.copy(path, data / "evidence" / path.name)
    if keys:
        shutil.copy(folder / "apart" / "keys.db", data / "evidence-keys.db")
    await held.start()


async def test_a_restored_back_up_brings_nothing_erased_back(held: Keeper, tmp_path: Path) -> None:
    """Rows, bytes and even keys are those of before; what was destroyed since is destroyed again before anybody looks."""
    gone, kept = await held.put(), await held.put("kept", OTHER)
    await _back_up(held, tmp_path / "copy")
    await held.vault.destroy(gone.id, "request")
    await _put_back(held, tmp_path / "copy")
    row = await held.row(gone)

    assert ({kept.id}, {kept.id}) == (held.sealed(), held.keys())
    assert row is not None
    assert row["destroyed_at"] is not None
    with pytest.raises(Rejected, match="evidence_gone"):
        await held.see(gone)
    assert await held.see(kept)
    assert [{"count": 1}] == held.log.of("evidence_erased_again")


async def test_it_would_have_come_back_without_the_record(held: Keeper, tmp_path: Path) -> None:
    """The drill above really restores a readable file; it is the record that takes it away."""
    gone = await held.put()
    await _back_up(held, tmp_path / "copy")
    await held.vault.destroy(gone.id, "request")
    (held.config.data / "evidence-erased.log").unlink()
    await _put_back(held, tmp_path / "copy")

    assert await held.see(gone)


async def test_what_fell_due_meanwhile_goes_before_anybody_looks(held: Keeper, tmp_path: Path) -> None:
    """Also where the record is lost: dates stand in the rows."""
    await held.put()
    await _back_up(held, tmp_path / "copy")
    held.clock.move(days=31)
    await held.vault.sweep()
    (held.config.data / "evidence-erased.log").unlink()
    await _put_back(held, tmp_path / "copy")

    assert set() == held.sealed() | held.keys()


async def test_an_old_back_up_opens_nothing_without_its_keys(held: Keeper, tmp_path: Path) -> None:
    """Bytes and rows of years ago, with the keys of today: what was destroyed in between stays sealed."""
    gone, kept = await held.put(), await held.put("kept", OTHER)
    await _back_up(held, tmp_path / "copy")
    await held.vault.destroy(gone.id, "request")
    (held.config.data / "evidence-erased.log").unlink()
    await _put_back(held, tmp_path / "copy", keys=False)

    with pytest.raises(Rejected, match="evidence_damaged"):
        await held.see(gone)
    assert await held.see(kept)


async def test_a_copy_of_the_evidence_follows(held: Keeper, tmp_path: Path) -> None:
    """The second time only what is new is copied, and what was destroyed is taken out; it is its owner's alone."""
    one, two = await held.put("one"), await held.put("two")
    copy = tmp_path / "copy"
    assert 2 == await held.vault.copy_to(copy)
    await held.vault.destroy(one.id, "request")
    three = await held.put("three")
    assert 1 == await held.vault.copy_to(copy)

    assert {f"{two.id}.sealed", f"{three.id}.sealed", "evidence-erased.log"} == {path.name for path in copy.iterdir()}
    assert one.id in (copy / "evidence-erased.log").read_text()
    assert {0o600} == {path.stat().st_mode & 0o777 for path in copy.iterdir()}
    assert 0 == await held.vault.copy_to(copy)


async def test_keys_and_evidence_are_copied_apart(held: Keeper, tmp_path: Path) -> None:
    """Beside the evidence, inside the data folder and over another file no copy of the keys is written."""
    await held.put()
    copy = tmp_path / "copy"
    await held.vault.copy_to(copy)

    for target, code in (
        (copy / "k.db", "beside_evidence"),
        (tmp_path / "k.db", "beside_evidence"),
        (held.config.data / "k.db", "inside_data"),
    ):
        with pytest.raises(Rejected, match=code):
            await held.vault.copy_keys_to(target)
    with pytest.raises(Rejected, match="inside_data"):
        await held.vault.copy_to(held.config.data / "copy")
    apart = tmp_path / "fr-keys"
    apart.mkdir()
    await held.vault.copy_keys_to(apart / "k.db")
    with pytest.raises(FileExistsError):
        await held.vault.copy_keys_to(apart / "k.db")
    assert held.keys() == WrappedKeys(apart / "k.db").ids()

"""The evidence vault: what is kept, who sees it, and what closes it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from instance.evidence import CLOSED, CODES, KEPT, EvidenceFile
from instance.services.errors import Missing, Rejected
from instance.storage.errors import StorageUnavailable
from instance.storage.store import Transaction
from instance.vault import EVIDENCE_KEK
from tests.instance.files import JPEG, PDF, PNG, image, opened, pdf
from tests.instance.vaults import DOSSIER, OTHER, READER, Keeper, keeper
from verification.documents import BadFile, FileFault, FileKind, FileRules


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Keeper]:
    """An open vault."""
    async with keeper(tmp_path) as made:
        yield made


async def refused(work: Any) -> Rejected:
    """What a call is refused with; its code is one of those promised."""
    with pytest.raises(Rejected) as caught:
        await work
    assert caught.value.code in CODES
    return caught.value


# ── keeping and showing ──


async def test_what_was_shown_can_be_seen(held: Keeper) -> None:
    """A document is kept with its facts, and each page is a picture."""
    sent = pdf(2)
    file = await held.vault.put(DOSSIER, "registration", PDF, sent)

    page = opened(await held.see(file, 2))
    assert (FileKind.PDF, 2, "registration", DOSSIER) == (file.media, file.pages, file.kind, file.dossier)
    assert [file] == await held.vault.files(DOSSIER)
    assert "JPEG" == page.format
    assert [file.id] == held.viewed


async def test_an_upload_may_come_in_pieces(held: Keeper) -> None:
    """A stream is the same file, and is given up as soon as it is too long."""

    async def pieces(count: int) -> AsyncIterator[bytes]:
        sent = image(PNG)
        for at in range(0, len(sent), 100):
            yield sent[at : at + 100]
        for _ in range(count):
            yield bytes(1024 * 1024)
        assert count < 20

    whole = await held.vault.put(DOSSIER, "diploma", PNG, image(PNG))
    streamed = await held.vault.put(DOSSIER, "diploma", PNG, pieces(0))
    with pytest.raises(BadFile) as caught:
        await held.vault.put(DOSSIER, "diploma", PNG, pieces(20))

    assert whole.sha256 == streamed.sha256
    assert FileFault.TOO_LARGE is caught.value.fault


async def test_what_is_refused_leaves_no_trace(held: Keeper) -> None:
    """No key, no bytes, no row."""
    with pytest.raises(BadFile) as caught:
        await held.vault.put(DOSSIER, "diploma", PNG, image(JPEG))

    assert FileFault.DISGUISED is caught.value.fault
    assert (set(), set(), []) == (held.sealed(), held.keys(), await held.vault.files(DOSSIER))


async def test_a_dossier_holds_six_files_also_when_they_come_at_once(held: Keeper) -> None:
    """The seventh is refused however fast it comes, and leaves nothing; another dossier has its own six."""
    done = await asyncio.gather(*(held.put(f"{number}") for number in range(8)), return_exceptions=True)
    faults = [one.fault for one in done if isinstance(one, BadFile)]

    assert [FileFault.TOO_MANY] * 2 == faults
    assert 6 == len(held.sealed()) == len(held.keys()) == len(await held.vault.files(DOSSIER))
    assert await held.put("other", OTHER)


async def test_a_destroyed_file_makes_room(held: Keeper) -> None:
    """Six are counted of those that are there."""
    held.vault.rules = FileRules(files=1)
    file = await held.put()
    await held.vault.destroy(file.id, "request")

    assert (await held.put("two")).id != file.id


async def test_nobody_sees_what_is_not_there(held: Keeper) -> None:
    """An id nobody has, a page beyond the last and page 0 are answered alike, and nothing is recorded as seen."""
    file = await held.put()

    for id, page in (("01JD0000000000000000000000", 1), (file.id, 2), (file.id, 0), (file.id, -1)):
        with pytest.raises(Missing):
            await held.vault.page(id, page, watermark=READER, record=lambda: pytest.fail("nothing was seen"))
    assert [] == held.viewed


async def test_a_view_that_cannot_be_recorded_shows_nothing(held: Keeper) -> None:
    """The record comes before the bytes are even opened; its fault is the caller's to see (F39)."""
    file = await held.put()

    async def full() -> None:
        raise StorageUnavailable("storage_full")

    opened_before: list[str] = []
    held.vault._opened = lambda *_: opened_before.append("opened")  # type: ignore[method-assign,assignment,func-returns-value]
    with pytest.raises(StorageUnavailable):
        await held.vault.page(file.id, 1, watermark=READER, record=full)

    assert [] == opened_before


async def test_a_file_destroyed_in_this_moment_is_gone_and_not_damaged(held: Keeper) -> None:
    """Between the record of the view and the opening it went; nobody is alarmed."""
    file = await held.put()

    async def record() -> None:
        await held.vault.destroy(file.id, "request")

    assert "evidence_gone" == (await refused(held.vault.page(file.id, 1, watermark=READER, record=record))).code
    assert [] == held.log.of("evidence_damaged")


async def test_the_same_file_is_noticed_in_another_dossier(held: Keeper) -> None:
    """By what was sent, also when it is destroyed by then; the same dossier is no hit."""
    first, again = await held.put("same"), await held.put("same")
    other, third = await held.put("same", OTHER), await held.put("else", "d-3")
    await held.vault.destroy_dossier(DOSSIER, "request")

    assert [DOSSIER] == await held.vault.same(other)
    assert [OTHER] == await held.vault.same(first)
    assert [] == await held.vault.same(third)
    assert first.id != again.id


# ── what lies on the disk ──


async def test_everything_is_its_owners_alone(held: Keeper) -> None:
    """The folder has mode 0700, each file 0600, whatever the mask."""
    before = os.umask(0)
    try:
        await held.put()
        await held.vault.destroy((await held.put("two")).id, "request")
    finally:
        os.umask(before)
    data = held.config.data
    files = [*(data / "evidence").iterdir(), *data.glob("evidence-*")]

    assert 0o700 == (data / "evidence").stat().st_mode & 0o777
    assert {0o600} == {path.stat().st_mode & 0o777 for path in files}
    assert len(files) >= 3


async def test_a_changed_byte_is_noticed(held: Keeper) -> None:
    """One flipped bit, a cut tail: the page is not shown, somebody is told, and the code says that it is damaged."""
    file = await held.put()
    path = held.config.data / "evidence" / f"{file.id}.sealed"
    whole = path.read_bytes()

    for changed in (whole[:-1], b"\x02" + whole[1:], whole[:50] + bytes([whole[50] ^ 1]) + whole[51:], b""):
        path.write_bytes(changed)
        assert ("evidence_damaged", 410) == ((r := await refused(held.see(file))).code, r.status)
    path.write_bytes(whole)

    assert await held.see(file)
    assert 4 == len(held.log.of("evidence_damaged"))


async def test_files_cannot_be_exchanged(held: Keeper) -> None:
    """Bytes and keys belong to one file of one dossier: put in another's place, neither opens."""
    one, two = await held.put("one"), await held.put("two", OTHER)
    folder = held.config.data / "evidence"
    shutil.copy(folder / f"{one.id}.sealed", folder / f"{two.id}.sealed")
    assert "evidence_damaged" == (await refused(held.see(two))).code

    wrapped = held.vault._keys.get(one.id) or b""
    held.vault._keys.destroy([two.id])
    held.vault._keys.add(two.id, lambda _check: wrapped)
    assert "evidence_damaged" == (await refused(held.see(two))).code

    other = next(id for letter in "XYZ" if (id := one.id[:-1] + letter) not in (one.id, two.id))

    async def moved(tx: Transaction) -> None:
        await tx.run("evidence.add", **_as_row(one, dossier=OTHER, id=other))

    await held.store.write(moved)
    shutil.copy(folder / f"{one.id}.sealed", folder / f"{other}.sealed")
    held.vault._keys.add(other, lambda _check: wrapped)
    assert "evidence_damaged" == (await refused(held.vault.page(other, 1, watermark=READER, record=_yes))).code
    assert await held.see(one)


async def _yes() -> None:
    """It is on the record."""


def _as_row(file: EvidenceFile, **other: Any) -> dict[str, Any]:
    row = {"id": file.id, "dossier": file.dossier, "kind": file.kind, "media": file.media.value, "pages": file.pages}
    return row | {"size": file.size, "hash": file.sha256, "now": 0, "destroy_at": None} | other


async def test_each_file_has_a_key_of_its_own(held: Keeper) -> None:
    """The same bytes twice are two different files on the disk, under two different keys."""
    one, two = await held.put("same"), await held.put("same")
    folder = held.config.data / "evidence"

    assert held.vault._keys.get(one.id) != held.vault._keys.get(two.id)
    assert (folder / f"{one.id}.sealed").read_bytes()[13:] != (folder / f"{two.id}.sealed").read_bytes()[13:]


# ── destroying ──


async def test_what_is_destroyed_is_gone(held: Keeper) -> None:
    """Key, bytes and the way to them; the row stays, with when and why. Once more is no fault."""
    file, other = await held.put(), await held.put("two")
    await held.vault.destroy(file.id, "request")
    await held.vault.destroy(file.id, "request")
    row = await held.row(file)

    assert ("evidence_gone", 410) == ((r := await refused(held.see(file))).code, r.status)
    assert ({other.id}, {other.id}) == (held.sealed(), held.keys())
    assert [other] == await held.vault.files(DOSSIER)
    assert row is not None
    assert row["destroyed_at"] is not None
    assert 1 == (held.config.data / "evidence-erased.log").read_text().count(file.id)
    assert await held.see(other)
    with pytest.raises(Missing):
        await held.vault.destroy("01JD0000000000000000000000", "request")


@pytest.mark.parametrize("why", ["", "Because of Dr Weber", "a b", "x" * 41, "é"])
async def test_a_reason_is_a_code(held: Keeper, why: str) -> None:
    """There is no place for a name or a sentence."""
    file = await held.put()

    with pytest.raises(ValueError, match="code"):
        await held.vault.destroy(file.id, why)
    assert await held.see(file)


async def test_no_byte_of_a_destroyed_key_is_left(held: Keeper) -> None:
    """Neither in the file of the keys nor in its journal, however they were moved about in it."""
    files = [await held.put(f"{number}", f"d-{number}") for number in range(3)]
    extra = [f"{files[0].id[:-4]}{number:04}" for number in range(400)]
    wrapped = {id: os.urandom(65) for id in extra}
    for id in extra:
        held.vault._keys.add(id, lambda _check, id=id: wrapped[id])
    wrapped |= {file.id: held.vault._keys.get(file.id) or b"" for file in files}
    gone = [*extra[::2], files[1].id]
    for at in range(0, len(gone), 7):
        held.vault._keys.destroy(gone[at : at + 7])
    left = b"".join(path.read_bytes() for path in held.config.data.glob("evidence-keys.db*"))

    assert [] == [id for id in gone if wrapped[id][5:21] in left or wrapped[id][-16:] in left]
    assert all(wrapped[id] in left for id in wrapped if id not in gone)


async def test_files_are_destroyed_on_their_day(held: Keeper) -> None:
    """Thirty days unless the dossier says otherwise; what is not due is untouched."""
    file, kept, later = await held.put(), await held.put("two", OTHER), await held.put("three", "d-3")

    async def schedule(tx: Transaction) -> None:
        await held.vault.schedule(tx, OTHER, None)
        await held.vault.schedule_file(tx, later.id, held.at(days=60))

    await held.store.write(schedule)
    held.clock.move(days=30, seconds=-1)
    assert 0 == await held.vault.sweep()
    held.clock.move(seconds=1)
    assert 1 == await held.vault.sweep()
    assert {kept.id, later.id} == held.sealed() == held.keys()
    held.clock.move(days=30)
    assert 1 == await held.vault.sweep()
    held.clock.move(days=3_000)

    assert 0 == await held.vault.sweep()
    assert await held.see(kept)
    assert KEPT.days == 30
    assert file.destroy_at is not None


async def test_each_erasure_is_told_in_its_own_transaction(held: Keeper) -> None:
    """The audit log learns of each once, together with the row; when it cannot be told the row stays, and comes again."""
    told: list[tuple[str, str]] = []
    working = False

    async def tell(_tx: Transaction, file: EvidenceFile, why: str) -> None:
        if not working:
            raise StorageUnavailable("storage_full")
        told.append((file.id, why))

    held.vault.on_erased = tell
    file = await held.put()
    with pytest.raises(StorageUnavailable):
        await held.vault.destroy(file.id, "request")
    row = await held.row(file)
    working = True
    await held.vault.destroy(file.id, "request")

    assert row is not None
    assert row["destroyed_at"] is None
    assert [(file.id, "request")] == told
    assert set() == held.sealed() | held.keys()


async def test_rows_are_forgotten_with_the_facts(held: Keeper) -> None:
    """Hash and dates go when a dossier's facts go; a file that still exists is not forgotten by mistake."""
    gone, kept = await held.put(), await held.put("two")
    await held.vault.destroy(gone.id, "request")

    async def forget(tx: Transaction) -> int:
        return await tx.run("evidence.forget_dossier", dossier=DOSSIER)

    assert 1 == await held.store.write(forget)
    assert (None, kept.id) == (await held.row(gone), (await held.row(kept) or {})["id"])


# ── open and closed ──


def _missing(path: Path) -> None:
    path.unlink()


def _short(path: Path) -> None:
    path.write_text("abcd")


def _known(path: Path) -> None:
    path.write_text("00" * 32)


def _exposed(path: Path) -> None:
    path.chmod(0o644)


def _linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _another(path: Path) -> None:
    path.write_text(os.urandom(32).hex())


WRONG = pytest.mark.parametrize(
    ("change", "code"),
    [
        (_missing, "evidence_key_missing"), (_short, "evidence_key_unusable"), (_known, "evidence_key_unusable"),
        (_exposed, "evidence_key_exposed"), (_linked, "evidence_key_unusable"), (_another, "evidence_key_wrong"),
    ],
)  # fmt: skip


@WRONG
async def test_a_secret_that_is_wrong_closes_the_vault(held: Keeper, change: Any, code: str) -> None:
    """Nothing is taken and nothing shown, an alarm says why; mended, it opens by itself and shows what it had."""
    file = await held.put()
    kept = held.kek.read_bytes()
    change(held.kek)
    await held.vault.look()

    assert code == held.vault.state
    assert code in CLOSED
    assert ("vault_closed", 503) == ((r := await refused(held.put("two"))).code, r.status)
    assert "vault_closed" == (await refused(held.see(file))).code
    assert [{"code": code}] == held.log.of("vault_closed")
    assert b"esanum_evidence_vault_open 0.0" in held.metrics.render()
    assert code in (await held.vault.findings())[0]

    held.kek.unlink(missing_ok=True)
    held.kek.write_bytes(kept)
    held.kek.chmod(0o600)
    assert [] == held.log.of("vault_open")
    assert "open" == await held.vault.look()
    assert [{}] == held.log.of("vault_open")
    assert await held.see(file)
    assert b"esanum_evidence_vault_open 1.0" in held.metrics.render()
    assert [] == await held.vault.findings()


@WRONG
async def test_the_vault_opens_closed_with_a_wrong_secret(held: Keeper, change: Any, code: str) -> None:
    """A start goes through; what is due is destroyed although nothing can be read."""
    file = await held.put()
    change(held.kek)
    held.clock.move(days=31)
    await held.again()

    assert code == held.vault.state
    assert set() == held.sealed() | held.keys()
    assert (await held.row(file) or {})["destroyed_at"] is not None


async def test_a_closed_vault_destroys_what_it_is_told_to(held: Keeper) -> None:
    """An applicant who withdraws need not wait for a key."""
    file = await held.put()
    held.kek.chmod(0o644)
    await held.vault.look()
    await held.vault.destroy(file.id, "request")

    assert set() == held.sealed() | held.keys()


async def test_a_secret_lent_by_systemd_is_used(held: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of credentials comes first."""
    file = await held.put()
    lent = tmp_path / "credentials"
    lent.mkdir()
    shutil.move(held.kek, lent / EVIDENCE_KEK)
    assert "evidence_key_missing" == await held.vault.look()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(lent))

    assert "open" == await held.vault.look()
    assert await held.see(file)


async def test_keys_that_are_lost_close_the_vault(held: Keeper) -> None:
    """Nothing is made in their place while files wait for them; put back, the files open."""
    file = await held.put()
    path = held.config.data / "evidence-keys.db"
    shutil.move(path, path.with_suffix(".away"))
    await held.again()
    assert ("evidence_keys_lost", False) == (held.vault.state, path.exists())
    shutil.move(path.with_suffix(".away"), path)

    assert "open" == await held.vault.look()
    assert await held.see(file)


async def test_keys_that_are_damaged_close_the_vault(held: Keeper) -> None:
    """A file that is no database is not overwritten; the bytes of what is destroyed go all the same."""
    file = await held.put()
    path = held.config.data / "evidence-keys.db"
    whole = path.read_bytes()
    path.write_bytes(b"no database" * 1_000)
    await held.again()
    assert "evidence_keys_damaged" == held.vault.state
    with pytest.raises(StorageUnavailable):
        await held.vault.destroy(file.id, "request")
    assert (set(), b"no database" * 1_000) == (held.sealed(), path.read_bytes())
    path.write_bytes(whole)
    await held.again()

    assert ("open", set()) == (held.vault.state, held.keys())
    assert (await held.row(file) or {})["destroyed_at"] is not None


async def test_a_folder_that_cannot_be_had_closes_the_vault(held: Keeper) -> None:
    """A file in the folder's place is no reason for a server not to start."""
    shutil.rmtree(held.config.data / "evidence")
    (held.config.data / "evidence").write_text("in the way")
    await held.again()

    assert "evidence_disk" == held.vault.state
    assert "vault_closed" == (await refused(held.put())).code


async def test_files_without_their_keys_are_found(held: Keeper) -> None:
    """An older copy of the keys opens what it knows; the rest is told to the administrator, and kept."""
    path = held.config.data / "evidence-keys.db"
    known = await held.put()
    older = path.read_bytes()
    lost = await held.put("two")
    path.write_bytes(older)
    await held.again()
    held.clock.move(days=2)
    await held.vault.sweep()

    assert [
        "1 files of evidence have lost their key or their bytes: restore evidence-keys.db"
    ] == await held.vault.findings()
    assert await held.see(known)
    assert "evidence_damaged" == (await refused(held.see(lost))).code
    assert lost.id in held.sealed()

"""The evidence vault: what applicants show is kept sealed, seen as pictures by reviewers, and destroyed in time.

Each file has a random key of its own; that key, wrapped by the secret `evidence_kek`, lies apart from the bytes and the
database (instance.evidence_files). Whoever destroys the wrapped key has destroyed the file, wherever copies lie.

    put        checked, looked at (scanning), made anew (media) ▸ key ▸ bytes ▸ row    a crash leaves what is swept
    page       row ▸ the view is recorded ▸ key, bytes ▸ picture
    destroy    record of erasures ▸ key ▸ bytes ▸ row                       a crash is gone on with at the next start
    sweep      what is due is claimed in a unit of work ▸ destroy           put off before: kept; after: too late

Without its secret the vault is closed and says why (`state`); the server goes on, and what is due is destroyed all the
same. Codes raised here: CODES, and those of `verification.documents.FileFault` in BadFile.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import re
import secrets
import sqlite3
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.ports import Clock
from instance import media, scanning
from instance.config import Config
from instance.evidence_files import ErasureLog, Orphans, SealedFiles, WrappedKeys
from instance.evidence_kek import OPEN, EvidenceKekRotation, Rewrapped, examine, wrapping
from instance.evidence_rows import NO_HASH, EvidenceFile, belongs_to, of_row
from instance.ids import new_ulid
from instance.metrics import Metrics
from instance.services.errors import Missing, Rejected
from instance.storage.errors import StorageUnavailable
from instance.storage.store import Store, Transaction
from instance.times import to_ms
from instance.vault import EVIDENCE_KEK, CannotOpen, Vault, find_secret
from verification.documents import HEAD, BadFile, FileFault, FileRules, accept, taken

__all__ = ["CLOSED", "CODES", "KEPT", "OPEN", "EvidenceFile", "EvidenceVault"]

CODES: Final = (
    "vault_closed", "evidence_damaged", "evidence_gone", "files_busy", "not_found", "inside_data", "beside_evidence",
    *scanning.CODES, *(fault.value for fault in FileFault),
)  # fmt: skip
#: Why the vault is closed.
CLOSED: Final = (
    "evidence_key_missing", "evidence_key_exposed", "evidence_key_unusable", "evidence_key_wrong", "evidence_keys_lost",
    "evidence_keys_damaged", "evidence_disk",
)  # fmt: skip
#: A file is kept so long unless the dossier says otherwise.
KEPT: Final = timedelta(days=30)
#: What nobody can name may be an upload under way, or belong to a database that was put back wrongly; it is kept so
#: long from when that was first seen.
ORPHANED: Final = timedelta(days=1)
#: From so many on, and where they are most of what is there, the database is the likelier fault: they are kept as long
#: as evidence is kept at all.
MANY: Final = 5
_AT_ONCE: Final = 100
_NONCE: Final = 12
_VERSION: Final = b"\x01"
_WHY: Final = re.compile(r"[a-z_]{1,40}\Z")

#: Writes that somebody sees a page; nothing is shown unless it returns.
Record = Callable[[], Awaitable[object]]


#: Called in the unit of work that marks a file as destroyed, with the reason: for the audit log.
Erased = Callable[[Transaction, EvidenceFile, str], Awaitable[object]]


#: Called in the unit of work that adds a file, with its id: what it shows.
Also = Callable[[Transaction, str], Awaitable[object]]


async def _alone(_tx: Transaction, _file: str) -> None: ...


async def _unheard(_tx: Transaction, _file: EvidenceFile, _why: str) -> None: ...


class EvidenceVault:
    """The files of one instance; `open` comes first, before anybody is served."""

    def __init__(
        self, config: Config, store: Store, clock: Clock, log: Any, metrics: Metrics, rules: FileRules | None = None
    ) -> None:
        self._config, self._store, self._clock, self._log, self._metrics = config, store, clock, log, metrics
        self.rules = rules or FileRules()
        self.on_erased: Erased = _unheard
        self._sealed = SealedFiles(config.data / "evidence")
        self._keys = WrappedKeys(config.data / "evidence-keys.db")
        self._erased = ErasureLog(config.data / "evidence-erased.log")
        self._orphans = Orphans(config.data / "evidence-orphans.log")
        self._vault: Vault | None = None
        self._scanner = scanning.Scanner(config.scan_command, log, metrics)
        self._state, self._alarmed = "evidence_key_missing", False
        self._step: Callable[[str], object] = lambda _name: None

    # ── open or closed ──

    @property
    def state(self) -> str:
        """`open`, or the code of CLOSED that says why nothing is taken and nothing shown."""
        return self._state

    async def open(self) -> str:
        """Look at the secret, destroy again what a restore has brought back and what is due; return `state`."""
        await self.look()
        try:
            await self._replay()
            await self.sweep()
        except (OSError, sqlite3.Error, StorageUnavailable) as fault:
            self._close(self._state if self._state != OPEN else "evidence_disk", fault)
        return self._state

    async def look(self) -> str:
        """Read the secret again: a vault closes when it is exposed, and opens when it is mended. Return `state`."""
        used = await self._store.one("evidence.any_live") is not None
        state, self._vault = await asyncio.to_thread(examine, self._config, self._sealed, self._keys, used=used)
        self._state = state
        self._metrics.evidence_open.set(state == OPEN)
        if state != OPEN:
            self._log.error("vault_closed", code=state)
        elif self._alarmed:
            self._log.info("vault_open")
        self._alarmed = state != OPEN
        return state

    def _close(self, code: str, fault: BaseException) -> None:
        self._state, self._vault, self._alarmed = code, None, True
        self._metrics.evidence_open.set(0)
        self._log.error("vault_closed", code=code, error=type(fault).__name__)

    def _require(self) -> Vault:
        if self._vault is None:
            raise Rejected("vault_closed", status=503)
        return self._vault

    async def findings(self) -> list[str]:
        """What an administrator should mend, in sentences."""
        found = []
        if await self.look() != OPEN:
            found.append(f"{find_secret(self._config, EVIDENCE_KEK)}: the evidence vault is closed ({self._state})")
        elif lost := await self._lost():
            found.append(f"{lost} files of evidence have lost their key or their bytes: restore evidence-keys.db")
        if not await self._scanner.works():
            found.append("scan_command: it does not call a harmless text clean, so no file is taken")
        if (unnamed := await self._unnamed()) >= MANY:
            found.append(f"{unnamed} files of evidence are named by no row: is this the right database?")
        return found

    # ── keeping and showing ──

    async def put(
        self, dossier: str, kind: str, declared: str, content: bytes | AsyncIterable[bytes],
        *, destroy_at: datetime | None = None, also: Also = _alone,
    ) -> EvidenceFile:  # fmt: skip
        """Keep a file of a dossier; `declared` is the media type that came with it, or empty.

        It is destroyed after 30 days unless `destroy_at` or `schedule` says otherwise. What `also` does is done in the
        same unit of work, or nothing is kept; its errors pass. Raises BadFile with the first
        thing against it, Rejected(vault_closed, files_busy, scan_failed), StorageUnavailable.
        """
        self._require()
        plain = content if isinstance(content, bytes) else await self._gathered(content)
        row = await self._store.one("evidence.number_of_dossier", dossier=dossier)
        already = taken(row["waiting"], row["number"], self.rules) if row else 0
        media_kind = accept(plain[:HEAD], len(plain), declared, already, self.rules)
        await self._scanner.look(plain)
        cleaned = await media.clean(plain, media_kind, self.rules)
        now = self._clock()
        file = EvidenceFile(
            id=new_ulid(now), dossier=dossier, kind=str(kind), media=media_kind, pages=cleaned.pages,
            size=len(cleaned.content), sha256=hashlib.sha256(plain).digest(), stored_at=now,
            destroy_at=destroy_at or now + KEPT,
        )  # fmt: skip
        await self._keep(file, cleaned.content, also)
        return file

    async def files(self, dossier: str) -> list[EvidenceFile]:
        """The files of a dossier that are not destroyed, oldest first."""
        return [of_row(row) for row in await self._store.all("evidence.of_dossier", dossier=dossier)]

    async def get(self, id: str) -> EvidenceFile:
        """One file; raise Missing, or Rejected(evidence_gone) for one that was destroyed."""
        row = await self._store.one("evidence.get", id=id)
        if row is None:
            raise Missing
        if row["destroyed_at"] is not None:
            raise Rejected("evidence_gone", status=410)
        return of_row(row)

    async def same(self, file: EvidenceFile) -> list[str]:
        """Other dossiers in which the same bytes were shown, at any time."""
        return [row["dossier"] for row in await self._store.all(
            "evidence.same", hash=file.sha256, dossier=file.dossier
        )]  # fmt: skip

    async def page(self, id: str, number: int, *, watermark: str, record: Record) -> bytes:
        """Return one page (from 1) as a picture (`media.PAGE_TYPE`) once `record` has returned; its errors pass.

        The caller has checked that this person may see this dossier. Raises Missing, Rejected(vault_closed, files_busy,
        evidence_gone, evidence_damaged).
        """
        vault, file = self._require(), await self.get(id)
        if not 1 <= number <= file.pages:
            raise Missing
        await record()
        try:
            plain = await asyncio.to_thread(self._opened, vault, file)
            return await media.render_page(plain, file.media, number, watermark)
        except (CannotOpen, BadFile, FileNotFoundError) as fault:
            await self.get(id)  # it may have been destroyed in this moment
            self._log.error("evidence_damaged", file=id, error=type(fault).__name__)
            raise Rejected("evidence_damaged", status=410) from None
        except (OSError, sqlite3.Error) as fault:
            raise _unavailable(fault) from None

    async def _gathered(self, chunks: AsyncIterable[bytes]) -> bytes:
        whole = bytearray()
        async for chunk in chunks:
            whole += chunk
            if len(whole) > self.rules.bytes:
                raise BadFile(FileFault.TOO_LARGE)
        return bytes(whole)

    async def _keep(self, file: EvidenceFile, plain: bytes, also: Also) -> None:
        async def work(tx: Transaction) -> None:
            await self._add(tx, file)
            await also(tx, file.id)

        try:
            await asyncio.to_thread(self._seal, self._require(), file, plain)
            await self._store.write(work)
            self._step("put: row")
        except Exception as fault:
            # What is left when this fails too has no row, and is swept.
            await asyncio.to_thread(self._take_back, file.id)
            if isinstance(fault, (OSError, sqlite3.Error)):
                raise _unavailable(fault) from None
            raise

    def _seal(self, vault: Vault, file: EvidenceFile, plain: bytes) -> None:
        key, nonce, aad = AESGCM.generate_key(256), secrets.token_bytes(_NONCE), belongs_to(file)
        self._keys.add(file.id, wrapping(vault, key, aad))
        self._step("put: key")
        self._sealed.write(file.id, _VERSION + nonce + AESGCM(key).encrypt(nonce, plain, aad))
        self._step("put: bytes")

    async def _add(self, tx: Transaction, file: EvidenceFile) -> None:
        await tx.take_turn(f"evidence {file.dossier}")
        row = await tx.one("evidence.number_of_dossier", dossier=file.dossier)
        if row is not None and taken(row["waiting"], row["number"], self.rules) >= self.rules.files:
            raise BadFile(FileFault.TOO_MANY)
        await tx.run(
            "evidence.add", id=file.id, dossier=file.dossier, kind=file.kind, media=file.media.value, pages=file.pages,
            size=file.size, hash=file.sha256, now=to_ms(file.stored_at),
            destroy_at=None if file.destroy_at is None else to_ms(file.destroy_at),
        )  # fmt: skip

    def _take_back(self, id: str) -> None:
        try:
            self._keys.destroy([id])
            self._sealed.remove([id])
        except (OSError, sqlite3.Error) as fault:
            self._log.error("evidence_not_taken_back", file=id, error=type(fault).__name__)

    def _opened(self, vault: Vault, file: EvidenceFile) -> bytes:
        wrapped, aad = self._keys.get(file.id), belongs_to(file)
        if wrapped is None:
            raise CannotOpen("its key is not there")
        key, sealed = vault.open(wrapped, aad), self._sealed.read(file.id)
        if sealed[:1] != _VERSION:
            raise CannotOpen("of another version")
        try:
            return AESGCM(key).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], aad)
        except (InvalidTag, ValueError):
            raise CannotOpen("changed, or another file's") from None

    # ── destroying ──

    async def destroy(self, id: str, why: str) -> None:
        """Make a file unreadable for ever, here and in every copy; once more is no fault. Raises Missing.

        `why` is a code of small letters. Works while the vault is closed too.
        """
        row = await self._store.one("evidence.get", id=id)
        if row is None:
            raise Missing
        if row["destroyed_at"] is None:
            await self._destroy([id], why)

    async def destroy_dossier(self, dossier: str, why: str) -> int:
        """Destroy every file of a dossier; return how many there were."""
        ids = [file.id for file in await self.files(dossier)]
        await self._destroy(ids, why)
        return len(ids)

    async def schedule(self, tx: Transaction, dossier: str, at: datetime | None) -> None:
        """Say in the caller's unit of work when a dossier's files are to be destroyed; None: not before told again.

        What is being destroyed already is left to that.
        """
        await tx.run("evidence.schedule_dossier", dossier=dossier, destroy_at=None if at is None else to_ms(at))

    async def schedule_file(self, tx: Transaction, id: str, at: datetime | None) -> None:
        """The same for one file: what belongs to an annex."""
        await tx.run("evidence.schedule_file", id=id, destroy_at=None if at is None else to_ms(at))

    async def sweep(self, now: datetime | None = None) -> int:
        """Destroy what is due, what shows nothing and what nobody can name; return how many files were due."""
        moment, done = now or self._clock(), 0
        if loose := await self._store.all("evidence.loose", before=to_ms(moment - ORPHANED), most=_AT_ONCE):
            await self._destroy([row["id"] for row in loose], "loose")
        while found := await self._store.all("evidence.due", now=to_ms(moment), most=_AT_ONCE):
            ids = await self._store.write(partial(_claim, [row["id"] for row in found], to_ms(moment)))
            await self._destroy(ids, "retention")
            done += len(ids)
        await self._sweep_orphans(moment)
        return done

    async def _destroy(self, ids: list[str], why: str) -> None:
        if not _WHY.match(why):
            raise ValueError("a reason is a code")
        if not ids:
            return
        now = to_ms(self._clock())
        try:
            await asyncio.to_thread(self._wipe, ids, why, now)
        except (OSError, sqlite3.Error) as fault:
            raise _unavailable(fault) from None
        faults = [found for id in ids if (found := await self._marked(id, why, now)) is not None]
        self._log.info("evidence_erased", count=len(ids) - len(faults), reason=why)
        if faults:
            raise faults[0]

    async def _marked(self, id: str, why: str, now: int) -> Exception | None:
        """Mark the row; one that cannot be marked keeps no other from it, and is found again."""
        try:
            await self._store.write(lambda tx: self._mark(tx, id, why, now))
        except Exception as fault:
            return fault
        self._step("destroy: row")
        return None

    def _wipe(self, ids: list[str], why: str, now: int) -> None:
        # First of all: from here on no restore brings it back, whatever happens to this process.
        self._erased.append(ids, why, now)
        self._step("destroy: record")
        try:
            self._forget_keys(ids)
            self._step("destroy: key")
        finally:
            # Where the keys cannot be had the bytes go all the same, and the keys with the next try.
            self._sealed.prepare()
            self._sealed.remove(ids)
        self._step("destroy: bytes")

    def _forget_keys(self, ids: Iterable[str]) -> None:
        """Destroy keys; where the file of the keys is away they are destroyed when it comes back."""
        if self._keys.there:
            self._keys.destroy(ids)

    async def _mark(self, tx: Transaction, id: str, why: str, now: int) -> None:
        row = await tx.one("evidence.get", id=id)
        if row is not None and await tx.run("evidence.mark_destroyed", id=id, now=now, why=why):
            await tx.run("evidence.forget_destroyed", id=id, nothing=NO_HASH)
            await self.on_erased(tx, of_row(row), why)

    async def _replay(self) -> None:
        """Destroy again what the record of erasures names and a restore, or a crash, has left."""
        erased = await asyncio.to_thread(self._erased.read)
        live = {row["id"] for row in await self._store.all("evidence.live")}
        back = await asyncio.to_thread(self._come_back, erased)
        now = to_ms(self._clock())
        for id in sorted(erased.keys() & live):
            if (fault := await self._marked(id, erased[id], now)) is not None:
                self._log.error("evidence_not_marked", file=id, error=type(fault).__name__)
        if count := len(back | (erased.keys() & live)):
            self._log.warning("evidence_erased_again", count=count)

    def _come_back(self, erased: dict[str, str]) -> set[str]:
        self._sealed.prepare()
        if self._keys.there:
            self._keys.settle()
        keys, files = (self._keys.ids() if self._keys.there else set()), self._sealed.ids()
        back = (keys | files) & erased.keys()
        if back:
            self._forget_keys(back)
            self._sealed.remove(back)
        return back

    async def _sweep_orphans(self, now: datetime) -> None:
        """Take away keys and bytes that no row names, once they have been seen so for long enough.

        A cut-off upload leaves such; the wrong database makes all of them such, and is put right in that time.
        """
        there = await asyncio.to_thread(self._there)
        live = {row["id"] for row in await self._store.all("evidence.live")}
        orphans, at = there - live, to_ms(now)
        seen = await asyncio.to_thread(self._orphans.see, orphans, at)
        long = sorted(id for id in orphans if seen[id] <= at - _ms(self._patience(len(orphans), len(there))))
        if gone := [id for id in long if await self._store.one("evidence.is_live", id=id) is None]:
            await asyncio.to_thread(self._wipe, gone, "orphaned", at)
            self._log.warning("evidence_orphans", count=len(gone))

    def _patience(self, orphans: int, there: int) -> timedelta:
        if orphans < MANY or 2 * orphans <= there:
            return ORPHANED
        self._log.error("evidence_orphans_kept", count=orphans)
        return KEPT

    def _there(self) -> set[str]:
        self._sealed.prepare()
        return self._sealed.ids() | (self._keys.ids() if self._keys.there else set())

    async def _lost(self) -> int:
        """How many files that should be there cannot be opened any more."""
        live = {row["id"] for row in await self._store.all("evidence.live")}
        return len(live) - len(live & await asyncio.to_thread(lambda: self._keys.ids() & self._sealed.ids()))

    async def _unnamed(self) -> int:
        """How many files are here that no row names, where they are most of them; else 0."""
        try:
            there = await asyncio.to_thread(self._there)
        except (OSError, sqlite3.Error):
            return 0
        orphans = len(there - {row["id"] for row in await self._store.all("evidence.live")})
        return orphans if 2 * orphans > len(there) else 0

    # ── keys and copies ──

    async def rotate_kek(self) -> Rewrapped:
        """Wrap every key anew under another secret, and destroy the old one; go on with what was begun.

        Raises Rejected(vault_closed), BadSecret, CannotOpen; whatever interrupts it, every file can be opened.
        """
        return await EvidenceKekRotation(self._config, self._store, self._keys, self._require()).run()

    async def copy_to(self, folder: Path) -> int:
        """Bring a copy of the sealed files up to date, with the record of erasures; return how many were added.

        What was erased is taken out of the copy. The keys are not in it. Raises Rejected(inside_data).
        """
        self.require_outside(folder)

        def copy() -> int:
            added = self._sealed.copy_to(folder, set(self._erased.read()))
            self._erased.copy_to(folder)
            return added

        return await asyncio.to_thread(copy)

    async def copy_keys_to(self, target: Path) -> None:
        """Write a copy of the wrapped keys; raise FileExistsError, Rejected(inside_data, beside_evidence)."""
        self.require_apart(target)
        await asyncio.to_thread(self._keys.copy_to, target)

    def require_apart(self, target: Path) -> None:
        """Raise Rejected(inside_data, beside_evidence) for a place that is no other than the files'."""
        self.require_outside(target)
        if any(found for near in ("*.sealed", "*/*.sealed") for found in target.parent.glob(near)):
            raise Rejected("beside_evidence")

    def require_outside(self, target: Path) -> None:
        """Raise Rejected(inside_data) for a place in the data folder, where a copy is none."""
        if target.resolve().is_relative_to(self._config.data):
            raise Rejected("inside_data")


async def _claim(ids: list[str], now: int, tx: Transaction) -> list[str]:
    """Take what is still due: from here on nothing puts it off any more, and a crash is gone on with."""
    return [id for id in ids if await tx.run("evidence.claim", id=id, now=now)]


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _unavailable(fault: Exception) -> StorageUnavailable:
    full = isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)
    return StorageUnavailable("storage_full" if full else "storage_failed", type(fault).__name__)

"""The key that wraps the keys of evidence: whether it fits what is here, and from one such key to the next.

The files go the way of kek.py: `evidence_kek.new`, then in force with `evidence_kek.old` beside it. What lies in
`evidence-keys.db` says by its check under which key new ones are wrapped, so that another process follows; the first
transaction of a rotation changes that. A crash anywhere leaves every key to be opened, and the same command goes on.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from instance.config import Config
from instance.evidence_files import SealedFiles, WrappedKeys
from instance.evidence_rows import bound_to
from instance.kek import AT_ONCE, KekFiles
from instance.storage.store import Store
from instance.vault import (
    EVIDENCE_KEK,
    EVIDENCE_KEK_NEW,
    EVIDENCE_KEK_OLD,
    BadSecret,
    CannotOpen,
    Vault,
    find_secret,
    head_under,
    kek_id,
    open_evidence_kek,
    read_kek,
)

OPEN: Final = "open"
_CHECK: Final = b"check of evidence_kek"
_HEAD: Final = 5
#: An upload has its key a moment before its row; so often, and so many seconds apart, its row is waited for.
_PATIENCE: Final = 3
_PAUSE: Final = 0.5


def examine(config: Config, sealed: SealedFiles, keys: WrappedKeys, *, used: bool) -> tuple[str, Vault | None]:
    """Return OPEN and what opens the keys, or the code that says why nothing does; `used`: a file is here by its row.

    Makes the folder, and the file of the keys where nothing was ever kept.
    """
    path = find_secret(config, EVIDENCE_KEK)
    try:
        vault = open_evidence_kek(config)
    except BadSecret as bad:
        return _what_is_wrong(path, bad), None
    try:
        sealed.prepare()
        return _fits(vault, keys, used)
    except sqlite3.Error:
        return "evidence_keys_damaged", None
    except OSError:
        return "evidence_disk", None


def _fits(vault: Vault, keys: WrappedKeys, used: bool) -> tuple[str, Vault | None]:
    if not keys.there:
        if used:
            return "evidence_keys_lost", None
        keys.create(vault.seal(EVIDENCE_KEK.encode(), _CHECK))
    try:
        vault.open(keys.check() or b"", _CHECK)
    except CannotOpen:
        return "evidence_key_wrong", None
    return OPEN, vault


def _what_is_wrong(path: Path, bad: BadSecret) -> str:
    if not os.path.lexists(path):
        return "evidence_key_missing"
    return "evidence_key_exposed" if "readable by others" in str(bad) else "evidence_key_unusable"


def wrapping(vault: Vault, key: bytes, aad: bytes) -> Callable[[bytes], bytes]:
    """Return what wraps a new key under the key-encryption key that a check is sealed under."""
    return lambda check: vault.seal(key, aad, check[1:_HEAD].hex())


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What a rotation did: how many keys were wrapped anew, and a file of the old key that stays (systemd's)."""

    keys: int
    left_behind: str


class EvidenceKekRotation(KekFiles):
    """The steps, in their order; `run` takes them all. Raises BadSecret or CannotOpen, and nothing is lost by it."""

    def __init__(self, config: Config, store: Store, keys: WrappedKeys, vault: Vault) -> None:
        super().__init__(config, (EVIDENCE_KEK, EVIDENCE_KEK_NEW, EVIDENCE_KEK_OLD), vault.read_anew)
        self._store, self._keys, self._vault = store, keys, vault

    async def run(self) -> Rewrapped:
        """Make a new key, or go on with the one begun; return when nothing needs the old one."""
        with self._alone():
            if not self.begun:
                self.prepare()
                self.swap()
            done = await self.rewrap()
            return Rewrapped(done, await self.finish())

    async def rewrap(self, most: int = AT_ONCE) -> int:
        """Wrap anew what is wrapped under another key, so many in one transaction; return how many there were."""
        done = 0
        while number := (await self._rewrapped(most))[0]:
            done += number
        return done

    async def finish(self) -> str:
        """Destroy the old key; return its file where that is systemd's to take away, and an empty text otherwise.

        Raises BadSecret while a key is wrapped under it.
        """
        for _ in range(_PATIENCE):
            number, left = await self._rewrapped(AT_ONCE)
            if number == left == 0:
                return self._destroy_old()
            await asyncio.sleep(_PAUSE)
        raise BadSecret(
            f"{self._old}: still needed for {left} keys of evidence that no row names; what nobody names is swept a day"
            " after that was first seen: run this again then"
        )

    async def _rewrapped(self, most: int) -> tuple[int, int]:
        """One transaction; what is not named by a row cannot be opened, and is left as it is."""
        rows = await self._store.all("evidence.belonging")
        bound = {row["id"]: bound_to(row["id"], row["dossier"]) for row in rows}
        kek = kek_id(read_kek(self._kek))
        check = self._vault.seal(EVIDENCE_KEK.encode(), _CHECK, kek)

        def wrap(id: str, wrapped: bytes) -> bytes | None:
            try:
                return self._vault.reseal(wrapped, bound[id], kek) if id in bound else None
            except CannotOpen as fault:
                raise CannotOpen(f"the key of {id}: {fault}") from None

        return await asyncio.to_thread(self._keys.rewrap, head_under(kek), check, wrap, most)

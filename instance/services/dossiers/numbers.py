"""Numbers of registers at rest: sealed under the key-encryption key, and found again by a keyed hash.

The key of the hash is made once, sealed like the numbers, and never leaves the instance: registers are public, and
whoever had it could find every doctor's number by trying.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import date
from typing import TYPE_CHECKING, Final

from instance.storage.store import Reader, Transaction
from instance.vault import CannotOpen, head_under
from verification.names import fold
from verification.registers.numbers import Number

if TYPE_CHECKING:
    from instance.wiring import Node

_BLIND: Final = "blind index"
_TURN: Final = "kek"
_PAGE: Final = 1_000


class Numbers:
    """Seals, opens and compares numbers."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._secret: bytes | None = None

    async def secret(self) -> bytes:
        """Return the key of the hash; it is made at its first use."""
        if self._secret is None:
            row = await self._node.store.one("dossiers.sealed", id=_BLIND)
            if row is None:
                await self._node.store.write(self._make)
                row = await self._node.store.one("dossiers.sealed", id=_BLIND)
                assert row is not None
            self._secret = self._node.vault.open(bytes(row["content"]), _aad(_BLIND))
        return self._secret

    async def index(self, number: Number) -> bytes:
        """The keyed hash of a number under the address of its register."""
        return _hash(await self.secret(), f"{number.system}|{number.value}")

    async def identity(self, name: str, born: date | None) -> bytes | None:
        """The keyed hash of a person: folded name and birth date; None where no date was given."""
        if born is None:
            return None
        return _hash(await self.secret(), f"person|{fold(name)}|{born.isoformat()}")

    async def keep(self, tx: Transaction, piece: str, number: Number) -> None:
        """Seal a number, in the caller's transaction."""
        await self._seal(tx, place_of(piece), number.value.encode())

    async def value(self, rows: Reader, piece: str) -> str | None:
        """Open the number of a piece; None where it has none, it is destroyed, or it does not open (see `findings`)."""
        row = await rows.one("dossiers.sealed", id=place_of(piece))
        if row is None:
            return None
        try:
            return self.opened(row["content"], piece)
        except CannotOpen as fault:
            self._node.log.error("number_not_opened", piece=piece, exc_info=fault)
            return None

    async def findings(self) -> list[str]:
        """What is wrong with the sealed values, in sentences, each by its id."""
        found, after = [], ""
        while rows := await self._node.store.all("dossiers.sealed_values", after=after, most=_PAGE):
            for row in rows:
                after = row["id"]
                try:
                    self._node.vault.open(bytes(row["content"]), _aad(after))
                except CannotOpen:
                    found.append(f"the sealed value {after} does not open: restore it from a backup")
        return found

    def opened(self, sealed: bytes, piece: str) -> str:
        """Open what was sealed for this piece; raise CannotOpen for anything else."""
        return self._node.vault.open(bytes(sealed), _aad(place_of(piece))).decode()

    async def reseal(self, tx: Transaction, kek: str, most: int) -> int:
        """Seal so many values under this key that are sealed under another; return how many there were."""
        await tx.take_turn(_TURN)
        rows = await tx.all("dossiers.sealed_otherwise", head=head_under(kek), count=most)
        vault = self._node.vault
        for row in rows:
            try:
                plain = vault.open(bytes(row["content"]), _aad(row["id"]))
            except CannotOpen as fault:
                raise CannotOpen(f"{row['id']}: {fault}") from None
            await tx.run("dossiers.reseal", id=row["id"], content=vault.seal(plain, _aad(row["id"]), kek))
        return len(rows)

    async def _make(self, tx: Transaction) -> None:
        await self._seal(tx, _BLIND, secrets.token_bytes(32))

    async def _seal(self, tx: Transaction, id: str, plain: bytes) -> None:
        await tx.run("dossiers.add_sealed", id=id, content=await self._node.keys.seal(tx, plain, _aad(id)))


def place_of(piece: str) -> str:
    """Under which id the number of a piece is sealed."""
    return f"number/{piece}"


def _aad(id: str) -> bytes:
    return b"sealed_values/" + id.encode()


def _hash(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), hashlib.sha256)

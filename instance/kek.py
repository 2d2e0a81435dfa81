"""From one key-encryption key to the next: `esanum keys rotate-kek`; evidence_kek.py goes the same way.

    kek          kek.new      kek.old      rows under      a start now
    A            -            -            A               opens A
    A            B            -            A               opens A          prepare
    A            B            A            A               opens A
    B            -            A            A               opens A and B    swap
    B            -            A            A and B         opens A and B    reseal, a thousand rows at a time
    B            -            -            B               opens B          finish

Each line is on the disk before the next begins, so a crash anywhere leaves every row readable; the same command then
goes on where it was. Only the last step destroys a key, and only when no row needs it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from instance.config import Config, credentials_folder
from instance.services import push
from instance.storage.store import Transaction
from instance.vault import (
    EVIDENCE_KEK_NEW,
    EVIDENCE_KEK_OLD,
    KEK,
    KEK_NEW,
    KEK_OLD,
    BadSecret,
    find_secret,
    head_under,
    kek_id,
    move_secret,
    read_kek,
    sync_folder,
    write_kek,
)

if TYPE_CHECKING:
    from instance.wiring import Node

#: Seals so many rows under this key-encryption key that are sealed under another; returns how many there were.
Reseal = Callable[[Transaction, str, int], Awaitable[int]]
#: Pairs sealed anew in one transaction.
AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Resealed:
    """What a rotation did: how many pairs and other secrets were sealed anew, and a file of the old key that stays."""

    pairs: int
    others: int
    left_behind: str


class KekFiles:
    """The files of a key-encryption key, and how the next one takes its place; see the table above."""

    def __init__(self, config: Config, names: tuple[str, str, str], read_anew: Callable[[], object]) -> None:
        self._names, self._read_anew = names, read_anew
        self._kek, self._new, self._old = (find_secret(config, name) for name in names)

    @property
    def begun(self) -> bool:
        """Whether an earlier key-encryption key lies beside the one in force: then something may need both."""
        kek = read_kek(self._kek)
        return os.path.lexists(self._old) and read_kek(self._old) != kek

    def prepare(self) -> None:
        """Put the next key beside the one in force; one that lies there already is taken."""
        kek = read_kek(self._kek)
        self._require_writable()
        if not os.path.lexists(self._new):
            write_kek(self._new, _another(kek))
        if kek_id(read_kek(self._new)) == kek_id(kek):
            raise BadSecret(f"{self._new}: this is the key in force already; take it away")

    def swap(self) -> None:
        """Put it in force; the one before stays beside it."""
        self._keep_old()
        move_secret(self._new, self._kek)
        self._read_anew()

    def _keep_old(self) -> None:
        write_kek(self._old, read_kek(self._kek))

    def _in_force(self) -> str:
        """The key in the file, which outlives this process; raise BadSecret where it cannot be used."""
        return kek_id(read_kek(self._kek))

    def _destroy_old(self) -> str:
        if not os.path.lexists(self._old):
            return ""
        if self._old.parent == credentials_folder():
            return str(self._old)
        self._old.unlink()
        sync_folder(self._old.parent)
        self._read_anew()
        return ""

    def _require_writable(self) -> None:
        """Raise BadSecret unless the key lies in a folder that is ours to write in, and nobody else's."""
        folder = self._kek.parent
        if folder == credentials_folder():
            current, _, old = self._names
            raise BadSecret(
                f"{self._kek}: lent by systemd, which alone can change it; lend the new key as {current} and this one"
                f" as {old}, restart, and run this again"
            )
        found = folder.stat()
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise BadSecret(f"{folder}: others may write in it; run chmod 700 on it")
        if found.st_uid != os.geteuid():
            raise BadSecret(f"{folder}: belongs to another user")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder of the secrets; raise BadSecret where another process is at it."""
        descriptor = os.open(self._kek.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BadSecret(f"{self._kek.parent}: another rotation is at work") from None
        try:
            yield
        finally:
            os.close(descriptor)


class KekRotation(KekFiles):
    """The steps for the rows, in their order; `run` takes them all. Raises BadSecret or CannotOpen; nothing is lost."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.config, (KEK, KEK_NEW, KEK_OLD), node.vault.read_anew)
        self._node = node

    async def run(self) -> Resealed:
        """Make a new key-encryption key, or go on with the one begun; return when no row needs the old one."""
        with self._alone():
            if not self.begun:
                await self._require_in_force()
                self.prepare()
                self.swap()
            pairs, others = await self.reseal(), await self.reseal_others()
            return Resealed(pairs, others, await self.finish())

    async def reseal(self, most: int = AT_ONCE) -> int:
        """Seal anew what is sealed under another key, in transactions of so many pairs; return how many there were."""
        return await self._reseal(self._node.keys.reseal, most)

    async def reseal_others(self, most: int = AT_ONCE) -> int:
        """The same for every other secret that the vault seals; return how many there were."""
        return sum([await self._reseal(sealed, most) for sealed in self._others()])

    def _others(self) -> tuple[Reseal, ...]:
        return (self._node.factors.reseal, self._node.dossiers.numbers.reseal, partial(push.reseal, self._node))

    async def _reseal(self, sealed: Reseal, most: int) -> int:
        done, kek = 0, self._in_force()
        while number := await self._node.store.write(lambda tx: sealed(tx, kek, most)):
            done += number
        return done

    async def finish(self) -> str:
        """Destroy the old key; return its file where that is systemd's to take away, and an empty text otherwise."""
        kek = self._in_force()
        for sealed in (self._node.keys.reseal, *self._others()):
            if await self._node.store.write(partial(_seal_one, sealed, kek)):
                raise BadSecret(f"{self._old}: still needed; run this once more")
        return self._destroy_old()

    async def _require_in_force(self) -> None:
        """Raise BadSecret where another machine's key is in force that is not here: a third would part the rows."""
        kek = await self._node.keys.kek_in_force(self._node.store)
        if not self._node.vault.opens(head_under(kek)):
            raise BadSecret(
                f"{self._kek}: others seal under another key already; put that one beside it as {KEK_NEW}, and run this"
                " again"
            )


def left_behind(config: Config) -> Path | None:
    """Return the file of a key that a rotation has not come to its end with, or None."""
    names = (KEK_OLD, KEK_NEW, EVIDENCE_KEK_OLD, EVIDENCE_KEK_NEW)
    return next((path for name in names if os.path.lexists(path := find_secret(config, name))), None)


async def _seal_one(sealed: Reseal, kek: str, tx: Transaction) -> int:
    return await sealed(tx, kek, 1)


def _another(kek: bytes) -> bytes:
    """Return a new random key, known to rows by another id."""
    while kek_id(new := secrets.token_bytes(32)) == kek_id(kek):
        pass
    return new

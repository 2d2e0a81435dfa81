"""Our own status lists: where each doctor stands in them, which bits are set, and the signed lists siblings read.

A bit is the state of a row, changed in the transaction that changes the doctor's standing; the signed list is made from
the rows when somebody asks, so that no list can be behind them.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import orjson

from federation.delivery import Priority
from federation.errors import NotFound
from federation.uri import Uri
from federation.vocabulary import Update
from instance.services import sending
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification import statuslist
from verification.status_entries import StatusPlace
from verification.statuslist import MIN_LENGTH, Purpose

if TYPE_CHECKING:
    from instance.wiring import Node

#: A new list is begun when so much of one is allotted: places are drawn at random, and few are left.
FULL: Final = MIN_LENGTH * 8 // 10
#: How long a signed list is served before it is signed anew; siblings read it every quarter of an hour.
SIGNED_FOR: Final = timedelta(hours=6)
_FOLDER: Final = "/vc/status"
_COLUMNS: Final = {Purpose.REVOCATION: "revoked", Purpose.SUSPENSION: "suspended"}


class OwnStatus:
    """Places, bits and lists of this instance."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._signed: dict[tuple[Purpose, int], tuple[int, datetime, bytes, str]] = {}

    def address(self, purpose: Purpose, number: int) -> Uri:
        """Where a list is served; both lists of a pair have the same number."""
        return Uri.parse(f"{self._node.origin}{_FOLDER}/{purpose}/{number}")

    async def place_of(self, doctor: Uri) -> StatusPlace:
        """Return the doctor's place in both lists; one without a place is given one now."""
        row = await self._node.store.one("status.place", doctor=doctor)
        if row is None:

            async def work(tx: Transaction) -> Row:
                return await self._allot(tx, doctor)

            row = await self._node.store.write(work)
        return self._place(row)

    async def place_in(self, tx: Transaction, doctor: Uri, *, anew: bool) -> StatusPlace:
        """The same in the caller's transaction; `anew` gives a new place, since a new dossier has a new one.

        The place before it is revoked with that, where it is not: what was issued for it is believed no more.
        """
        if anew:
            await self.revoke(tx, doctor)
        return self._place(await self._allot(tx, doctor, anew=anew))

    async def suspend(self, tx: Transaction, doctor: str, *, suspended: bool = True) -> bool:
        """Set or clear the doctor's bit of suspension, in the caller's transaction, and tell every sibling.

        False where the doctor has no bit, because the credential was issued before there were lists.
        """
        return await self._mark(tx, doctor, Purpose.SUSPENSION, "status.set_suspended", value=int(suspended))

    async def revoke(self, tx: Transaction, doctor: str) -> bool:
        """Set the doctor's bit of revocation, for good, in the caller's transaction, and tell every sibling.

        False where the doctor has no bit.
        """
        return await self._mark(tx, doctor, Purpose.REVOCATION, "status.set_revoked")

    async def document(self, purpose: str, number: str) -> tuple[bytes, str]:
        """Return the signed list as it is now, and its validator.

        Raises NotFound where there is no such list, or SigningStopped.
        """
        if purpose not in set(Purpose) or not number.isascii() or not number.isdigit() or number.startswith("0"):
            raise NotFound
        await self._node.dossiers.restoring.require_for_sibling()
        asked, wanted = Purpose(purpose), int(number[:9])
        row = await self._node.store.known("status.version")
        version, now = int(row["value"]) if row is not None else 0, self._node.clock()
        kept = self._signed.get((asked, wanted))
        if kept is None or kept[0] != version or not timedelta(0) <= now - kept[1] < SIGNED_FOR:
            if str(wanted) != number or wanted > await self._newest():
                raise NotFound
            body = await self._sign(asked, wanted, now)
            validator = f'"{sha256(body).hexdigest()[:32]}-{len(body)}"'
            kept = self._signed[asked, wanted] = (version, now, body, validator)
        return kept[2], kept[3]

    async def missing(self, held: Mapping[str, str]) -> list[tuple[str, Purpose]]:
        """Doctors whose bit is set in these lists (as encoded, by address), said to be ours, and is not set here."""
        found = []
        for purpose, number in itertools.product(Purpose, range(1, await self._newest() + 1)):
            try:
                bits = statuslist.decode(held.get(str(self.address(purpose, number))))
            except ValueError:
                continue
            for row in await self._node.store.all("status.places", list=number):
                place = int(row["place"])
                if not row[_COLUMNS[purpose]] and place < 8 * len(bits) and statuslist.bit(bits, place):
                    found.append((str(row["doctor"]), purpose))
        return found

    # ── parts ──

    def _place(self, row: Row) -> StatusPlace:
        number, place = int(row["list"]), int(row["place"])
        return StatusPlace(place, self.address(Purpose.REVOCATION, number), self.address(Purpose.SUSPENSION, number))

    async def _allot(self, tx: Transaction, doctor: Uri, *, anew: bool = False) -> Row:
        """Draw a place that nobody has had: the order of numbers must not tell the order of admissions."""
        await tx.take_turn("status places")
        found = await tx.one("status.place", doctor=doctor)
        if found is not None and not anew:
            return found
        newest = await tx.one("status.newest_list")
        assert newest is not None
        number = int(newest["list"]) + (int(newest["taken"]) >= FULL)
        while True:
            place = secrets.randbelow(MIN_LENGTH)
            if await tx.run("status.allot", list=number, place=place, doctor=doctor, now=to_ms(self._node.clock())):
                return {"list": number, "place": place}

    async def _mark(self, tx: Transaction, doctor: str, purpose: Purpose, query: str, **values: int) -> bool:
        place = await tx.one("status.place", doctor=doctor)
        if place is None:
            return False
        if not await tx.run(query, list=place["list"], place=place["place"], **values):
            return True
        await tx.run("status.raise_version")
        await sending.to_all_siblings(
            self._node, tx, Update, actor=self._node.actor, object=self.address(purpose, int(place["list"])),
            priority=Priority.REVOCATION,
        )  # fmt: skip
        return True

    async def _newest(self) -> int:
        row = await self._node.store.one("status.newest_list")
        return int(row["list"]) if row is not None else 1

    async def _sign(self, purpose: Purpose, number: int, now: datetime) -> bytes:
        column = _COLUMNS[purpose]
        rows = await self._node.store.all("status.bits", list=number)
        bits = statuslist.with_set(statuslist.blank(), (int(row["place"]) for row in rows if row[column]))
        return orjson.dumps(
            statuslist.issue_list(self.address(purpose, number), purpose, bits, self._node.keys.signer, now=now)
        )

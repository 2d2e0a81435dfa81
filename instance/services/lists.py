"""A doctor's own lists of colleagues: made, renamed, filled, deleted. Nobody else sees them, nothing of them leaves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from instance.ids import new_ulid
from instance.services import acting, standings
from instance.services.errors import Missing, Rejected
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification.standing import Action

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    *standings.CODES, "list_name_missing", "list_name_long", "list_name_taken", "too_many_lists", "list_full",
    "not_listable",
)  # fmt: skip
MAX_LISTS: Final = 50
MAX_MEMBERS: Final = 500
MAX_NAME: Final = 60
_SPACE: Final = re.compile(r"\s+")


class Lists:
    """The lists of our own doctors."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def make(self, doctor_uri: str, name: str) -> str:
        """Make a list; return its id. Raise Rejected for a name that is none or taken, and for the fifty-first."""
        await acting.doctor(self._node, doctor_uri, Action.READ)
        name, made = _checked(name), new_ulid(self._node.clock())

        async def work(tx: Transaction) -> None:
            await tx.take_turn(doctor_uri)
            row = await tx.one("lists.number", reader=doctor_uri)
            if row is not None and row["number"] >= MAX_LISTS:
                raise Rejected("too_many_lists", "name", status=409)
            values = {"id": made, "reader": doctor_uri, "name": name, "folded": _folded(name)}
            if not await tx.run("lists.add", **values, now=to_ms(self._node.clock())):
                raise Rejected("list_name_taken", "name", status=409)

        await self._node.store.write(work)
        return made

    async def rename(self, doctor_uri: str, list_id: str, name: str) -> None:
        """Give an own list another name."""
        await acting.doctor(self._node, doctor_uri, Action.READ)
        name = _checked(name)

        async def work(tx: Transaction) -> None:
            await tx.take_turn(doctor_uri)
            await _own(tx, doctor_uri, list_id)
            if not await tx.run("lists.rename", id=list_id, reader=doctor_uri, name=name, folded=_folded(name)):
                raise Rejected("list_name_taken", "name", status=409)

        await self._node.store.write(work)

    async def delete(self, doctor_uri: str, list_id: str) -> None:
        """Delete an own list; who was on it is not told."""
        await acting.doctor(self._node, doctor_uri, Action.READ)

        async def work(tx: Transaction) -> None:
            await _own(tx, doctor_uri, list_id)
            await tx.run("lists.drop_members", id=list_id, reader=doctor_uri)
            await tx.run("lists.drop", id=list_id, reader=doctor_uri)

        await self._node.store.write(work)

    async def put(self, doctor_uri: str, list_id: str, target: str) -> None:
        """Put a doctor on an own list; twice is once. Nobody with whom there is a block, and not oneself."""
        await acting.doctor(self._node, doctor_uri, Action.READ)
        other = await self._node.store.one("people.standing", uri=target)
        if other is None or other["gone_at"] is not None:
            raise Missing()
        if target == doctor_uri:
            raise Rejected("not_listable", status=409)

        async def work(tx: Transaction) -> None:
            await tx.take_turn(doctor_uri)
            await _own(tx, doctor_uri, list_id)
            blocks = {row["doctor"] for row in await tx.all("follows.blocked_between", one=doctor_uri, other=target)}
            if doctor_uri in blocks:
                raise Rejected("not_listable", status=409)
            if blocks:  # as with a follow: nobody learns of a block against them
                raise Missing()
            if not await tx.run("lists.put", id=list_id, doctor=target, now=to_ms(self._node.clock())):
                return
            row = await tx.one("lists.size", id=list_id)
            if row is not None and row["number"] > MAX_MEMBERS:
                raise Rejected("list_full", status=409)

        await self._node.store.write(work)

    async def take(self, doctor_uri: str, list_id: str, target: str) -> None:
        """Take a doctor off an own list; twice is once."""
        await acting.doctor(self._node, doctor_uri, Action.READ)

        async def work(tx: Transaction) -> None:
            await _own(tx, doctor_uri, list_id)
            await tx.run("lists.take", id=list_id, doctor=target)

        await self._node.store.write(work)


async def _own(tx: Transaction, doctor_uri: str, list_id: str) -> Row:
    """The list, if it is this doctor's; raise Missing for another's as for none."""
    row = await tx.one("lists.one", id=list_id, reader=doctor_uri)
    if row is None:
        raise Missing()
    return row


def _checked(name: str) -> str:
    """The name as it is kept: one line, nothing invisible."""
    plain = "".join(sign for sign in _SPACE.sub(" ", name).strip() if sign.isprintable())
    if not plain:
        raise Rejected("list_name_missing", "name")
    if len(plain) > MAX_NAME:
        raise Rejected("list_name_long", "name")
    return plain


def _folded(name: str) -> str:
    return name.casefold()

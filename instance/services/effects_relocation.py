"""A Move that arrived: both ends are read at their homes, and only where everything holds follows go over.

Follows that stood stay for reading what was written for them; each becomes a question to the new actor as well, which
answers as it answers anybody. Who is blocked stays blocked under the new address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from federation.allowlist import Direction, Sibling
from federation.delivery import Priority
from federation.errors import (
    MovedElsewhere,
    MoveNotVerified,
    MoveOtherName,
    MoveTooLate,
    MoveUnclaimed,
    NotTheOwner,
    Refused,
    StandingDeferred,
)
from federation.uri import Uri
from federation.vocabulary import Doctor, Follow, Move
from instance.services import contact, notices, sending, standings
from instance.services import effects as notices_of
from instance.services.effects import Effects, Incoming
from instance.services.fetching import NotReached, NotThere
from instance.services.judging import OK, is_deferred
from instance.services.sending import Message
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification import relocation
from verification.relocation import New, Old, WhyNot
from verification.verdicts import Reason

if TYPE_CHECKING:
    from instance.services.directory import Learned
    from instance.wiring import Node

REFUSALS: Final[Mapping[WhyNot, type[Refused]]] = {
    WhyNot.ELSEWHERE: MovedElsewhere,
    WhyNot.UNCLAIMED: MoveUnclaimed,
    WhyNot.NOT_VERIFIED: MoveNotVerified,
    WhyNot.OTHER_NAME: MoveOtherName,
    WhyNot.TOO_LATE: MoveTooLate,
}


@dataclass(frozen=True, slots=True)
class Relocated:
    """Both ends of a move that holds, as they were read; `new` is None where the new one is our own doctor."""

    old: Learned
    new: Learned | None


class RelocationEffects:
    """The effect of a Move."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def look(self, move: Move, sibling: Sibling) -> Relocated | None:
        """Read both ends and hold them against each other; None where there is nothing to do. Raise Refused.

        Nobody is read for a doctor whom nobody here knows, nor twice for the same move.
        """
        if move.actor not in (move.object, sibling.actor):
            raise NotTheOwner("a doctor moves by themselves or by their home")
        before = await self._node.store.one("relocation.doctor", uri=move.object)
        if before is None or before["gone_at"] is not None or before["moved_to"] == move.target:
            return None
        if before["moved_to"]:
            raise MovedElsewhere("has moved to somebody else before")
        found, old = await self._read(move.object)
        leaves = Old(
            id=move.object, name=before["name"], reason=Reason(old.doctor.standing), moved_to=found.moved_to,
            silent_since=found.updated,
        )  # fmt: skip
        new, learned = await self._destination(move.target)
        self._require(leaves, new)
        return Relocated(old, learned)

    async def move(self, tx: Transaction, into: Incoming, move: Move, effects: Effects) -> None:
        """Note where the doctor has gone, and let those who follow them here ask there."""
        found = into.relocated
        if found is None:
            return
        await self._once_more(tx, move)
        await self._node.directory.keep(tx, found.old)
        if found.new is not None:
            await self._node.directory.keep(tx, found.new)
            effects.adopt.append(found.new)
        await tx.run("relocation.fell_silent", uri=move.object, now=into.now_ms)
        await tx.run("people.raise_standing_version")
        effects.forget.append(move.object)
        await go_over(self._node, tx, move.object, move.target)
        effects.wake_deliveries = True

    async def _once_more(self, tx: Transaction, move: Move) -> None:
        """Two moves that were read at the same time do not both count."""
        row = await tx.one("relocation.doctor", uri=move.object)
        if row is None or row["moved_to"] not in ("", move.target):
            raise MovedElsewhere("has moved meanwhile")

    async def _destination(self, uri: Uri) -> tuple[New, Learned | None]:
        if uri.origin == self._node.origin:
            return await self._own(uri), None
        self._node.allowlist().require(uri.origin, Direction.IN)
        try:
            found, learned = await self._read(uri)
        except NotReached as away:
            # Nothing is wrong with the old home, whose other messages do not wait for this.
            raise StandingDeferred(Reason.STATUS_UNKNOWN.value, away.reason) from None
        return described(found, learned), learned

    async def _own(self, uri: Uri) -> New:
        row = await self._node.store.one("relocation.doctor", uri=uri)
        if row is None:
            raise MoveNotVerified("nobody of ours")
        standing = standings.standing_of(row)
        holds = row["standing"] == OK and standing is not None and self._node.clock() <= standing.valid_until
        return New(
            id=uri, name=row["name"], reason=Reason.OK if holds else Reason.NO_CREDENTIAL,
            also_known_as=aliases_of(row), moved_to=Uri.parse(row["moved_to"]) if row["moved_to"] else None,
        )  # fmt: skip

    async def _read(self, uri: Uri) -> tuple[Doctor, Learned]:
        try:
            found, learned = await self._node.directory.examine(uri)
        except NotThere as missing:
            raise MoveUnclaimed(f"an end is not there: {missing.reason}") from None
        if is_deferred(learned.doctor):
            raise StandingDeferred(learned.doctor.standing)
        return found, learned

    def _require(self, old: Old, new: New) -> None:
        reason = relocation.why_not(old, new, now=self._node.clock())
        if reason is not None:
            raise REFUSALS[reason](f"{old.reason} → {new.reason}")


def described(found: Doctor, learned: Learned) -> New:
    """The actor somebody goes on as, as the medical room needs it."""
    return New(
        id=found.id, name=learned.doctor.name, reason=Reason(learned.doctor.standing),
        also_known_as=frozenset(found.also_known_as), moved_to=found.moved_to,
    )  # fmt: skip


def aliases_of(row: Row) -> frozenset[Uri]:
    """The addresses elsewhere that an own doctor has named."""
    return frozenset(Uri.parse(text) for text in json.loads(row["also_known_as"]))


async def go_over(node: Node, tx: Transaction, old: Uri, new: Uri) -> None:
    """Write down where a doctor has gone; own doctors who follow them ask there; blocks, mutes and lists go too."""
    now = to_ms(node.clock())
    row = await tx.one("relocation.doctor", uri=new)
    assert row is not None  # kept a moment ago, or our own
    await tx.run("relocation.has_moved", uri=old, target=new, now=now)
    for each in await tx.all("relocation.blockers", doctor=old):
        await tx.run("follows.block", doctor=each["doctor"], blocked=new, now=now)
    await tx.run("contact.mute_too", old=old, new=new)
    await tx.run("contact.list_too", old=old, new=new)
    for each in await tx.all("relocation.followers", doctor=old, now=now):
        await _ask(node, tx, Uri.parse(each["follower"]), row)
    await tx.run("relocation.end_follows", doctor=old)


async def _ask(node: Node, tx: Transaction, follower: Uri, new: Row) -> None:
    """Ask in a follower's name, as on the doctor's page; nothing where they have been told no, or stand apart."""
    apart = await tx.all("follows.blocked_between", one=follower, other=new["uri"])
    before = await tx.one("follows.get", follower=follower, followee=new["uri"])
    targets = sending.personal_if_open(node, new)
    if apart or before is not None or follower == new["uri"] or not (targets or new["local"]):
        return
    if not await contact.takes_follow(tx, new["uri"], follower):
        return
    waits, now = not new["local"] or bool(new["approves_followers"]), node.clock()
    follow = Follow(id=sending.activity_id(node), actor=follower, published=now, object=Uri.parse(new["uri"]))
    await tx.run(
        "follows.ask", follower=follower, followee=new["uri"], id=follow.id, state="pending" if waits else "accepted",
        now=to_ms(now), answered_at=None if waits else to_ms(now),
    )  # fmt: skip
    await notices.tell(node, tx, follower, notices_of.MOVED, new["uri"])
    if new["local"]:
        kind = notices_of.FOLLOW_ASKED if waits else notices_of.FOLLOWED
        await notices.tell(node, tx, new["uri"], kind, follower)
    if targets:
        await sending.send(node, tx, Message(follow, follow.object, "", Priority.REST), targets)

"""Pairing on the wire: what another instance says is kept, and what it has not taken is said again until it has.

Both sides confirm, and each tells the other until it answers with a 2xx, which means on disk. So whichever process dies
between which two lines, both come to the same end: the side that hears of the other's confirmation last is active a
little later, and until then answers 403 `not_a_sibling`, for which lanes wait. Where the other side says that it is
over there, an entry that it never had is taken back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from federation import pairing as protocol
from federation import signatures
from federation.delivery import GIVE_UP_AFTER
from federation.errors import (
    Malformed,
    NoSuchPairing,
    OtherFingerprint,
    PairingNotYet,
    PairingOver,
    PinMismatch,
    Refused,
    SiblingAlready,
    UnknownKey,
)
from federation.pairing import Event, Message, State, Verb
from federation.ports import Answer
from federation.signatures import Profile
from instance.services import alerts, candidates
from instance.services import pairing_rows as kept
from instance.services.candidates import Found
from instance.services.errors import Rejected
from instance.services.pairing_ends import turn_of
from instance.services.pairing_rows import Pairing
from instance.services.sibling_changes import take_turn
from instance.storage.store import Transaction
from instance.times import to_ms
from verification.people import SYSTEM

if TYPE_CHECKING:
    from instance.wiring import Node

#: Requests of whoever says to be somebody; beyond that the oldest makes room.
MOST_UNREAD: Final = 50
#: How long the next try waits, by how many there were.
BACK_OFF: Final = (
    timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2),
)  # fmt: skip
_TOGETHER: Final = 20
_EVENTS: Final[Mapping[Verb, Event]] = MappingProxyType(
    {Verb.CONFIRM: Event.CONFIRM_THERE, Verb.DECLINE: Event.DECLINE_THERE, Verb.WITHDRAW: Event.WITHDRAW_THERE}
)
_ENDING: Final = frozenset({Verb.DECLINE, Verb.WITHDRAW})


class PairingWire:
    """What is heard of pairings, and what is told."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store

    # ── what is heard ──

    async def heard(self, message: Message) -> str:
        """Keep what another instance says; return the name of the pairing.

        Raises PairingOver, NoSuchPairing, OtherFingerprint, SiblingAlready, PairingNotYet, PinMismatch, or what is
        wrong with the actor. Said twice it is the same.
        """
        node, found = self._node, self._found(message)
        if message.verb not in _ENDING and message.sees != await node.siblings.own_fingerprint():
            raise OtherFingerprint

        async def work(tx: Transaction) -> tuple[Pairing, bool]:
            if message.verb is not Verb.INVITE:
                await take_turn(tx)
            await turn_of(tx, found.origin)
            before = await self._meant(tx, message, found)
            if before is None:
                return await self._begin(tx, message, found), True
            return await self._go_on(tx, before, message, found), False

        pairing, new = await self._store.write(work)
        if new:
            node.log.info("pairing_requested", sibling=pairing.origin)
            node.wake.mails.set()
        await node.allowlist.refresh_if_changed()
        node.wake.deliveries.set()
        return pairing.name

    def _found(self, message: Message) -> Found:
        """The sender as a candidate; raise Refused where it could never be a sibling."""
        origin = message.instance.id.origin
        try:
            found = candidates.found_in(self._node.siblings.check_origin(origin), message.instance)
        except Rejected as refusal:
            raise Malformed(refusal.code) from None
        if message.key.fingerprint not in found.keys:
            raise UnknownKey("a key that signs no messages")
        return found

    async def _meant(self, tx: Transaction, message: Message, found: Found) -> Pairing | None:
        """The pairing a message is about: of this name, or the one that is open; None where one would begin."""
        row = await tx.one("pairings.named", origin=found.origin, name=message.name)
        row = row or await tx.one("pairings.open_of", origin=found.origin)
        if row is not None:
            return kept.read_pairing(row)
        if message.verb in _ENDING:
            raise NoSuchPairing
        if await tx.one("siblings.get", origin=found.origin) is not None:
            raise SiblingAlready
        return None

    async def _begin(self, tx: Transaction, message: Message, found: Found) -> Pairing:
        """Keep a request, for which the oldest one makes room that nobody has looked into."""
        now = self._node.clock()
        unread = await tx.all("pairings.unread")
        for row in unread[: max(0, len(unread) - MOST_UNREAD + 1)]:
            await tx.run("pairings.drop", id=row["id"])
        confirmed = message.verb is Verb.CONFIRM
        new = kept.begun(
            found, now, now + timedelta(days=self._node.config.pairing_days), name=message.name,
            state=State.CONFIRMED_THERE if confirmed else State.REQUESTED, there_at=now if confirmed else None,
        )  # fmt: skip
        await kept.add(tx, new, now)
        await alerts.tell(tx, alerts.PAIRING_REQUESTED, now)
        return new

    async def _go_on(self, tx: Transaction, before: Pairing, message: Message, found: Found) -> Pairing:
        """Change a pairing by what the other side says of it."""
        now = self._node.clock()
        if before.read_at is None and before.open and before.fingerprint != found.fingerprint:
            # Nobody knows yet who of the two is that instance: the later word counts, and the keys decide when somebody
            # looks. Nobody can take a place here by asking first.
            if message.verb in _ENDING:
                raise NoSuchPairing
            await tx.run("pairings.drop", id=before.id)
            return await self._begin(tx, message, found)
        if message.key.fingerprint not in before.found.keys:
            raise PinMismatch("another key than those read")
        if found.fingerprint != before.fingerprint and message.verb not in _ENDING:
            raise PinMismatch("other keys than those read")
        late = now >= before.hears_until()
        if message.verb in _ENDING and not before.open and (late or not before.is_open_there):
            return before
        if before.open and late:
            raise PairingOver("its time is over")
        return await self._changed(tx, before, message, now)

    async def _changed(self, tx: Transaction, before: Pairing, message: Message, now: datetime) -> Pairing:
        if message.verb is Verb.INVITE or (message.verb is Verb.CONFIRM and before.there_at is not None):
            if not before.open and before.state is not State.ACTIVE:
                raise PairingOver(before.state)
            return await self._renamed(tx, before, message, now)
        over = message.verb in _ENDING
        after = before.after(_EVENTS[message.verb], reason=kept.OVER_THERE if over else "")
        after = after.owing(None) if over else replace(after, there_at=now, name=min(after.name, message.name))
        await kept.put(tx, after, now)
        if after.read_at is not None:
            act = "confirmed_there" if message.verb is Verb.CONFIRM else message.verb.value
            await kept.note(self._node, tx, after, act, message.instance.id, "said by its instance")
        if after.state is State.ACTIVE:
            try:
                await kept.admit(self._node, tx, after, after.confirmed_by or SYSTEM.id)
            except Rejected as refusal:  # what came from there is being destroyed: for a moment nobody is admitted
                raise PairingNotYet(refusal.code) from None
        if before.state is State.ACTIVE:
            await kept.undo(self._node, tx, after, SYSTEM.id)
        return after

    async def _renamed(self, tx: Transaction, before: Pairing, message: Message, now: datetime) -> Pairing:
        """Both have asked each other: both go on under the smaller of their two names."""
        if not before.open or message.name >= before.name:
            return before
        after = replace(before, name=message.name)
        await kept.put(tx, after, now)
        return after

    # ── what is told ──

    async def send_due(self) -> int:
        """Tell other instances what they have not taken yet, several at a time; return how many did."""
        rows = await self._store.all("pairings.owed", now=to_ms(self._node.clock()), most=_TOGETHER)
        return sum(await asyncio.gather(*(self._tell(kept.read_pairing(row)) for row in rows)))

    async def _tell(self, pairing: Pairing) -> bool:
        try:
            answer = await self._post(pairing)
        except Refused as refusal:
            answer = Answer(0, refusal.answer_code)
        verb = Verb(pairing.owed)
        gone = verb in _ENDING and answer.code == NoSuchPairing.code
        if 200 <= answer.status < 300 or gone:
            await self._taken(pairing)
            return True
        if answer.status == 409 and answer.code in (PairingOver.code, SiblingAlready.code):
            await self._over(pairing, answer.code)
            return True
        await self._later(pairing, answer)
        return False

    async def _post(self, pairing: Pairing) -> Answer:
        node = self._node
        url = protocol.address(pairing.origin, node.origin)
        body = protocol.write(
            Verb(pairing.owed), pairing.name, pairing.fingerprint, await node.serving.instance_document()
        )
        profile = Profile.RFC9421 if pairing.found.speaks_rfc9421 else Profile.CAVAGE
        key = await node.keys.signing_key(node.actor, profile)
        headers = signatures.sign("POST", url, body, key, profile, node.clock(), content_type=protocol.JSON)
        return await node.wire.post_pairing(url, body, headers)

    async def _taken(self, pairing: Pairing) -> None:
        """The other side has it on disk; the lane of a sibling it knows of by now begins anew."""

        async def work(tx: Transaction) -> None:
            now = await kept.require(tx, pairing.id)
            if now.owed != pairing.owed:
                return
            await kept.put(tx, now.owing(None), self._node.clock())
            if now.state is State.ACTIVE:
                await tx.run("siblings.reset_lane", origin=now.origin)

        await self._store.write(work)
        self._node.wake.deliveries.set()

    async def _over(self, pairing: Pairing, code: str) -> None:
        """The other side will hear nothing more of it, so it is over here; what it never had is taken back."""

        async def work(tx: Transaction) -> None:
            before = await kept.require(tx, pairing.id)
            if before.owed != pairing.owed:
                return
            if not before.open and not before.is_open_there:
                await kept.put(tx, before.owing(None), self._node.clock())
                return
            after = replace(before.after(Event.EXPIRE, reason=kept.OVER_THERE).owing(None), last_code=code)
            await kept.put(tx, after, self._node.clock())
            await kept.note(self._node, tx, after, "expire", SYSTEM.id, code)
            if before.state is State.ACTIVE:
                await kept.undo(self._node, tx, after, SYSTEM.id)

        await self._store.write(work)
        await self._node.allowlist.refresh_if_changed()

    async def _later(self, pairing: Pairing, answer: Answer) -> None:
        wait = BACK_OFF[min(pairing.tries, len(BACK_OFF) - 1)]
        wait = max(wait, timedelta(seconds=min(answer.retry_after or 0, 86_400)))
        code = answer.code or f"http_{answer.status}"

        async def work(tx: Transaction) -> None:
            next_at = to_ms(self._node.clock() + wait)
            await tx.run("pairings.later", id=pairing.id, owed=pairing.owed, next_at=next_at, code=code)

        await self._store.write(work)

    # ── what time does ──

    async def sweep(self) -> None:
        """End those whose time is over, and forget those that ended long ago.

        One that was confirmed here hears the other side's word a day longer; as long the other side is told. That it is
        over the other side is told as long as it would be sent anything else.
        """
        now = self._node.clock()
        for row in await self._store.all("pairings.due", now=to_ms(now)):
            if now >= kept.read_pairing(row).hears_until():
                await self._expire(row["id"])
        for row in await self._store.all("pairings.unheard", before=to_ms(now - GIVE_UP_AFTER)):
            await self._let_go(row["id"])

        async def forget(tx: Transaction) -> None:
            await tx.run(
                "pairings.forget", before=to_ms(now - kept.KEPT), unread_before=to_ms(now - kept.KEPT_UNREAD),
                over_there=kept.OVER_THERE,
            )  # fmt: skip

        await self._store.write(forget)
        await self._node.allowlist.refresh_if_changed()

    async def _expire(self, id: str) -> None:
        async def work(tx: Transaction) -> None:
            before, now = await kept.require(tx, id), self._node.clock()
            if not (before.open or before.is_open_there) or now < before.hears_until():
                return
            if before.read_at is None:
                await tx.run("pairings.drop", id=id)
                return
            after = before.after(Event.EXPIRE, reason=kept.UNANSWERED).owing(None)
            await kept.put(tx, after, now)
            await kept.note(self._node, tx, after, "expire", SYSTEM.id, kept.UNANSWERED)
            if before.state is State.ACTIVE:
                await kept.undo(self._node, tx, after, SYSTEM.id)

        await self._store.write(work)

    async def _let_go(self, id: str) -> None:
        """Say no longer that it is over to whoever never took it; what it answered last stays to be seen."""

        async def work(tx: Transaction) -> None:
            before, now = await kept.require(tx, id), self._node.clock()
            if before.owed not in _ENDING or now < before.told_until:
                return
            after = replace(before, owed="", next_at=0, last_code=before.last_code or "not_reached")
            await kept.put(tx, after, now)
            await kept.note(self._node, tx, after, "unheard", SYSTEM.id, after.last_code)

        await self._store.write(work)

"""Pairing: what administrators do so that another instance becomes a sibling, and how many of them it takes.

Confirming takes two people (decision 23). Where this instance has two administrators, the second is another one here;
where it has one, the other instance's is. Codes raised here: CODES.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation.discovery import Account
from federation.errors import Malformed
from federation.pairing import Event, State, Verb
from instance.services import candidates
from instance.services import pairing_rows as kept
from instance.services.candidates import Found
from instance.services.dossiers.errors import mapped
from instance.services.errors import Missing, Rejected
from instance.services.pairing_ends import turn_of
from instance.services.pairing_rows import Pairing
from instance.services.pairing_wire import PairingWire
from instance.services.sibling_changes import note_alone
from instance.services.siblings import check_countries
from instance.storage.store import Transaction
from verification import overlay
from verification.errors import SamePerson
from verification.people import SYSTEM, Actor, StaffId, require_other

if TYPE_CHECKING:
    from federation.pairing import Message
    from instance.wiring import Node

CODES: Final = (
    "already_a_sibling", "pairing_waits", "pairing_over", "pairing_not_read", "pairing_other_keys",
    "fingerprint_differs", "pairing_ended", "confirmed_already", "bad_country", "pairing_reason_missing",
    "second_needed",
)  # fmt: skip
_HISTORY: Final = 30
_COMPARED: Final = "fingerprint compared"

#: Who acts: an administrator, or by name whoever has the shell of this machine.
By = Actor | str


class Pairings:
    """The pairings of this instance."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store
        self._wire = PairingWire(node)

    # ── looking ──

    async def open(self) -> list[Pairing]:
        """Invitations and requests that wait, the newest first."""
        return [kept.read_pairing(row) for row in await self._store.all("pairings.open")]

    async def over(self) -> list[Pairing]:
        """Those that ended or led to a sibling, the newest first, as many as a page holds."""
        return [kept.read_pairing(row) for row in await self._store.all("pairings.over", most=_HISTORY)]

    async def get(self, id: str) -> Pairing:
        """Return one; raise Missing."""
        row = await self._store.one("pairings.get", id=id)
        if row is None:
            raise Missing()
        return kept.read_pairing(row)

    async def of(self, origin: str) -> Pairing:
        """Return the last one with this origin; raise Missing."""
        row = await self._store.one("pairings.latest_of", origin=origin_of(origin))
        if row is None:
            raise Missing()
        return kept.read_pairing(row)

    async def keys_read_of(self, origin: str) -> frozenset[str]:
        """The keys read at the home of an instance with which people here are pairing, or have; empty for any other.

        One that is active counts: what the other side says again may have been taken while the answer got lost.
        """
        rows = await self._store.all("pairings.read_of", origin=origin)
        return frozenset(key for row in rows for key in kept.read_pairing(row).found.keys)

    async def needs_second(self, actor: Actor, pairing: Pairing) -> bool:
        """Whether this person's confirmation alone would not count here."""
        administrators = await self._administrators()
        first = pairing.proposal_of(administrators, self._node.clock())
        return bool(administrators - {actor.id}) and first in (None, actor.id)

    # ── from the wire, and to it ──

    async def heard(self, message: Message) -> str:
        """Keep what another instance says; return the name of the pairing. Raises Refused."""
        return await self._wire.heard(message)

    async def send_due(self) -> int:
        """Tell other instances what they have not taken yet; return how many did."""
        return await self._wire.send_due()

    async def sweep(self) -> None:
        """End those whose time is over, and forget those that ended long ago."""
        await self._wire.sweep()

    # ── acts ──

    async def invite(self, origin: str, by: By) -> Pairing:
        """Read an instance's actor now, and ask its administrator; it is shown here as it was read.

        `origin` may be the host alone.
        Raises Rejected for an address that can never be a sibling, is one, or is being asked already.
        """
        self._require_administrator(by)
        found = await self._node.siblings.look_up(origin_of(origin))
        now = self._node.clock()
        until = now + timedelta(days=self._node.config.pairing_days)
        new = kept.begun(found, now, until, state=State.INVITED, read_at=now, owed=Verb.INVITE.value)

        async def work(tx: Transaction) -> Pairing:
            await turn_of(tx, found.origin)
            row = await tx.one("pairings.open_of", origin=found.origin)
            before = None if row is None else kept.read_pairing(row)
            if before is not None and before.read_at is None:
                # Whoever said to be this instance: now it is known whether they were.
                known = await self._read(tx, before, found, by)
                if known.open:
                    return known
                before = None
            if before is not None or not await kept.add(tx, new, now):
                raise Rejected("pairing_waits", "origin", status=409)
            await kept.note(self._node, tx, new, "invite", _name(by), "asked from here")
            return new

        asked = await self._store.write(work)
        self._node.wake.pairings.set()
        return await self.get(asked.id)

    async def read(self, id: str, by: By) -> Pairing:
        """Read the actor of whoever asks at its home; where it shows other keys the request is a forgery and ends.

        Raises Rejected: pairing_other_keys, pairing_over, not_reached, not_an_instance.
        """
        self._require_administrator(by)
        before = await self.get(id)
        found = await candidates.look_up(self._node, before.origin)

        async def work(tx: Transaction) -> Pairing:
            pairing = self._acted_on(await kept.require(tx, id))
            return await self._read(tx, pairing, found, by) if pairing.read_at is None else pairing

        after = await self._store.write(work)
        if not after.open:
            raise Rejected("pairing_other_keys", status=409)
        return after

    async def confirm(
        self, id: str, fingerprint: str, countries: Sequence[str], by: By, *, alone: bool = False
    ) -> Pairing:  # fmt: skip
        """Say that the fingerprint was compared; where it takes a second administrator the first one's is a proposal.

        So is the command line's; `alone` has it count at once, and every administrator is told.
        Raises Rejected: fingerprint_differs (the fifth ends it: pairing_ended), same_person, same_inviter,
        second_needed, pairing_not_read, pairing_over, bad_country, being_purged, not_yours.
        """
        self._require_administrator(by)
        node, may = self._node, check_countries(countries)

        async def work(tx: Transaction) -> tuple[Pairing, bool]:
            pairing = self._acted_on(await kept.require(tx, id))
            if pairing.read_at is None:
                raise Rejected("pairing_not_read", status=409)
            if not kept.same(fingerprint, pairing.fingerprint):
                return await self._wrong(tx, pairing), False
            return await self._confirmed(tx, pairing, may, by, alone=alone), True

        after, held = await self._store.write(work)
        if not held:
            code = "fingerprint_differs" if after.open else "pairing_ended"
            raise Rejected(code, "fingerprint" if after.open else None, status=409)
        await node.allowlist.refresh_if_changed()
        node.wake.pairings.set()
        node.wake.deliveries.set()
        return after

    async def decline(self, id: str, reason: str, by: By) -> Pairing:
        """Say no to a request, or take an invitation back; the other side is told. One administrator is enough.

        Raises Rejected: pairing_over, pairing_reason_missing.
        """
        self._require_administrator(by)
        if reason not in kept.REASONS:
            raise Rejected("pairing_reason_missing", "reason")

        async def work(tx: Transaction) -> Pairing:
            pairing = self._acted_on(await kept.require(tx, id))
            act, event = ("withdraw", Event.WITHDRAW_HERE) if pairing.asked_by_us else ("decline", Event.DECLINE_HERE)
            after = pairing.after(event, reason=reason).owing(Verb(act))
            await kept.put(tx, after, self._node.clock())
            await kept.note(self._node, tx, after, act, _name(by), reason)
            return after

        after = await self._store.write(work)
        self._node.wake.pairings.set()
        return after

    # ── parts ──

    async def _read(self, tx: Transaction, pairing: Pairing, found: Found, by: By) -> Pairing:
        """Hold a request against what its home shows."""
        now = self._node.clock()
        if found.fingerprint == pairing.fingerprint:
            after = replace(pairing, found=found, read_at=now, countries=(found.country,) if found.country else ())
        else:
            after = pairing.after(Event.DECLINE_HERE, reason=kept.FORGED).owing(None)
        await kept.put(tx, after, now)
        await kept.note(
            self._node, tx, after, "read" if after.open else "decline", _name(by), after.reason or "read at home"
        )
        return after

    async def _wrong(self, tx: Transaction, pairing: Pairing) -> Pairing:
        """Count a fingerprint that is another; the fifth ends the pairing."""
        wrong, now = pairing.wrong + 1, self._node.clock()
        after = replace(pairing, wrong=wrong)
        if wrong < kept.MOST_WRONG:
            await kept.put(tx, after, now)
            return after
        verb, event = (Verb.WITHDRAW, Event.WITHDRAW_HERE) if after.asked_by_us else (Verb.DECLINE, Event.DECLINE_HERE)
        after = after.after(event, reason=kept.WRONG).owing(verb)
        await kept.put(tx, after, now)
        await kept.note(self._node, tx, after, verb.value, SYSTEM.id, kept.WRONG)
        return after

    async def _confirmed(
        self, tx: Transaction, before: Pairing, may: tuple[str, ...], by: By, *, alone: bool
    ) -> Pairing:  # fmt: skip
        """A proposal, the confirmation of this side, or (where the other has confirmed) the entry of the allowlist."""
        pairing = replace(before, countries=may)
        now, name = self._node.clock(), _name(by)
        if pairing.state is State.CONFIRMED_HERE:
            raise Rejected("confirmed_already", status=409)
        counts = await self._counts(tx, before, may, by, now, alone=alone)
        if not counts and not alone:
            after = replace(pairing, proposed_by=name, proposed_at=now)
            await kept.put(tx, after, now)
            await kept.note(self._node, tx, after, "propose", name, _COMPARED)
            return after
        after = pairing.after(Event.CONFIRM_HERE, confirmed_by=name, confirmed_at=now).owing(Verb.CONFIRM)
        await kept.put(tx, after, now)
        if not counts:
            await note_alone(self._node, tx, after.origin, name, _COMPARED)
        await kept.note(self._node, tx, after, "confirm", name, _COMPARED)
        if after.state is State.ACTIVE:
            await kept.admit(self._node, tx, after, name)
        return after

    async def _counts(
        self, tx: Transaction, pairing: Pairing, may: tuple[str, ...], by: By, now: datetime, *, alone: bool
    ) -> bool:  # fmt: skip
        """Whether with this person enough have confirmed here; raise Rejected where this one may not be the second.

        The second takes what the first has proposed, or fewer countries: more would be one person's word. Whoever has
        the shell may be the one who has proposed, and so is never the second.
        """
        administrators = {StaffId(row["id"]) for row in await tx.all("staff.administrators")}
        if not (administrators - {by.id} if isinstance(by, Actor) else len(administrators) > 1):
            return True
        first = pairing.proposal_of(administrators, now)
        if not isinstance(by, Actor):
            if first is not None and not alone:
                raise Rejected("second_needed", status=409)
            return False
        if first is None:
            return False
        with mapped():
            if first == by.id:
                raise SamePerson("two different people are needed")
            require_other(by, (StaffId(first),))
        if not set(may) <= set(pairing.countries):
            raise Rejected("bad_country", "countries", status=409)
        return True

    async def _administrators(self) -> set[str]:
        return {str(row["id"]) for row in await self._store.all("staff.administrators")}

    def _acted_on(self, pairing: Pairing) -> Pairing:
        """Return it where people may still act; raise Rejected(pairing_over)."""
        if not pairing.open or pairing.is_late(self._node.clock()) or pairing.state is State.ACTIVE:
            raise Rejected("pairing_over", status=409)
        return pairing

    def _require_administrator(self, by: By) -> None:
        if isinstance(by, Actor):
            with mapped():
                overlay.require_administrator(by)


def origin_of(text: str) -> str:
    """Return the origin somebody means who names a host; what is no host stays as it was typed."""
    bare = text.strip().rstrip("/")
    try:
        return bare if "://" in bare else Account("", bare.lower()).origin
    except Malformed:
        return bare


def _name(by: By) -> str:
    return by.id if isinstance(by, Actor) else by

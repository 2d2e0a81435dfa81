"""Our own doctors who come from another instance, or go on at one.

Nobody is verified by having been verified elsewhere: who comes has a dossier of their own here, and names the old
address afterwards. Who goes names the new one; the new home is asked then and there, and what it answers must hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from federation.allowlist import Direction
from federation.delivery import Priority
from federation.errors import NotASibling, Refused, SiblingBlocked, SiblingPaused, SiblingReadOnly, TooManyRequests
from federation.uri import BadUri, Uri
from federation.vocabulary import Doctor, Move
from instance.ids import new_ulid
from instance.services import acting, sending, standing_changes
from instance.services.effects_relocation import aliases_of, described, go_over
from instance.services.errors import Missing, Rejected
from instance.services.fetching import NotReached
from instance.services.judging import OK, is_deferred
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification import relocation
from verification.names import same_name
from verification.relocation import Old, WhyNot
from verification.standing import Action
from verification.verdicts import Reason

if TYPE_CHECKING:
    from instance.services.directory import Learned
    from instance.wiring import Node

CODES: Final = (
    *(reason.value for reason in WhyNot), "bad_address", "doctor_unknown", "home_away", "home_closed", "same_home",
    "too_many_aliases", "other_handle", "changed_meanwhile", "not_in_order",
)  # fmt: skip
#: What a doctor's actor may name (security: limits).
MAX_ALIASES: Final = 16
_CLOSED: Final = (NotASibling, SiblingBlocked, SiblingPaused, SiblingReadOnly)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A doctor of a sibling as their home shows them now; `reason` is the verdict on the credential."""

    uri: Uri
    address: str
    name: str
    role: str
    country: str
    specialties: tuple[str, ...]
    valid_until: datetime | None
    reason: str
    same_name: bool

    @property
    def holds(self) -> bool:
        """Whether the credential is valid at this moment."""
        return self.reason == OK


class Relocations:
    """Coming from, and going to, another instance."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store

    # ── who comes ──

    async def aliases(self, doctor: str) -> list[tuple[Uri, str]]:
        """The ids at other instances that this doctor has named, each as people write it where that is known."""
        found = []
        for uri in sorted(aliases_of(await self._row(doctor))):
            known = await self._store.one("relocation.destination", uri=uri)
            found.append((uri, f"@{known['address']}" if known is not None else str(uri)))
        return found

    async def claim(self, doctor: str, address: str) -> Elsewhere:
        """Name the old address: from now on the actor carries it. Raises Rejected where it is not this doctor's."""
        await acting.doctor(self._node, doctor, Action.READ)
        row = await self._row(doctor)
        found, learned, address = await self._find(address)
        was = Reason(learned.doctor.standing)
        if found.moved_to is not None and found.moved_to != doctor:
            raise Rejected(WhyNot.ELSEWHERE.value, "old")
        if was is not Reason.OK and (was is not Reason.REVOKED or found.moved_to is None):
            raise Rejected(WhyNot.NOT_VERIFIED.value, "old")
        if not same_name(row["name"], found.name):
            raise Rejected(WhyNot.OTHER_NAME.value, "old")
        await self._set_aliases(row, {*aliases_of(row), found.id}, learned)
        return _shown(found, learned, address, row["name"])

    async def disclaim(self, doctor: str, alias: str) -> None:
        """Take an old address back; who has been moved by it stays so."""
        row = await self._row(doctor)
        await self._set_aliases(row, {each for each in aliases_of(row) if each != alias})

    async def _set_aliases(self, row: Row, aliases: set[Uri], learned: Learned | None = None) -> None:
        if len(aliases) > MAX_ALIASES:
            raise Rejected("too_many_aliases", "old")

        async def work(tx: Transaction) -> None:
            now = max(to_ms(self._node.clock()), int(row["updated_at"]) + 1)
            changed = await tx.run(
                "relocation.set_aliases", uri=row["uri"], aliases=json.dumps(sorted(aliases)), now=now,
                seen=row["updated_at"],
            )  # fmt: skip
            if not changed:
                raise Rejected("changed_meanwhile", status=409)
            if learned is not None:
                await self._node.directory.keep(tx, learned)

        await self._store.write(work)

    # ── who goes ──

    async def moved_to(self, doctor: str) -> Row | None:
        """Where this doctor has moved to; None for whoever has not."""
        row = await self._store.one("relocation.doctor", uri=doctor)
        if row is None or not row["moved_to"]:
            return None
        return await self._store.one("relocation.destination", uri=row["moved_to"])

    async def look(self, doctor: str, address: str) -> Elsewhere:
        """Ask the new home whether this doctor may go on there; raise Rejected with the first thing that is missing."""
        row, found, learned, address = await self._examined(doctor, address)
        return _shown(found, learned, address, row["name"])

    async def leave(self, doctor: str, address: str, handle: str) -> Elsewhere:
        """Go on there: the dossier ends, the credential is revoked, sessions end, followers and siblings are told.

        `handle` is the own one, typed: nobody moves by a slip. All or nothing, in one transaction.
        """
        row, found, learned, address = await self._examined(doctor, address)
        if handle.strip().removeprefix("@").casefold() != row["handle"]:
            raise Rejected("other_handle", "handle")

        async def further(tx: Transaction) -> None:
            await self._tell(tx, Uri.parse(doctor), found.id, learned)

        dossier = await self._store.one("dossiers.approved_of_doctor", doctor=doctor)
        if dossier is not None:
            await self._node.dossiers.depart(dossier["id"], further=further)
        else:
            await self._depart_without_dossier(row, further)
        self._node.directory.adopt(learned)
        self._node.wake.deliveries.set()
        self._node.wake.mails.set()
        return _shown(found, learned, address, row["name"])

    async def _examined(self, doctor: str, address: str) -> tuple[Row, Doctor, Learned, str]:
        await acting.doctor(self._node, doctor, Action.READ)
        row, now = await self._row(doctor), self._node.clock()
        if row["standing"] != OK:
            raise Rejected("not_in_order", status=409)
        dossier = await self._store.one("dossiers.approved_of_doctor", doctor=doctor)
        if dossier is not None:
            await self._node.dossiers.require_free(dossier["id"])
        found, learned, address = await self._find(address, Direction.OUT, "new")
        # As it will be shown, once this is done.
        old = Old(
            id=Uri.parse(doctor), name=row["name"], reason=Reason.REVOKED, moved_to=found.id, silent_since=now,
        )  # fmt: skip
        reason = relocation.why_not(old, described(found, learned), now=now)
        if reason is not None:
            raise Rejected(reason.value, "new")
        return row, found, learned, address

    async def _tell(self, tx: Transaction, old: Uri, new: Uri, learned: Learned) -> None:
        """Keep the new one, let own followers go over, and queue the `Move` for every sibling."""
        await self._node.directory.keep(tx, learned)
        await go_over(self._node, tx, old, new)
        await sending.to_all_siblings(
            self._node, tx, Move, actor=self._node.actor, object=old, target=new, priority=Priority.REVOCATION
        )

    async def _depart_without_dossier(self, row: Row, further: Any) -> None:
        """The same for a doctor who was let in before there were dossiers."""

        async def work(tx: Transaction) -> None:
            now = to_ms(self._node.clock())
            at = max(now, int(row["updated_at"]) + 1)
            if not await tx.run("people.set_standing", uri=row["uri"], standing="revoked", before=OK, now=at):
                raise Rejected("not_in_order", status=409)
            await tx.run("sessions.end_all_of_doctor", doctor=row["uri"])
            await standing_changes.silence(tx, row["uri"], now)
            if not await self._node.own_status.revoke(tx, row["uri"]):
                await standing_changes.ask_siblings_to_read_anew(self._node, tx, Uri.parse(row["uri"]))
            await further(tx)
            await tx.run(
                "people.record", id=new_ulid(self._node.clock()), act="doctor_moved", by_whom="doctor",
                subject=row["uri"], reason="moved", at=now,
            )  # fmt: skip

        await self._store.write(work)

    # ── who applies ──

    async def say_elsewhere(self, dossier: str, address: str) -> None:
        """Note where an applicant says they are verified already; an empty address takes it back."""
        address = _plain(address)
        if address and not self._leads_elsewhere(address):
            raise Rejected("bad_address", "elsewhere")

        async def work(tx: Transaction) -> None:
            if not address:
                await tx.run("relocation.drop_elsewhere", dossier=dossier)
                return
            await tx.run("relocation.say_elsewhere", dossier=dossier, address=address, now=to_ms(self._node.clock()))

        await self._store.write(work)

    async def elsewhere(self, dossier: str) -> str:
        """Where the applicant says they are verified already; empty where nothing was said."""
        row = await self._store.one("relocation.elsewhere", dossier=dossier)
        return "" if row is None else str(row["address"])

    async def support(self, dossier: str, name: str) -> Elsewhere | None:
        """Ask that home now; a support for whoever reviews, and never a proof. Raises Rejected where nobody answers."""
        address = await self.elsewhere(dossier)
        if not address:
            return None
        found, learned, address = await self._find(address, field="elsewhere", known=False)
        return _shown(found, learned, address, name)

    # ── parts ──

    def _leads_elsewhere(self, address: str) -> bool:
        handle, _, authority = address.partition("@")
        return bool(handle and authority) and "@" not in authority and authority != self._node.authority

    async def _row(self, doctor: str) -> Row:
        row = await self._store.one("relocation.doctor", uri=doctor)
        if row is None or not row["local"] or row["gone_at"] is not None:
            raise Missing()
        return row

    async def _find(
        self, address: str, direction: Direction = Direction.FETCH, field: str = "old", *, known: bool = True
    ) -> tuple[Doctor, Learned, str]:
        """Look a doctor up at their home, whatever their standing; `known`: it must be known whether it holds."""
        address = _plain(address)
        handle, _, authority = address.partition("@")
        if authority == self._node.authority:
            raise Rejected("same_home", field)
        if not handle or not authority or "@" in authority:
            raise Rejected("bad_address", field)
        try:
            uri = await self._node.directory.find_uri(address)
            self._node.allowlist().require(uri.origin, direction)
            found, learned = await self._node.directory.examine(uri)
        except (NotReached, TooManyRequests):
            raise Rejected("home_away", field) from None
        except _CLOSED:
            raise Rejected("home_closed", field) from None
        except Refused:
            raise Rejected("doctor_unknown", field) from None
        except (BadUri, ValueError):
            raise Rejected("bad_address", field) from None
        if known and is_deferred(learned.doctor):
            raise Rejected("home_away", field)
        return found, learned, address


def _plain(address: str) -> str:
    return address.strip().removeprefix("acct:").removeprefix("@")[:320].casefold()


def _shown(found: Doctor, learned: Learned, address: str, name: str) -> Elsewhere:
    known = learned.doctor
    return Elsewhere(
        uri=found.id, address=address, name=known.name, role=known.role, country=known.country,
        specialties=known.specialties, valid_until=known.valid_until, reason=known.standing,
        same_name=same_name(name, found.name),
    )  # fmt: skip

"""Changes of the allowlist at pages: what narrows one administrator does at once, what widens takes a second.

Whoever confirms sees the preview anew, of the entry as it is then; where it is not the one that was proposed about, the
proposal is overtaken. Codes raised here: see CODES.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
import orjson
from msgspec import structs

from federation.allowlist import LocalPolicy
from instance.ids import new_ulid
from instance.services import sibling_entries
from instance.services.dossiers import chain
from instance.services.dossiers.errors import mapped
from instance.services.errors import Missing, Rejected
from instance.services.expelling import FATES, Expelling
from instance.services.orders import check_order, who
from instance.services.sibling_changes import follow, take_turn
from instance.services.sibling_entries import EntryChange, Preview, version_of
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification.audit import COMMAND_LINE
from verification.errors import NoSuchMove, NotYours, SamePerson
from verification.people import Actor, StaffId, require_other
from verification.ways import PROPOSAL

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (*sibling_entries.CODES, "unknown_sibling", "not_narrowed", "reason_missing")

CHANGE, IMPORT, EXPEL = "change", "import", "expel"
#: What the audit log calls a proposal, and its end without effect; what is carried out has the name of its change.
PROPOSED, WITHDRAWN = "sibling.proposed", "sibling.withdrawn"


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was proposed: changes of entries, or (of an expulsion, or what becomes of copies) the version of the row."""

    changes: tuple[EntryChange, ...] = ()
    seen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What waits for a second administrator."""

    id: str
    kind: str
    #: Empty for an import.
    origin: str
    asked: Asked
    reason: str
    by: str
    at: datetime

    @property
    def until(self) -> datetime:
        """Until when it can be confirmed."""
        return self.at + PROPOSAL


class Proposals:
    """Makes changes at once, or proposes and confirms them."""

    def __init__(self, node: Node, expelling: Expelling) -> None:
        self._node, self._store, self._expelling = node, node.store, expelling

    # ── looking ──

    async def preview(self, change: EntryChange) -> Preview:
        """Say what a change would do and to how many; raise Rejected: unknown_sibling, sibling_changed, no_change."""
        await self._node.allowlist.refresh_if_changed()
        row = await sibling_entries.require(self._store, change.origin)
        _require_same(version_of(row), change.seen)
        return await sibling_entries.preview(self._node, self._store, row, change)

    async def preview_expulsion(self, origin: str) -> tuple[Preview, str]:
        """Say what leaving would close and touch, with the version; raise Rejected: unknown_sibling, not_narrowed."""
        await self._node.allowlist.refresh_if_changed()
        row = await sibling_entries.require(self._store, origin)
        _require_narrowed(row)
        return await sibling_entries.preview(self._node, self._store, row, None), version_of(row)

    async def waiting(self) -> list[Proposal]:
        """Everything that waits, the oldest first."""
        now = self._node.clock()
        found = [_proposal(row) for row in await self._store.all("sibling_proposals.waiting")]
        return [each for each in found if now <= each.until]

    async def find(self, id: str) -> Proposal:
        """Return one that waits; raise Missing."""
        found = next((each for each in await self.waiting() if each.id == id), None)
        if found is None:
            raise Missing()
        return found

    # ── changing ──

    async def change(self, changes: Sequence[EntryChange], actor: Actor, reason: str, *, kind: str = CHANGE) -> bool:
        """Make changes at once where they only narrow (True); propose them all where one of them opens anything.

        Raises Rejected: reason_missing, bad_change, unknown_sibling, sibling_changed, no_change, not_yours.
        """
        _require_administrator(actor)
        check_order(actor.id, reason)
        if not changes or len({change.origin for change in changes}) != len(changes):
            raise Rejected("bad_change")
        await self._node.allowlist.refresh_if_changed()

        async def work(tx: Transaction) -> bool:
            await take_turn(tx)
            found = await self._previews(tx, changes)
            wide = [each for row, each in found if each.widens and not await self._is_undone(tx, row, each, actor)]
            for origin in [""] if kind == IMPORT else [each.origin for _, each in found]:
                await self._end_waiting(tx, kind, origin, actor.id)
            if wide:
                origin = "" if kind == IMPORT else changes[0].origin
                await self._propose(tx, kind, origin, Asked(changes=tuple(changes)), actor.id, reason)
                return False
            for row, each in found:
                await sibling_entries.make(self._node, tx, each, row, actor.id, reason)
            return True

        done = await self._store.write(work)
        await follow(self._node)
        return done

    async def order(self, tx: Transaction, row: Row, policy: LocalPolicy, by: str, reason: str) -> None:
        """Propose what the command line wants, in the caller's transaction; somebody confirms it at the page."""
        change = structs.replace(sibling_entries.as_it_is(row), policy=policy)
        await self._end_waiting(tx, CHANGE, row["origin"], by)
        await self._propose(tx, CHANGE, row["origin"], Asked(changes=(change,)), by, reason)

    async def expel(self, origin: str, actor: Actor, reason: str, *, seen: str) -> None:
        """Propose to expel a sibling that is paused or blocked; raise Rejected as `preview_expulsion` does."""
        _require_administrator(actor)
        check_order(actor.id, reason)

        async def work(tx: Transaction) -> None:
            await take_turn(tx)
            row = await sibling_entries.require(tx, origin)
            _require_narrowed(row)
            _require_same(version_of(row), seen)
            await self._replace(tx, EXPEL, origin, Asked(seen=seen), actor.id, reason)

        await self._store.write(work)

    async def settle_copies(self, origin: str, fate: str, actor: Actor, reason: str, *, seen: str) -> None:
        """Propose to keep or to purge what came from whoever was expelled; `seen` is what becomes of it now."""
        _require_administrator(actor)
        check_order(actor.id, reason)

        async def work(tx: Transaction) -> None:
            await take_turn(tx)
            await self._expelling.require_fate(tx, origin, fate, seen)
            await self._replace(tx, fate, origin, Asked(seen=seen), actor.id, reason)

        await self._store.write(work)

    async def confirm(self, id: str, actor: Actor) -> Proposal:
        """Carry out what another administrator has proposed; return it.

        Raises Rejected: same_person, same_inviter, sibling_changed, not_narrowed, no_such_move; Missing where it waits
        no longer.
        """
        await self._node.allowlist.refresh_if_changed()

        async def work(tx: Transaction) -> Proposal:
            await take_turn(tx)
            proposal, now = await self._waits(tx, id), self._node.clock()
            with mapped():
                _require_second(proposal, actor, now)
            await self._require_still_there(tx, proposal)
            if not await tx.run("sibling_proposals.decide", id=id, state="done", by=actor.id, now=to_ms(now)):
                raise Missing()
            await self._carry_out(tx, proposal, actor)
            return proposal

        proposal = await self._store.write(work)
        await follow(self._node)
        if proposal.kind == EXPEL:
            self._node.directory.forget(proposal.origin)
            await self._expelling.write_words()
        return proposal

    async def withdraw(self, id: str, actor: Actor) -> Proposal:
        """Take a proposal back, or turn it down: any administrator may. Raises Missing."""
        _require_administrator(actor)

        async def work(tx: Transaction) -> Proposal:
            await take_turn(tx)
            proposal, now = await self._waits(tx, id), self._node.clock()
            if not await tx.run("sibling_proposals.decide", id=id, state="withdrawn", by=actor.id, now=to_ms(now)):
                raise Missing()
            await chain.append(tx, WITHDRAWN, now, actor.id, thing=id)
            return proposal

        return await self._store.write(work)

    # ── parts ──

    async def _previews(self, tx: Transaction, changes: Iterable[EntryChange]) -> list[tuple[Row, Preview]]:
        found = []
        for change in changes:
            row = await sibling_entries.require(tx, change.origin)
            _require_same(version_of(row), change.seen)
            sibling_entries.require_sound(row, change)
            found.append((row, await sibling_entries.preview(self._node, tx, row, change)))
        return found

    async def _is_undone(self, tx: Transaction, row: Row, found: Preview, actor: Actor) -> bool:
        """Whether the only administrator there is takes back their own pause, and nothing else was changed since.

        Otherwise nobody could: there is no second.
        """
        if found.change is None or found.facets != ("policy",):
            return False
        if [each["id"] for each in await tx.all("staff.administrators")] != [actor.id]:
            return False
        last = await tx.one("sibling_proposals.last_change", origin=row["origin"])
        if last is None or (last["act"], last["by_whom"]) != (LocalPolicy.PAUSE.value, actor.id):
            return False
        before, after = orjson.loads(last["before"]), orjson.loads(last["after"])
        return bool(before["policy"] == found.change.policy and version_of(after) == version_of(row))

    async def _replace(
        self, tx: Transaction, kind: str, origin: str, asked: Asked, by: str, reason: str
    ) -> None:  # fmt: skip
        for each in (*FATES, EXPEL) if kind in FATES else (kind,):
            await self._end_waiting(tx, each, origin, by)
        await self._propose(tx, kind, origin, asked, by, reason)

    async def _end_waiting(self, tx: Transaction, kind: str, origin: str, by: str) -> None:
        now = to_ms(self._node.clock())
        await tx.run("sibling_proposals.end_waiting", kind=kind, origin=origin, by=by, now=now)

    async def _propose(
        self, tx: Transaction, kind: str, origin: str, asked: Asked, by: str, reason: str
    ) -> None:  # fmt: skip
        now = self._node.clock()
        id = f"p-{new_ulid(now).lower()}"
        await tx.run(
            "sibling_proposals.add", id=id, kind=kind, origin=origin, asked=msgspec.json.encode(asked).decode(),
            reason=reason.strip(), by=by, now=to_ms(now),
        )  # fmt: skip
        await chain.append(tx, PROPOSED, now, who(by), thing=id)

    async def _carry_out(self, tx: Transaction, proposal: Proposal, actor: Actor) -> None:
        by, first = actor.id, proposal.by
        if proposal.kind in (CHANGE, IMPORT):
            for row, found in await self._previews(tx, proposal.asked.changes):
                await sibling_entries.make(self._node, tx, found, row, by, proposal.reason, first)
        elif proposal.kind == EXPEL:
            row = await sibling_entries.require(tx, proposal.origin)
            _require_narrowed(row)
            _require_same(version_of(row), proposal.asked.seen)
            await self._expelling.expel(tx, row, first, by, proposal.reason)
        else:
            await self._expelling.settle(
                tx, proposal.origin, proposal.kind, proposal.asked.seen, first, by, proposal.reason
            )

    async def _waits(self, tx: Transaction, id: str) -> Proposal:
        row = await tx.one("sibling_proposals.get", id=id)
        if row is None or row["state"] != "proposed":
            raise Missing()
        return _proposal(row)

    async def _require_still_there(self, tx: Transaction, proposal: Proposal) -> None:
        """Raise where whoever proposed it is no administrator any more: then one person alone would do it.

        Whose command line it was nobody can take away here.
        """
        if who(proposal.by) != COMMAND_LINE and proposal.by not in {
            row["id"] for row in await tx.all("staff.administrators")
        }:
            raise Rejected("no_such_move", status=409)


def _require_administrator(actor: Actor) -> None:
    with mapped():
        if not actor.is_administrator():
            raise NotYours("not an administrator")


def _require_second(proposal: Proposal, actor: Actor, now: datetime) -> None:
    if not actor.is_administrator():
        raise NotYours("not an administrator")
    if actor.id == proposal.by:
        raise SamePerson("two different people are needed")
    require_other(actor, (StaffId(proposal.by),))
    if now > proposal.until:
        raise NoSuchMove("the proposal is too old")


def _require_narrowed(row: Mapping[str, str]) -> None:
    """Expelling is a second step: the sibling has been paused or blocked before."""
    if row["policy"] not in (LocalPolicy.PAUSE, LocalPolicy.BLOCK):
        raise Rejected("not_narrowed", status=409)


def _require_same(found: str, seen: str) -> None:
    if found != seen:
        raise Rejected("sibling_changed", status=409)


def _proposal(row: Row) -> Proposal:
    return Proposal(
        id=row["id"], kind=row["kind"], origin=row["origin"], asked=msgspec.json.decode(row["asked"], type=Asked),
        reason=row["reason"], by=row["proposed_by"], at=from_ms(row["proposed_at"]),
    )  # fmt: skip

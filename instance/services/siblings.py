"""The administrator's hand on the allowlist: look, compare, admit, narrow, remove; every change on the record.

Each change is one transaction: the entry, the append-only record of who changed what and why, the number that tells
every process, and what waits to be sent to that sibling.

Codes raised here: see CODES.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from federation.allowlist import LocalPolicy, Sibling
from federation.uri import BadUri, Uri, parse_origin
from federation.vocabulary import FEDERATING_KINDS, PostKind
from instance.services import candidates, sibling_entries
from instance.services.allowlist_cache import read_sibling, write_issuer_keys
from instance.services.candidates import Found
from instance.services.errors import Rejected
from instance.services.expelling import Expelling
from instance.services.farewells import leave, welcome
from instance.services.orders import check_order
from instance.services.pins import Pins, issuer_pin
from instance.services.sibling_changes import (
    Change,
    Touched,
    commit,
    has_two_administrators,
    note_alone,
    record,
    settle_queue,
    take_turn,
    to_json,
)
from instance.services.sibling_entries import SPEAKING
from instance.services.sibling_proposals import Proposals
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    "bad_origin", "own_origin", "loopback_not_allowed", "already_a_sibling", "not_reached", "not_an_instance",
    "fingerprint_differs", "bad_country", "reason_missing", "unknown_sibling", "bad_policy", "bad_kind", "no_change",
    "keys_not_compared", "second_needed",
)  # fmt: skip

REMOVE: Final = "remove"
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")


@dataclass(frozen=True, slots=True)
class Overview:
    """One line of the allowlist as administrators list it."""

    origin: str
    name: str
    country: str
    policy: str
    since: datetime
    last_in: datetime | None
    last_out: datetime | None
    waiting: int


class SiblingAdmin:
    """Changes the allowlist; `allowlist_cache` reads it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._store = node.store
        #: The keys pinned of siblings, beside those they show.
        self.pins = Pins(node)
        #: What administrators change at pages, alone or by two, and how somebody is expelled.
        self.expelling = Expelling(node)
        self.proposals = Proposals(node, self.expelling)

    # ── looking ──

    async def look_up(self, origin: str) -> Found:
        """Read the candidate's instance actor once; raise Rejected for an address that can never be a sibling."""
        checked = self.check_origin(origin)
        if await self._store.one("siblings.get", origin=checked) is not None:
            raise Rejected("already_a_sibling", "origin")
        return await candidates.look_up(self._node, checked)

    async def own_fingerprint(self) -> str:
        """Return what other administrators are shown when they look this instance up."""
        keys = await self._node.keys.published(self._node.keys.instance_actor)
        issuers = [(self._node.keys.issuer_id, self._node.keys.issuer_multikey)]
        return candidates.fingerprint_of(self._node.actor, [key.fingerprint for key in keys], issuers)

    async def preview(self, origin: str, change: str) -> Touched:
        """Say what a change (a policy, or `remove`) would touch; change nothing."""
        if change != REMOVE and change not in set(LocalPolicy):
            raise Rejected("bad_policy", "policy")
        await sibling_entries.require(self._store, origin)
        row = await self._store.one("siblings.touched", origin=origin)
        return Touched.of(row)

    async def list(self) -> list[Overview]:
        """List every entry with its last contact and how much waits for it."""
        return [_overview(row) for row in await self._store.all("siblings.overview")]

    async def show(self, origin: str) -> Sibling:
        """Return one entry; raise Rejected(unknown_sibling)."""
        return read_sibling(await sibling_entries.require(self._store, origin))

    async def changes(self, origin: str | None = None) -> Sequence[Change]:
        """Return the record, oldest first: of one origin (also one that was removed), or of all."""
        if origin is None:
            return [Change.of(row) for row in await self._store.all("siblings.all_changes")]
        return [Change.of(row) for row in await self._store.all("siblings.changes", origin=origin)]

    # ── changing ──

    async def add(
        self, found: Found, fingerprint: str, may_issue_for: Sequence[str], by: str, reason: str, *, alone: bool = False
    ) -> Sibling:  # fmt: skip
        """Admit the candidate when the confirmed fingerprint is the one it showed; return the entry.

        Where this instance has two administrators it is admitted by pairing (`second_needed`), or `alone`, which every
        administrator is told.
        """
        origin = self.check_origin(found.origin)
        check_order(by, reason)
        if fingerprint.strip().lower() != found.fingerprint:
            raise Rejected("fingerprint_differs", "fingerprint", status=409)
        countries = check_countries(may_issue_for)
        entry = entry_of(found, countries, self._node.clock())

        async def work(tx: Transaction) -> None:
            await take_turn(tx)
            takes_two = await has_two_administrators(tx)
            await welcome(tx, origin, self._node.clock())
            if not await tx.run("siblings.add", **entry):
                raise Rejected("already_a_sibling", "origin", status=409)
            if takes_two and not alone:
                raise Rejected("second_needed", status=409)
            await tx.run("siblings.reset_lane", origin=origin)
            await tx.run("siblings.forget_shown", origin=origin)
            if takes_two:
                await note_alone(self._node, tx, origin, by, reason)
            await record(self._node, tx, origin, "add", by, reason, before=None, after=entry)

        await commit(self._node, work)
        return await self.show(origin)

    async def set_policy(
        self, origin: str, policy: str, by: str, reason: str, *, alone: bool = False
    ) -> Sibling:  # fmt: skip
        """Narrow or restore what the sibling may do here; what waits for it is held, dropped or released with that.

        Where this instance has two administrators, what restores is proposed, and the entry returned as it is: one of
        them confirms it at the page. `alone` does it at once, and every administrator is told.

        Whoever was suspended since its keys had changed is spoken with again once they have been compared
        (`keys_not_compared`).
        """
        check_order(by, reason)
        if policy not in set(LocalPolicy):
            raise Rejected("bad_policy", "policy")

        async def work(tx: Transaction) -> None:
            await take_turn(tx)
            before = await sibling_entries.require(tx, origin)
            if before["policy"] == policy:
                raise Rejected("no_change", "policy", status=409)
            touched = Touched.of(await tx.one("siblings.touched", origin=origin))
            takes_two = _restores(before["policy"], policy) and await has_two_administrators(tx)
            if policy in SPEAKING and await tx.one("siblings.alarm", origin=origin) is not None:
                raise Rejected("keys_not_compared", "policy", status=409)
            if takes_two and not alone:
                await self.proposals.order(tx, before, LocalPolicy(policy), by, reason)
                return
            if not await tx.run("siblings.set_policy", origin=origin, policy=policy, before=before["policy"]):
                raise Rejected("no_change", "policy", status=409)
            await settle_queue(self._node, tx, origin, LocalPolicy(policy))
            after = {**before, "policy": policy}
            if takes_two:
                await note_alone(self._node, tx, origin, by, reason)
            await record(self._node, tx, origin, policy, by, reason, before=before, after=after, touched=touched)

        await commit(self._node, work)
        return await self.show(origin)

    async def set_kinds(
        self, origin: str, kinds_in: Iterable[str], kinds_out: Iterable[str], by: str, reason: str
    ) -> Sibling:
        """Say which kinds of post are taken from this sibling and sent to it."""
        check_order(by, reason)
        kinds = {"kinds_in": _kinds(kinds_in), "kinds_out": _kinds(kinds_out)}

        async def work(tx: Transaction) -> None:
            await take_turn(tx)
            before = await sibling_entries.require(tx, origin)
            await tx.run("siblings.set_kinds", origin=origin, **kinds)
            await record(self._node, tx, origin, "kinds", by, reason, before=before, after={**before, **kinds})

        await commit(self._node, work)
        return await self.show(origin)

    async def remove(self, origin: str, by: str, reason: str) -> None:
        """Take the sibling off the allowlist: its queue is dropped, its keys are forgotten, its rows stay."""
        check_order(by, reason)

        async def work(tx: Transaction) -> None:
            await take_turn(tx)
            before = await sibling_entries.require(tx, origin)
            touched = Touched.of(await tx.one("siblings.touched", origin=origin))
            await leave(self._node, tx, origin)
            await record(self._node, tx, origin, REMOVE, by, reason, before=before, after=None, touched=touched)

        await commit(self._node, work)
        self._node.directory.forget(origin)

    # ── parts ──

    def check_origin(self, text: str) -> str:
        """Return the origin of what could be a sibling; raise Rejected."""
        try:
            origin = parse_origin(text.strip().rstrip("/") if isinstance(text, str) else text)
        except BadUri:
            raise Rejected("bad_origin", "origin") from None
        if origin == self._node.origin:
            raise Rejected("own_origin", "origin")
        # Uri admits http for loopback names only, so this one rule covers plain http as well.
        if Uri.parse(origin).is_loopback and not self._node.config.development:
            raise Rejected("loopback_not_allowed", "origin")
        return origin


def _restores(before: str, after: str) -> bool:
    """Whether the one policy lets anything through that the other does not."""
    return after == LocalPolicy.INHERIT or (after in SPEAKING and before not in SPEAKING)


def entry_of(found: Found, countries: tuple[str, ...], now: datetime) -> dict[str, Any]:
    """Return the row of a sibling that is admitted with exactly the keys found."""
    issuers = (issuer_pin(key, now) for key in found.issuer_keys)
    kinds = _kinds(FEDERATING_KINDS)
    return {
        "origin": found.origin, "actor": found.actor, "name": found.name, "country": found.country,
        "inbox": found.inbox, "outbox": found.outbox, "instance_keys": to_json(list(found.keys)),
        "issuer_keys": write_issuer_keys(issuers), "may_issue_for": to_json(list(countries)), "kinds_in": kinds,
        "kinds_out": kinds, "speaks_rfc9421": int(found.speaks_rfc9421), "contact": found.contact,
        "software": found.software, "since": to_ms(now),
    }  # fmt: skip


def check_countries(countries: Sequence[str]) -> tuple[str, ...]:
    """Return the countries, each once; raise Rejected(bad_country) where one is none, or there is none."""
    if not countries or not all(_COUNTRY.match(code) for code in countries):
        raise Rejected("bad_country", "countries")
    return tuple(sorted(set(countries)))


def _kinds(kinds: Iterable[str]) -> str:
    try:
        return to_json(sorted({PostKind(kind).value for kind in kinds}))
    except ValueError:
        raise Rejected("bad_kind", "kinds") from None


def _overview(row: Row) -> Overview:
    return Overview(
        origin=row["origin"], name=row["name"], country=row["country"], policy=row["policy"],
        since=from_ms(row["since"]), last_in=_when(row["last_in_at"]), last_out=_when(row["last_out_at"]),
        waiting=int(row["waiting"]),
    )  # fmt: skip


def _when(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)

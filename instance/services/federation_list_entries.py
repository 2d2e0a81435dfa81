"""What a federation list makes of the allowlist's rows: entries for new members, the record, what waited.

A row of the list never says more than the list in force: its pins are written down for those who look, and what counts
is read from the list itself (`federation.membership.narrowed`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation import membership_drafts
from federation.allowlist import Direction, Listed
from federation.membership import FederationList, Member, MemberStatus
from federation.vocabulary import FEDERATING_KINDS
from instance.services import candidates
from instance.services import federation_list_impact as impact
from instance.services.allowlist_cache import write_issuer_keys
from instance.services.candidates import Found
from instance.services.errors import Rejected
from instance.services.farewells import Cause, begin, forget, welcome
from instance.services.pins import ISSUER_KEY_LIFE, OLDEST_CREDENTIAL
from instance.services.sibling_changes import BY_LIST, drop_queue, follow, record, take_turn, to_json
from instance.storage.store import Reader, Row, Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: How long a member that could not be read, or is another than the list says, is left alone.
AGAIN: Final = timedelta(minutes=10)


class Entries:
    """Follows the list in force, row by row."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._failed: dict[str, datetime] = {}

    def try_again(self) -> None:
        """Forget who could not be read: a list that has just come may say why."""
        self._failed.clear()

    # ── when a list is adopted ──

    async def follow(self, tx: Transaction, before: FederationList | None, after: FederationList, *, by: str) -> None:
        """Write down what has changed of each member, in the transaction that adopts the list; tell every process."""
        await tx.run("siblings.raise_version")
        rows = {row["origin"]: row for row in await tx.all("federation_list.listed_entries")}
        old = {} if before is None else {member.origin: member for member in before.members}
        for each in await impact.of(self._node, tx, before, after):
            origin = each.origin
            member, row = after.find(origin), rows.get(origin)
            await record(
                self._node, tx, origin, "list", f"{BY_LIST}: {by}", impact.reason_of(after.sequence),
                before=_plain(old.get(origin)), after=(_plain(member) or {}) | each.doors(), touched=each.touched,
            )  # fmt: skip
            if member is not None and row is not None and row["source"] == "list":
                countries = still_open(orjson.loads(row["may_issue_for"]), old.get(origin), member)
                pins = {**_pins(member), "may_issue_for": to_json(sorted(countries))}
                await tx.run("federation_list.set_entry", origin=origin, **pins)
        await self._go_and_come(tx, after)

    async def _go_and_come(self, tx: Transaction, found: FederationList) -> bool:
        """Begin the farewell of each entry whose member has left, end that of one that is active again.

        Asked of what is, not of what has changed, so that it holds however often and whenever it is asked. Whoever two
        administrators have expelled has no entry, and stays out. Returns whether anything was changed.
        """
        going, coming = await self._moving(tx, found)
        for row in going:
            await self._has_left(tx, row, found.sequence)
        for row in coming:
            await welcome(tx, row["origin"], self._node.clock())
        if going or coming:
            await tx.run("siblings.raise_version")
        return bool(going or coming)

    async def _moving(self, reader: Reader, found: FederationList) -> tuple[list[Row], list[Row]]:
        """The entries whose farewell is to begin, and those of which it is to end."""
        farewells = {row["origin"]: row for row in await reader.all("farewells.all")}
        going, coming = [], []
        for row in await reader.all("siblings.all"):
            member, farewell = found.find(row["origin"]), farewells.get(row["origin"])
            if member is not None and member.status is MemberStatus.WITHDRAWN and farewell is None:
                going.append(row)
            open_again = member is not None and member.status is MemberStatus.ACTIVE
            if open_again and farewell is not None and farewell["fate"] != "purging":
                coming.append(row)
        return going, coming

    async def _has_left(self, tx: Transaction, row: Row, sequence: int) -> None:
        origin = row["origin"]
        await drop_queue(self._node, tx, origin, "issuer_withdrawn")
        await forget(tx, origin)
        by = f"{BY_LIST} {sequence}"
        await begin(self._node, tx, row, Cause.WITHDRAWN, by, by)

    async def come_back(self) -> None:
        """Begin and end farewells that the adoption could not: of entries added since, or while theirs were purged."""
        found, now = self._node.allowlist.federation_list, self._node.clock()
        left = [each for each in self._node.allowlist() if each.listed is Listed.WITHDRAWN]
        if found is None or found.is_over(now) or not left or not any(await self._moving(self._node.store, found)):
            return

        async def work(tx: Transaction) -> bool:
            await tx.take_turn("federation list")
            await take_turn(tx)
            row = await tx.one("federation_list.newest")
            return row is not None and row["hash"] == found.hash and await self._go_and_come(tx, found)

        if await self._node.store.write(work):
            await follow(self._node)
            await self._node.siblings.expelling.write_words()

    # ── new members ──

    async def admit_due(self) -> None:
        """Admit every active member that has no entry here yet, once its actor shows a key that the list names.

        Whoever two administrators have expelled stays out: the list opens nothing that is closed here.
        """
        found, now = self._node.allowlist.federation_list, self._node.clock()
        if found is None or found.is_over(now):
            return
        expelled = {row["origin"] for row in await self._node.store.all("farewells.all") if _stays_out(row)}
        for member in found.members:
            waits = self._failed.get(member.origin)
            if (
                member.origin in expelled
                or not self._is_new(member)
                or (waits is not None and timedelta(0) <= now - waits < AGAIN)
            ):
                continue
            try:
                await self._admit(member, await candidates.look_up(self._node, member.origin), found.sequence)
            except Rejected as fault:
                self._failed[member.origin] = now
                self._node.log.warning("member_not_admitted", sibling=member.origin, code=fault.code)

    def _is_new(self, member: Member) -> bool:
        """Whether it is admitted by the list: one whose key the list does not name waits for its administrator."""
        if member.origin == self._node.origin or member.status is not MemberStatus.ACTIVE or not member.instance_keys:
            return False
        return self._node.allowlist().find(member.origin) is None

    async def _admit(self, member: Member, found: Found, sequence: int) -> None:
        if found.actor != member.actor:
            raise Rejected("not_an_instance", "origin")
        if not set(found.keys) & member.instance_keys:
            raise Rejected("fingerprint_differs", "fingerprint", status=409)
        entry = _entry(member, found, sequence, self._node.clock())

        async def work(tx: Transaction) -> bool:
            await tx.take_turn("federation list")
            await take_turn(tx)
            farewell = await tx.one("farewells.get", origin=member.origin)
            if farewell is not None and _stays_out(farewell):
                return False  # another process admitted it, and two administrators expelled it meanwhile
            if not await tx.run("federation_list.add_entry", **entry):
                return False  # another process was first
            await welcome(tx, member.origin, self._node.clock())
            await tx.run("siblings.reset_lane", origin=member.origin)
            await tx.run("siblings.forget_shown", origin=member.origin)
            await record(
                self._node, tx, member.origin, "add", BY_LIST, f"federation list {sequence}", before=None, after=entry
            )
            return True

        admitted = await self._node.store.write(work)
        await follow(self._node)
        if admitted:
            self._node.log.info("member_admitted", sibling=member.origin, sequence=sequence)

    # ── what waited ──

    async def release(self) -> None:
        """Let go what was kept back for a sibling that is open again; what waits for a person's hand stays held."""
        held = {row["origin"] for row in await self._node.store.all("federation_list.held_origins")}
        allowlist = self._node.allowlist()
        speaking = {*(each.origin for each in allowlist.open_to(Direction.OUT)), *allowlist.farewells}
        ready = sorted(speaking & held)
        if not ready:
            return

        async def work(tx: Transaction) -> int:
            now, released = to_ms(self._node.clock()), 0
            for origin in ready:
                count = await tx.run(
                    "siblings.release_deliveries", origin=origin, now=now, instance=self._node.actor
                )  # fmt: skip
                if count:
                    await tx.run("siblings.reset_lane", origin=origin)
                released += count
            return released

        if await self._node.store.write(work):
            self._node.wake.deliveries.set()


async def own_entry(node: Node) -> dict[str, Any]:
    """Return this instance as the signers of a list may enter it: a candidate, its keys pinned as they are now.

    The issuer key counts from a hundred days ago, the age of the oldest credential that may still be shown, for the two
    years that such a key lives.
    """
    now = node.clock()
    keys = await node.keys.published(node.keys.instance_actor)
    issuer = membership_drafts.issuer_key(
        node.keys.issuer_id, node.actor, node.keys.issuer_multikey, begins=now - OLDEST_CREDENTIAL,
        ends=now + ISSUER_KEY_LIFE,
    )  # fmt: skip
    return membership_drafts.entry(
        node.actor, status=MemberStatus.CANDIDATE, countries=node.config.may_issue_for, issuer_key=issuer,
        pins=[key.fingerprint for key in keys],
    )  # fmt: skip


def _stays_out(farewell: Row) -> bool:
    """Whether no list admits it: two administrators expelled it, or what came from there is being destroyed."""
    return bool(farewell["cause"] == Cause.EXPELLED or farewell["fate"] == "purging")


def _entry(member: Member, found: Found, sequence: int, now: datetime) -> dict[str, Any]:
    kinds = to_json(sorted(kind.value for kind in FEDERATING_KINDS))
    return {
        "origin": member.origin, "actor": member.actor, "name": found.name, "country": _country(member, found),
        "inbox": found.inbox, "outbox": found.outbox, "vouched_by": f"{BY_LIST} {sequence}", **_pins(member),
        "kinds_in": kinds, "kinds_out": kinds, "speaks_rfc9421": int(found.speaks_rfc9421), "contact": found.contact,
        "software": found.software, "since": to_ms(now),
    }  # fmt: skip


def _country(member: Member, found: Found) -> str:
    """As it says of itself where the list lets it vouch for that; else the first country that the list names."""
    return found.country if found.country in member.may_issue_for else min(member.may_issue_for, default=found.country)


def _pins(member: Member) -> dict[str, str]:
    return {
        "instance_keys": to_json(sorted(member.instance_keys)), "issuer_keys": write_issuer_keys(member.issuer_keys),
        "may_issue_for": to_json(sorted(member.may_issue_for)),
    }  # fmt: skip


def still_open(kept: Iterable[str], before: Member | None, after: Member) -> frozenset[str]:
    """The countries it may vouch for here: what the list has, without what an administrator here has taken off."""
    taken_off = frozenset() if before is None else before.may_issue_for - frozenset(kept)
    return after.may_issue_for - taken_off


def _plain(member: Member | None) -> dict[str, Any] | None:
    """A member as the record keeps it."""
    return None if member is None else {"status": member.status.value, "domain": member.domain, **_pins(member)}

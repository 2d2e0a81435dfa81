"""The figures of `instance.figures`, read at once: for the page of administration and for the series alike.

Every reading costs what is open now (the queues, whoever waits, a day's refusals), whatever there ever was.
"""

from __future__ import annotations

import asyncio
import math
import shutil
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation import membership
from federation.allowlist import Listed, LocalPolicy
from federation.delivery import Priority
from instance.evidence import OPEN
from instance.figures import FIGURES, HOUR, Values
from instance.ids import first_ulid
from instance.kek import left_behind
from instance.services import backups, federation_list_rows, key_alarm
from instance.services.dossiers.waiting import late_before
from instance.storage.sqlite_care import wal_size
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

Found = dict[tuple[str, str], float]

_OPEN: Final = ("waiting", "resting")


async def read(node: Node) -> Values:
    """Return every figure as it is now; what does not apply to this instance is missing, except in a list of labels."""
    found: Found = {(each.name, value): 0 for each in FIGURES if each.label for value in each.values}
    for part in (_siblings, _between, _queue, _arrivals, _desk, _storage, _keys, _list):
        found.update(await part(node, node.clock()))
    return found


async def _siblings(node: Node, now: datetime) -> Found:
    allowlist = await node.allowlist.refresh_if_changed()
    # Whom the federation list keeps out is no sibling now, whatever the entry says.
    listed = {each.origin: each.policy for each in allowlist if each.listed in (Listed.UNASKED, Listed.ACTIVE)}
    policies = Counter(listed.values())
    rows = [row for row in await node.store.all("health.lanes") if row["origin"] in listed]
    last = [
        max(row["since"], row["last_in_at"] or 0, row["last_out_at"] or 0)
        for row in rows
        if listed[row["origin"]] is LocalPolicy.INHERIT
    ]
    node.clocks.forget_strangers()
    found: Found = {("siblings", policy.value): policies[policy] for policy in LocalPolicy}
    return found | {
        ("siblings_listed", ""): len(listed), ("allowlist_readable", ""): int(node.allowlist.readable),
        ("sibling_silence_seconds", ""): _age(min(last, default=None), now),
        ("lanes_hanging", ""): sum(row["failures"] > 0 for row in rows),
        ("lanes_alarming", ""): sum(row["alarm"] != "" for row in rows),
        ("clock_skew_seconds", ""): node.clocks.farthest, ("log_gaps", ""): node.catching_up.gaps,
        ("log_doubts", ""): node.catching_up.back.doubts,
    }  # fmt: skip


async def _between(node: Node, now: datetime) -> Found:
    since = first_ulid(now - timedelta(days=1))
    refused: Counter[str] = Counter()
    for row in await node.store.all("sibling_pages.refusals", since=since):
        refused["out" if row["direction"] == "out" else "in"] += int(row["number"])
    return {
        ("refusals_day", "in"): refused["in"],
        ("refusals_day", "out"): refused["out"],
        ("pairings_waiting", ""): len(await node.pairings.open()),
        ("sibling_proposals_waiting", ""): len(await node.siblings.proposals.waiting()),
    }


async def _queue(node: Node, now: datetime) -> Found:
    states: Counter[str] = Counter()
    priorities: Counter[int] = Counter()
    oldest: dict[str, int] = defaultdict(lambda: to_ms(now))
    for row in await node.store.all("health.deliveries"):
        states[row["state"]] += int(row["number"])
        if row["state"] in _OPEN:
            priorities[row["priority"]] += int(row["number"])
            oldest[row["origin"]] = min(oldest[row["origin"]], row["oldest"])
    ages = [_age(at, now) for at in oldest.values()]
    found: Found = {("deliveries", state): number for state, number in states.items()}
    found |= {("deliveries_by_priority", each.name.lower()): priorities[each] for each in Priority}
    return found | {
        ("delivery_oldest_seconds", ""): max(ages, default=0),
        ("siblings_behind", ""): sum(age > HOUR for age in ages),
    }


async def _arrivals(node: Node, now: datetime) -> Found:
    arrived = {row["state"]: row for row in await node.store.all("health.inbound")}
    (mails,) = await node.store.all("health.mails")
    return {
        ("inbound_waiting", ""): arrived["waiting"]["number"] + arrived["held"]["number"],
        ("inbound_oldest_seconds", ""): _age(arrived["waiting"]["oldest"], now),
        ("inbound_failed", ""): arrived["failed"]["number"], ("mails_waiting", ""): mails["number"],
        ("mail_oldest_seconds", ""): _age(mails["oldest"], now), ("late_seconds", ""): node.workers.late,
    }  # fmt: skip


async def _desk(node: Node, now: datetime) -> Found:
    late, began = late_before(now), list[datetime]()
    for country in sorted({node.config.country, *node.config.may_issue_for}):
        began += [from_ms(row["since"]) for row in await node.store.all("dossiers.waiting", country=country)]
    return {
        ("dossiers_waiting", ""): len(began), ("dossiers_overdue", ""): sum(each < late for each in began),
        ("dossier_oldest_seconds", ""): max(((now - each).total_seconds() for each in began), default=0),
        ("signing", ""): int(node.dossiers.restoring.state == "current"),
        ("audit_log_holds", ""): int(node.dossiers.checking.holds),
    }  # fmt: skip


async def _storage(node: Node, now: datetime) -> Found:
    (database,) = await node.store.all("health.database")
    (evidence,) = await node.store.all("health.evidence")
    disk = await asyncio.to_thread(shutil.disk_usage, node.config.data)
    found: Found = {
        ("database_bytes", ""): database["bytes"], ("wal_bytes", ""): wal_size(node.config.database),
        ("disk_free_bytes", ""): disk.free, ("disk_free_ratio", ""): disk.free / disk.total if disk.total else 0,
        ("evidence_files", ""): evidence["number"], ("evidence_bytes", ""): evidence["bytes"],
        ("evidence_vault_open", ""): int(node.evidence.state == OPEN),
    }  # fmt: skip
    if node.store.engine == "sqlite":
        last = await backups.last(node.store)
        found["backup_age_seconds", ""] = math.inf if last is None else max(0, (now - last).total_seconds())
    return found


async def _keys(node: Node, now: datetime) -> Found:
    rows = await node.store.all("health.own_keys", owner=node.actor, now=to_ms(now))
    signs = [max(row["not_before"], row["fetched_at"]) for row in rows if row["not_before"] <= to_ms(now)]
    later = [row["not_before"] - to_ms(now) for row in rows if row["not_before"] > to_ms(now)]
    other = [any(await node.siblings.pins.announced(sibling)) for sibling in node.allowlist()]
    return {
        ("instance_key_age_seconds", ""): _age(max(signs, default=None), now),
        ("instance_key_announced_seconds", ""): max(later, default=0) / 1_000,
        ("sibling_key_alarms", ""): len(await key_alarm.alarms(node)), ("siblings_other_keys", ""): sum(other),
        ("evidence_key_usable", ""): int(not node.evidence.state.startswith("evidence_key")),
        ("key_rotation_unfinished", ""): int(left_behind(node.config) is not None),
    }  # fmt: skip


async def _list(node: Node, now: datetime) -> Found:
    kept = node.federation_list.anchor is not None
    names = ("sequence", "signatures", "threshold", "seconds", "read_seconds")
    found: Found = {(f"federation_list_{name}", ""): 0 for name in names}
    found["federation_list_kept", ""] = int(kept)
    if not kept:
        return found
    reading, newest = await federation_list_rows.reading(node.store), node.allowlist.federation_list
    read_at = reading.succeeded_at
    found["federation_list_read_seconds", ""] = math.inf if read_at is None else _age(to_ms(read_at), now)
    if reading.code:
        found["federation_list_alarm", reading.code] = 1
    if newest is None:
        return found
    state = await node.federation_list.state()
    held = Counter(each.holds.value for each in await node.federation_list.holders.list(newest))
    judges = state.judged_by or node.federation_list.require().signers
    found |= {("federation_list_siblings", holds): number for holds, number in held.items()}
    return found | {
        ("federation_list_sequence", ""): newest.sequence, ("federation_list_threshold", ""): judges.threshold,
        ("federation_list_signatures", ""): len(set(membership.signed_by(newest, judges.keys))),
        ("federation_list_seconds", ""): (newest.valid_until - now).total_seconds(),
    }  # fmt: skip


def _age(ms: int | None, now: datetime) -> float:
    """How long ago that was, in seconds; 0 where there was nothing, and where the clock was set back since."""
    return 0 if ms is None else max(0, to_ms(now) - ms) / 1_000

"""What administrators may change of an entry, and what a change would do: asked of the list itself, then counted.

A change names the whole of what can be changed as it is wanted, and the version it was made from. Codes: see CODES.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct

from federation import allowlist_changes
from federation.allowlist import Allowlist, LocalPolicy, Sibling
from federation.allowlist_changes import Effect
from federation.uri import Uri
from federation.vocabulary import PostKind
from instance.services.errors import Missing, Rejected
from instance.services.sibling_changes import Touched, record, settle_queue, to_json
from instance.storage.store import Reader, Row, Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    "bad_country",
    "bad_kind",
    "bad_policy",
    "note_too_long",
    "no_change",
    "allowlist_unreadable",
    "bad_change",
    "sibling_changed",
    "keys_not_compared",
)

MAX_NOTE: Final = 500
#: What a change can be about, in the order in which it is recorded.
FACETS: Final = ("policy", "kinds", "countries", "note")
#: Policies under which anything is exchanged.
SPEAKING: Final = frozenset({LocalPolicy.INHERIT, LocalPolicy.READ_ONLY})
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")
#: What a version is made of: all that a decision rests on, and the note beside it.
_JUDGED: Final = (
    "policy", "kinds_in", "kinds_out", "may_issue_for", "note", "instance_keys", "issuer_keys", "since",
)  # fmt: skip


class EntryChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry as it is wanted; sets are sorted and hold nothing twice."""

    origin: str
    policy: LocalPolicy
    kinds_in: tuple[PostKind, ...]
    kinds_out: tuple[PostKind, ...]
    countries: tuple[str, ...]
    note: str = ""
    #: The version of the entry it was made from (`version_of`).
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A change before it is made; `change` is None where the entry would leave the list."""

    origin: str
    name: str
    change: EntryChange | None
    facets: tuple[str, ...]
    before: Effect
    after: Effect
    #: Whether it opens something: then it is proposed, and another administrator confirms it.
    widens: bool
    touched: Touched


def version_of(row: Mapping[str, Any]) -> str:
    """Return a short text that changes with all that a decision about this entry rests on."""
    judged = orjson.dumps([row.get(name, "") for name in _JUDGED])
    return hashlib.sha256(judged).hexdigest()[:20]


def change_of(
    row: Mapping[str, Any], policy: str, kinds_in: Iterable[str], kinds_out: Iterable[str], countries: Iterable[str],
    note: str,
) -> EntryChange:  # fmt: skip
    """Read a wanted entry; raise Rejected: bad_policy, bad_kind, bad_country, note_too_long."""
    wanted = sorted({code.strip().upper() for code in countries if code.strip()})
    if not wanted or not all(_COUNTRY.match(code) for code in wanted):
        raise Rejected("bad_country", "countries")
    if policy not in set(LocalPolicy):
        raise Rejected("bad_policy", "policy")
    text = " ".join(note.split())
    if len(text) > MAX_NOTE:
        raise Rejected("note_too_long", "note")
    return EntryChange(
        origin=row["origin"], policy=LocalPolicy(policy), kinds_in=_kinds(kinds_in), kinds_out=_kinds(kinds_out),
        countries=tuple(wanted), note=text, seen=version_of(row),
    )  # fmt: skip


def require_sound(row: Row, change: EntryChange) -> None:
    """Raise Rejected for a change that `change_of` would not have made: it came back from a browser."""
    made = change_of(row, change.policy, change.kinds_in, change.kinds_out, change.countries, change.note)
    if made != change:
        raise Rejected("bad_change")


def _kinds(kinds: Iterable[str]) -> tuple[PostKind, ...]:
    try:
        return tuple(sorted({PostKind(kind) for kind in kinds}))
    except ValueError:
        raise Rejected("bad_kind", "kinds") from None


def as_it_is(row: Row) -> EntryChange:
    """Return the change that changes nothing."""
    texts = {name: orjson.loads(row[name]) for name in ("kinds_in", "kinds_out", "may_issue_for")}
    return EntryChange(
        origin=row["origin"], policy=LocalPolicy(row["policy"]), kinds_in=_kinds(texts["kinds_in"]),
        kinds_out=_kinds(texts["kinds_out"]), countries=tuple(sorted(texts["may_issue_for"])), note=row["note"],
        seen=version_of(row),
    )  # fmt: skip


def facets_of(row: Row, change: EntryChange) -> tuple[str, ...]:
    """Return what of the entry would be another than it is, of FACETS."""
    now = as_it_is(row)
    differs = {
        "policy": now.policy is not change.policy, "countries": now.countries != change.countries,
        "kinds": (now.kinds_in, now.kinds_out) != (change.kinds_in, change.kinds_out), "note": now.note != change.note,
    }  # fmt: skip
    return tuple(facet for facet in FACETS if differs[facet])


def effects(allowlist: Allowlist, row: Row, change: EntryChange | None) -> tuple[Effect, Effect]:
    """Ask the list as it is, with the entry as its row is now, and as it would be."""
    current = allowlist.find(row["origin"])
    if current is None:
        raise Rejected("allowlist_unreadable", status=409)
    before = allowlist_changes.with_entry(allowlist, _changed(current, as_it_is(row)))
    if change is None:
        after = allowlist_changes.without(allowlist, row["origin"])
    else:
        after = allowlist_changes.with_entry(allowlist, _changed(current, change))
    return allowlist_changes.effect(before, row["origin"]), allowlist_changes.effect(after, row["origin"])


def _changed(entry: Sibling, change: EntryChange) -> Sibling:
    return replace(
        entry, policy=change.policy, kinds_in=frozenset(change.kinds_in), kinds_out=frozenset(change.kinds_out),
        may_issue_for=frozenset(change.countries),
    )  # fmt: skip


async def preview(node: Node, reader: Reader, row: Row, change: EntryChange | None) -> Preview:
    """Say what a change opens, closes and touches; change nothing. Raises Rejected: no_change, allowlist_unreadable."""
    facets = () if change is None else facets_of(row, change)
    if change is not None and not facets:
        raise Rejected("no_change", status=409)
    before, after = effects(node.allowlist(), row, change)
    return Preview(
        origin=row["origin"], name=row["name"], change=change, facets=facets, before=before, after=after,
        widens=allowlist_changes.widens(before, after),
        touched=Touched.of(await reader.one("siblings.touched", origin=row["origin"])),
    )  # fmt: skip


async def origin_of(reader: Reader, authority: str) -> str:
    """Return the origin of the entry with this authority; raise Missing."""
    row = await reader.one("sibling_pages.by_authority", authority=authority)
    if row is None:
        raise Missing()
    return str(row["origin"])


async def require(reader: Reader, origin: str) -> Row:
    """Return the entry's row; raise Rejected(unknown_sibling)."""
    row = await reader.one("siblings.get", origin=origin)
    if row is None:
        raise Rejected("unknown_sibling", "origin", status=404)
    return row


def authority_of(origin: str) -> str:
    """Return the part of an origin that stands in addresses of pages."""
    return Uri.parse(origin).authority


async def make(
    node: Node, tx: Transaction, found: Preview, row: Row, by: str, reason: str, proposed_by: str = ""
) -> None:  # fmt: skip
    """Carry a previewed change out in the caller's transaction: each facet with a line of its own in the record.

    Raises Rejected: keys_not_compared (it was suspended since its keys had changed), sibling_changed.
    """
    change = found.change
    if change is None:
        raise ValueError("leaving is no change of an entry")
    origin, running = change.origin, dict(row)
    for facet in found.facets:
        before = dict(running)
        match facet:
            case "policy":
                running["policy"] = change.policy.value
                await _set_policy(tx, change, before["policy"])
                await settle_queue(node, tx, origin, change.policy)
            case "kinds":
                kinds = {"kinds_in": to_json(change.kinds_in), "kinds_out": to_json(change.kinds_out)}
                running |= kinds
                await tx.run("siblings.set_kinds", origin=origin, **kinds)
            case "countries":
                running["may_issue_for"] = to_json(change.countries)
                await tx.run("sibling_pages.set_countries", origin=origin, countries=running["may_issue_for"])
            case _:
                running["note"] = change.note
                await tx.run("sibling_pages.set_note", origin=origin, note=change.note)
        act = change.policy.value if facet == "policy" else facet
        await record(
            node, tx, origin, act, by, reason, before=before, after=running, touched=found.touched,
            proposed_by=proposed_by,
        )  # fmt: skip


async def _set_policy(tx: Transaction, change: EntryChange, before: str) -> None:
    origin, policy = change.origin, change.policy
    if policy in SPEAKING and await tx.one("siblings.alarm", origin=origin) is not None:
        raise Rejected("keys_not_compared", "policy", status=409)
    if not await tx.run("siblings.set_policy", origin=origin, policy=policy, before=before):
        raise Rejected("sibling_changed", status=409)

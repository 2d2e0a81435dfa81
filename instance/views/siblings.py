"""The allowlist as administrators see it: every entry with what is known of its traffic, and whoever was expelled.

Whoever calls has asked whether this person may see it. Nothing of what anybody has written is in here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import orjson

from federation import allowlist_changes
from federation.allowlist import Direction, LocalPolicy
from federation.allowlist_changes import Effect
from federation.vocabulary import PostKind
from instance.ids import first_ulid
from instance.services import key_alarm, sibling_entries
from instance.services.errors import Missing
from instance.services.pairing_rows import ENDINGS, REASONS
from instance.services.pairing_rows import LOGGED as OF_PAIRING
from instance.services.sibling_changes import LOGGED, RENEW, Change
from instance.services.sibling_days import DAY, SHOWN
from instance.services.sibling_entries import authority_of
from instance.services.sibling_sets import Shown
from instance.storage.store import Row
from instance.times import from_ms, to_ms
from instance.views.messages import sentence_of
from instance.views.week import Week, week

if TYPE_CHECKING:
    from instance.wiring import Node

POLICIES: Final = tuple(LocalPolicy)
KINDS: Final = tuple(PostKind)
DIRECTIONS: Final = tuple(Direction)
_LISTED: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry; times are milliseconds."""

    origin: str
    authority: str
    name: str
    country: str
    policy: LocalPolicy
    source: str
    vouched_by: str
    note: str
    contact: str
    software: str
    since: int
    pinned: timedelta
    last_in: int | None
    last_out: int | None
    last_fault: str
    last_fault_at: int | None
    alarm: str
    waiting: int
    #: How long the oldest message has waited; None where none waits.
    lag: timedelta | None
    #: Of the last 24 hours: direction, code, number.
    refusals: Sequence[tuple[str, str, int]]
    #: How far its clock is ahead of ours; None where it has not answered this process yet.
    offset: timedelta | None
    kinds_in: Sequence[str]
    kinds_out: Sequence[str]
    countries: Sequence[str]
    effect: Effect
    week: Week
    #: How its own set stands here: whom it speaks with, and so to whom what is its may be passed on.
    set: Shown

    @property
    def alarm_sentence(self) -> str:
        """Which sentence explains why people must step in; empty where they need not."""
        return sentence_of(self.alarm)

    @property
    def fault_sentence(self) -> str:
        """Which sentence explains the last fault; empty where there was none."""
        return sentence_of(self.last_fault)

    @property
    def open(self) -> bool:
        """Whether something may come in or go out."""
        return not (self.effect.refused[Direction.IN] and self.effect.refused[Direction.OUT])


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """Whoever was expelled, or has left by a federation list; times are milliseconds."""

    origin: str
    authority: str
    name: str
    country: str
    since: int
    #: "expelled" or "withdrawn" (instance.services.farewells.Cause)
    cause: str
    fate: str
    #: When what came from there is hidden, where nobody has said otherwise.
    hides_at: int
    #: Until when our copies are asked back; None where nothing more is said.
    asks_until: int | None
    copies: int
    acknowledged: int


async def lines(node: Node) -> list[Line]:
    """Return every entry in force; nothing where the list cannot be read."""
    await node.allowlist.refresh_if_changed()
    rows = await node.store.all("sibling_pages.lines") if node.allowlist.readable else []
    return await _lines(node, rows)


async def line(node: Node, authority: str) -> Line:
    """Return one entry; raise Missing, also where the list cannot be read."""
    await node.allowlist.refresh_if_changed()
    origin = await sibling_entries.origin_of(node.store, authority)
    row = await node.store.one("sibling_pages.line", origin=origin)
    if row is None or not node.allowlist.readable:
        raise Missing()
    return (await _lines(node, [row]))[0]


async def _lines(node: Node, rows: Sequence[Row]) -> list[Line]:
    now = node.clock()
    since = first_ulid(now - timedelta(days=1))
    refused: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for each in await node.store.all("sibling_pages.refusals", since=since) if rows else []:
        refused[each["origin"]].append((each["direction"], each["code"], int(each["number"])))
    today = to_ms(now) // DAY
    days: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for each in await node.store.all("sibling_pages.days", after=today - SHOWN) if rows else []:
        days[each["origin"]][int(each["day"])] = int(each["received"]), int(each["sent"])
    return [_line(node, row, now, refused[row["origin"]], week(days[row["origin"]], today)) for row in rows]


def _line(node: Node, row: Row, now: datetime, refused: Sequence[tuple[str, str, int]], seven: Week) -> Line:
    origin, pinned = row["origin"], row["pinned_at"]
    return Line(
        origin=origin, authority=authority_of(origin), name=row["name"], country=row["country"],
        policy=LocalPolicy(row["policy"]), source=row["source"], vouched_by=row["vouched_by"], note=row["note"],
        contact=row["contact"], software=row["software"], since=row["since"],
        pinned=now - from_ms(row["since"] if pinned is None else pinned), last_in=row["last_in_at"],
        last_out=row["last_out_at"], last_fault=row["last_fault"] or "", last_fault_at=row["last_fault_at"],
        alarm=row["alarm"], waiting=int(row["waiting"]),
        lag=None if row["oldest"] is None else max(timedelta(0), now - from_ms(row["oldest"])), refusals=refused,
        offset=node.clocks.offset(origin), kinds_in=_sorted(row["kinds_in"]), kinds_out=_sorted(row["kinds_out"]),
        countries=_sorted(row["may_issue_for"]), effect=allowlist_changes.effect(node.allowlist(), origin), week=seven,
        set=node.sets.shown(origin),
    )  # fmt: skip


def _sorted(text: str) -> list[str]:
    return sorted(orjson.loads(text))


async def former(node: Node) -> list[Former]:
    """Return whoever was expelled or has left, and was not admitted again."""
    return [await _former(node, row) for row in await node.store.all("farewells.all")]


async def former_of(node: Node, authority: str) -> Former:
    """Return one of them; raise Missing."""
    found = await node.store.one("farewells.by_authority", authority=authority)
    row = None if found is None else await node.store.one("farewells.get", origin=found["origin"])
    if row is None:
        raise Missing()
    return await _former(node, row)


async def _former(node: Node, row: Row) -> Former:
    progress = {each["about"]: each for each in await node.store.all("farewells.progress", origin=row["origin"])}
    copies = progress.get("copies")
    return Former(
        origin=row["origin"], authority=authority_of(row["origin"]), name=row["name"], country=row["country"],
        since=row["expelled_at"], cause=row["cause"], fate=row["fate"], hides_at=row["expelled_at"] + 30 * DAY,
        asks_until=None if row["ended_at"] is not None else row["erasures_until"],
        copies=int(copies["number"]) if copies else 0, acknowledged=int(copies["acknowledged"]) if copies else 0,
    )  # fmt: skip


async def outstanding(node: Node, origin: str) -> Sequence[Row]:
    """Return what of ours a former sibling has not confirmed to have let go; no more than fifty."""
    return await node.store.all("farewells.outstanding", origin=origin, count=_LISTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One line of an entry's history: what was done, by whom (one id, or two), why, and what differs."""

    at: int
    act: str
    by: Sequence[str]
    #: As somebody gave it; empty where it is a code (`because`), or what the act says anyhow.
    reason: str
    #: A reason that is a code: of a pairing that ended, or of a key alarm.
    because: str
    touched: Mapping[str, int] | None


async def history(node: Node, origin: str) -> list[Told]:
    """Return the record of an origin, the newest first."""
    return [_told(each) for each in reversed(await node.siblings.changes(origin))][:_LISTED]


def _told(change: Change) -> Told:
    of_pairing = change.act.startswith(_PAIRING)
    coded = change.reason == key_alarm.CODE or (of_pairing and change.reason in (*REASONS, *ENDINGS))
    said_anyhow = of_pairing or change.act == RENEW or change.reason.startswith("pairing ")
    return Told(
        at=to_ms(change.at), act=change.act, by=change.by.split(", "), touched=change.touched,
        because=change.reason if coded else "", reason="" if coded or said_anyhow else change.reason,
    )  # fmt: skip


_PAIRING: Final = "pairing_"
#: The acts of the record, each of which has a name in the catalogues.
ACTS: Final = (*LOGGED, RENEW, *(f"{_PAIRING}{act}" for act in OF_PAIRING))

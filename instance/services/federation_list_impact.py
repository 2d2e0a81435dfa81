"""What a federation list opens, closes and touches here: before it counts, and as it is kept of one that does.

There is no second rule here: the allowlist is asked as it counts under the one list and under the other, in every
direction, by the function that decides (`federation.allowlist_changes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from federation import allowlist_changes
from federation.allowlist import Allowlist, Direction, Sibling
from federation.membership import FederationList, Member, MemberStatus
from federation.membership_changes import Difference, differences
from instance.services.allowlist_cache import counting, read_sibling
from instance.services.farewells import Cause
from instance.services.sibling_changes import Change, Touched
from instance.storage.store import Reader, Row

if TYPE_CHECKING:
    from instance.wiring import Node

_LIST: Final = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a list means for one origin."""

    origin: str
    domain: str
    differences: Sequence[Difference]
    #: Directions that it opens and closes; those of a member without an entry are open once its actor was read.
    opens: Sequence[Direction]
    closes: Sequence[Direction]
    touched: Touched

    def doors(self) -> dict[str, list[str]]:
        """As the record keeps what is opened and closed."""
        return {"opens": [each.value for each in self.opens], "closes": [each.value for each in self.closes]}

    def plain(self) -> dict[str, Any]:
        """As commands show it."""
        lines = [{"what": each.what, "before": each.before, "after": each.after} for each in self.differences]
        return {"domain": self.domain, "differences": lines, **self.doors(), "touched": asdict(self.touched)}


def reason_of(sequence: int) -> str:
    """The reason of every line that a list has written into the record."""
    return f"federation list {sequence}"


async def of(node: Node, reader: Reader, before: FederationList | None, after: FederationList) -> list[Impact]:
    """Return, domain by domain, what differs under the second list; of ourselves it touches nothing here."""
    now, farewells = node.clock(), await reader.all("farewells.all")
    rows = {row["origin"]: read_sibling(row) for row in await reader.all("siblings.all")}
    was = _under(rows, before, farewells, now)
    will = _under(rows | _admitted(rows, after, farewells, now, node.origin), after, farewells, now)
    domains = _domains(before, after)
    found = []
    for origin in sorted({*domains, *rows}):
        lines = [each for each in differences(before, after) if each.domain and each.domain == domains.get(origin)]
        one, other = allowlist_changes.effect(was, origin), allowlist_changes.effect(will, origin)
        opens = [each for each in Direction if one.refused[each] and not other.refused[each]]
        closes = [each for each in Direction if other.refused[each] and not one.refused[each]]
        if lines or opens or closes:
            there = None if origin == node.origin else await reader.one("siblings.touched", origin=origin)
            domain = domains.get(origin) or origin.partition("://")[2]
            each = Impact(
                origin=origin, domain=domain, differences=lines, opens=opens, closes=closes, touched=Touched.of(there)
            )  # fmt: skip
            found.append(each)
    return found


def _domains(before: FederationList | None, after: FederationList) -> dict[str, str]:
    return {
        member.origin: member.domain for each in (before, after) if each is not None for member in each.members
    }  # fmt: skip


def _under(
    rows: Mapping[str, Sibling], found: FederationList | None, farewells: Sequence[Row], now: datetime
) -> Allowlist:
    """The entries as they count under this list; a farewell that it ends is over."""
    former = [row["origin"] for row in farewells if not _ends(row, found)]
    counted = counting(0, rows, found, listed=True, former=former)
    return counted.expired() if found is not None and found.is_over(now) else counted


def _ends(farewell: Row, found: FederationList | None) -> bool:
    member = None if found is None else found.find(farewell["origin"])
    active = member is not None and member.status is MemberStatus.ACTIVE
    return active and farewell["cause"] == Cause.WITHDRAWN and farewell["fate"] != "purging"


def _admitted(
    rows: Mapping[str, Sibling], found: FederationList, farewells: Sequence[Row], now: datetime, own: str
) -> dict[str, Sibling]:
    """Members that get an entry by this list: those whose key it names, and that nobody has expelled."""
    closed = {own, *rows, *(row["origin"] for row in farewells if not _ends(row, found))}
    return {
        member.origin: _entry(member, now)
        for member in found.members
        if member.status is MemberStatus.ACTIVE and member.instance_keys and member.origin not in closed
    }


def _entry(member: Member, now: datetime) -> Sibling:
    return Sibling(
        origin=member.origin, actor=member.actor, name=member.domain, country=min(member.may_issue_for, default=""),
        since=now, instance_keys=member.instance_keys, issuer_keys=member.issuer_keys,
        may_issue_for=member.may_issue_for, source=_LIST,
    )  # fmt: skip


async def of_adopted(reader: Reader, before: FederationList | None, after: FederationList) -> list[Impact]:
    """Return what the list in force did when it was adopted, as it was written down then."""
    domains, found = _domains(before, after), []
    for row in await reader.all("federation_list.record", reason=reason_of(after.sequence)):
        change = Change.of(row)
        doors = change.after or {}
        domain = domains.get(change.origin) or change.origin.partition("://")[2]
        lines = [each for each in differences(before, after) if each.domain == domain]
        opens, closes = ([Direction(each) for each in doors.get(name, ())] for name in ("opens", "closes"))
        each = Impact(
            origin=change.origin, domain=domain, differences=lines, opens=opens, closes=closes,
            touched=Touched.of(change.touched),
        )  # fmt: skip
        found.append(each)
    return found

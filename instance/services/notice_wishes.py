"""How a doctor wishes to be told of notices: in which ways of each group, at which hours, and a digest once a week.

Nothing but the page is on until it was asked for. Codes raised here: CODES.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from instance.services import notice_hours
from instance.services.errors import Rejected
from instance.services.notice_kinds import GROUPS, Group, Way
from instance.storage.store import Reader, Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("bad_time",)
_MAILS: Final = frozenset({Way.NOW, Way.DAILY})


@dataclass(frozen=True, slots=True)
class Wishes:
    """Everything wished; as they are here nothing is told but on the page."""

    ways: Mapping[Group, frozenset[Way]] = field(default_factory=dict)
    zone: str = ""
    quiet: tuple[int, int] | None = None
    #: Day (Monday is 0) and hour.
    digest: tuple[int, int] | None = None

    def wants(self, group: Group, way: Way) -> bool:
        """Whether this way is wished of this group."""
        return way in self.ways.get(group, frozenset())

    @property
    def mailed(self) -> bool:
        """Whether any mail is wished."""
        return self.digest is not None or any(ways & _MAILS for ways in self.ways.values())


async def read(store: Reader, doctor: str) -> Wishes:
    """Return what this doctor wishes."""
    ways: dict[Group, frozenset[Way]] = {}
    for row in await store.all("notifications.ways", doctor=doctor):
        group = Group(row["grp"])
        ways[group] = ways.get(group, frozenset()) | {Way(row["way"])}
    kept = await store.one("notifications.wishes", doctor=doctor)
    if kept is None:
        return Wishes(ways)
    quiet = None if kept["quiet_from"] is None else (kept["quiet_from"], kept["quiet_until"])
    digest = None if kept["digest_day"] is None else (kept["digest_day"], kept["digest_hour"])
    return Wishes(ways, kept["zone"], quiet, digest)


async def keep(node: Node, doctor: str, country: str, wishes: Wishes) -> None:
    """Wish this from now on; raise Rejected(bad_time) for hours, days and zones that are none."""
    _check(wishes)
    now, quiet, digest = node.clock(), wishes.quiet or (None, None), wishes.digest or (None, 7)
    where = notice_hours.zone(wishes.zone, country)
    next_one = None if wishes.digest is None else to_ms(notice_hours.next_weekly(now, where, *wishes.digest))

    async def work(tx: Transaction) -> None:
        await tx.take_turn(turn_of(doctor))
        await tx.run("notifications.drop_ways", doctor=doctor)
        for group in GROUPS:
            for way in sorted(wishes.ways.get(group, frozenset())):
                await tx.run("notifications.add_way", doctor=doctor, grp=group.value, way=way.value)
        await tx.run(
            "notifications.wish", doctor=doctor, zone=wishes.zone,
            quiet_from=quiet[0], quiet_until=quiet[1], digest_day=digest[0], digest_hour=digest[1],
            digest_at=next_one, now=to_ms(now), off_token=secrets.token_urlsafe(24),
        )  # fmt: skip

    await node.store.write(work)


async def mails_off(node: Node, token: str) -> bool:
    """Switch every mail about notices off for whom this token is, digest and all; say whether there was anybody."""

    async def work(tx: Transaction) -> bool:
        row = await tx.one("notifications.of_token", token=token)
        if row is None:
            return False
        await tx.take_turn(turn_of(row["doctor"]))
        for query in ("off", "digest_off", "drop_due_mails", "drop_waiting_mails"):
            await tx.run(f"notifications.{query}", token=token)
        return True

    return await node.store.write(work)


def turn_of(doctor: str) -> str:
    """The subject on which everything takes turns that tells a doctor, or changes how."""
    return f"notices of {doctor}"


def _check(wishes: Wishes) -> None:
    day, hour = wishes.digest or (0, 0)
    if not (0 <= day < 7 and 0 <= hour < 24):
        raise Rejected("bad_time", "digest_day")
    if not all(0 <= hour < 24 for hour in wishes.quiet or ()):
        raise Rejected("bad_time", "quiet_from")
    if wishes.zone not in ("", *notice_hours.ZONES):
        raise Rejected("bad_time", "zone")

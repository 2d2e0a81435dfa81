"""Reminders to the desk, once on a working day.

To the reviewers of a country where somebody waits since the day before, to its leads where it is over two working days.

A mail says that there is something, and nothing of whom or what; each is told by the sender of mail (`mails`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from instance.ids import new_ulid
from instance.services.dossiers.waiting import is_working_day, late_before
from instance.storage.store import Transaction
from instance.times import to_ms
from verification.acts import Whom

if TYPE_CHECKING:
    from instance.wiring import Node

#: What reviewers, and what leads are reminded of.
WAITING, OVERDUE = "desk_waiting", "desk_overdue"
#: From this hour on (UTC) a day has begun.
_MORNING: Final = 5
_DAY: Final = timedelta(days=1)
_LAST: Final = "desk reminded"


async def remind(node: Node) -> int:
    """Queue the reminders of this day, once; return how many. A part of the calendar."""
    now = node.clock()
    if not is_working_day(now) or now.hour < _MORNING:
        return 0

    async def work(tx: Transaction) -> int:
        await tx.take_turn("desk reminders")
        last, today = await tx.one("settings.get", name=_LAST), now.date().isoformat()
        if last is not None and last["value"] >= today:
            return 0
        await tx.run("settings.set", name=_LAST, value=today)
        return sum([await _of_country(node, tx, country, now) for country in _countries(node)])

    last = await node.store.one("settings.get", name=_LAST)
    done = last is not None and last["value"] >= now.date().isoformat()
    return 0 if done else await node.store.write(work)


def _countries(node: Node) -> list[str]:
    return sorted({node.config.country, *node.config.may_issue_for})


async def _of_country(node: Node, tx: Transaction, country: str, now: datetime) -> int:
    told = 0
    for whom, notice, since in (
        (Whom.REVIEWERS, WAITING, now - _DAY),
        (Whom.LEADS, OVERDUE, late_before(now)),
    ):
        row = await tx.one("desk.waiting_since", country=country, since=to_ms(since))
        if row is not None and row["number"]:
            await tx.run(
                "dossiers.mail", id=new_ulid(now), whom=whom.value, account="", country=country, notice=notice,
                language="", at=to_ms(now),
            )  # fmt: skip
            told += 1
    return told

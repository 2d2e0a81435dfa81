"""What the calendar does to dossiers: reminders, closing, lifting, coming due, running out; what is destroyed.

Each dossier in a transaction of its own: whatever a crash leaves undone is still due, and what is done is not done
twice. One that cannot be done keeps no other from it, and no part keeps the next from it.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from instance.services.dossiers import reminders, retention
from instance.services.dossiers.cases import Decision
from instance.services.dossiers.values import File
from instance.times import to_ms
from verification import timing

if TYPE_CHECKING:
    from instance.services.dossiers import Dossiers

_AT_ONCE: Final = 500


async def tick(dossiers: Dossiers) -> int:
    """Do everything whose time has come; return how many dossiers were touched."""
    node, done = dossiers.node, 0
    found = await node.store.all("dossiers.due", now=to_ms(node.clock()), most=_AT_ONCE)
    for row in found:
        try:
            await dossiers.cases.carry(row["id"], _settle, seen=None)
            done += 1
        except Exception as fault:
            node.log.error("dossier_not_settled", dossier=row["id"], exc_info=fault)
    parts = (
        dossiers.campaigns.enrol, dossiers.campaigns.tidy, partial(retention.destroy_rows, node),
        partial(reminders.remind, node),
    )  # fmt: skip
    for part in parts:
        try:
            done += await part()
        except Exception as fault:
            node.log.error("calendar_part_failed", exc_info=fault)
    return done


def _settle(file: File, now: datetime) -> Decision:
    return Decision(outcome=timing.tick(file.dossier, now))

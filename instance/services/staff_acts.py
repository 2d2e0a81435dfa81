"""What staff do: an entry of the audit log by ids, and beside it a row with the words that were given for it.

The words are for administrators alone and go after a year; the log holds none. Whoever records an act does it last in
a unit of work (`chain`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from instance.ids import new_ulid
from instance.services.dossiers import chain
from instance.services.errors import Rejected
from instance.services.orders import who
from instance.storage.store import Reader, Transaction
from instance.times import to_ms

CODES: Final = ("reason_missing", "reason_too_long")
#: How long the words given for an act can be, and how many years they are kept.
MAX_REASON: Final = 200
YEARS: Final = 1
#: What the log calls the acts that stand in it.
LOGGED: Final = {
    "staff_invited": "staff.invited", "invitation_withdrawn": "staff.invitation_withdrawn",
    "staff_appointed": "staff.appointed", "staff_ended": "staff.removed", "factors_reset": "factors.reset",
    "recovery_sent": "recovery.sent",
    "doctor_suspended": "doctor.suspended", "doctor_reinstated": "doctor.reinstated",
    "keys_rotated": "key.made", "instance_keys_rotated": "key.made", "kek_rotation_ordered": "kek.rotated",
    "backup_ordered": "backup.ordered", "evidence_keys_backup_ordered": "backup.keys_ordered",
    "deliveries_retried": "deliveries.retried", "lane_tried": "lane.tried",
    "news_source_added": "news.source_added", "news_source_approved": "news.source_approved",
    "news_source_ended": "news.source_ended", "news_item_withdrawn": "news.item_withdrawn",
}  # fmt: skip


def require_reason(reason: str) -> str:
    """Return the words given for an act; raise Rejected: reason_missing, reason_too_long."""
    if not reason.strip():
        raise Rejected("reason_missing", "reason")
    if len(reason) > MAX_REASON:
        raise Rejected("reason_too_long", "reason")
    return reason.strip()


async def record(
    tx: Transaction, act: str, by: str, subject: str, now: datetime, *, reason: str = "", whom: str | None = None
) -> None:
    """Keep an act in the caller's transaction; `whom` is the id the log calls it by (None: nobody in particular)."""
    await tx.run("people.record", id=new_ulid(now), act=act, by_whom=by, subject=subject, reason=reason, at=to_ms(now))
    await chain.append(tx, LOGGED[act], now, who(by), thing=whom)


async def forget(tx: Transaction, now: datetime) -> int:
    """Delete the rows whose year is over; the log tells of the acts for as long as it is kept itself."""
    return await tx.run("people.forget_acts", before=to_ms(_a_year_before(now)))


async def whom_of(tx: Reader, account: str) -> str:
    """What the log calls the owner of an account: by the id of staff where there is one."""
    row = await tx.one("staff.of_account", account=account)
    return f"a-{account.lower()}" if row is None else str(row["id"]).lower()


def of_invitation(invitation: str) -> str:
    """What the log calls an invitation."""
    return f"i-{invitation.lower()}"


def _a_year_before(now: datetime) -> datetime:
    try:
        return now.replace(year=now.year - YEARS)
    except ValueError:
        return now.replace(year=now.year - YEARS, day=28)

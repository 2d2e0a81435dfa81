"""Time: a signature counts for a few minutes around its making, and never after it has expired."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from federation.errors import Stale
from federation.signatures.claim import Claim, Profile
from federation.signatures.message import SignedMessage

WINDOW: Final = timedelta(seconds=300)
#: The widest window a configuration may choose.
MAX_WINDOW: Final = timedelta(seconds=900)

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# RFC 9110 section 5.6.7: IMF-fixdate alone; the two obsolete forms are not for signed messages.
_IMF_FIXDATE = re.compile(
    rf"(?:{'|'.join(_DAYS)}), (?P<day>[0-9]{{2}}) (?P<month>{'|'.join(_MONTHS)}) (?P<year>[0-9]{{4}}) "
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2}) GMT\Z"
)


def check_window(claim: Claim, message: SignedMessage, now: datetime, window: timedelta = WINDOW) -> None:
    """Raise Stale unless the signature was made within the window around now and has not expired.

    Cavage is dated by its Date header, RFC 9421 by `created`; whatever else the claim says of time must hold too.
    """
    seconds, moment = window.total_seconds(), now.timestamp()
    if claim.profile is Profile.CAVAGE:
        date = message.headers.get("date")
        if date is None or abs(moment - _seconds(date)) > seconds:
            raise Stale("Date is missing or outside the window")
    elif claim.created is None:
        raise Stale("created is missing")
    if claim.created is not None and abs(moment - claim.created) > seconds:
        raise Stale("created is outside the window")
    if claim.expires is None:
        return
    if claim.expires <= moment:
        raise Stale("expired")
    if claim.created is not None and claim.expires <= claim.created:
        raise Stale("expires before it was created")


def http_date(moment: datetime) -> str:
    """Write a moment as IMF-fixdate, whatever the locale."""
    utc = moment.astimezone(UTC)
    return (
        f"{_DAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc.year:04} "
        f"{utc.hour:02}:{utc.minute:02}:{utc.second:02} GMT"
    )


# Under load many messages carry the date of the same second.
@lru_cache(maxsize=256)
def _seconds(date: str) -> float:
    """Read an IMF-fixdate; Stale for anything else. The day's name carries nothing and is not compared."""
    found = _IMF_FIXDATE.match(date)
    if found is None:
        raise Stale("Date is unreadable")
    day, month, year, hour, minute, second = found.groups()
    try:
        moment = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        raise Stale("Date is no date") from None
    return moment.timestamp()

"""When somebody may be told: the hours of their own clock. Pure; the present is an argument, in UTC like answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from instance.i18n import zone_of

#: What the form offers besides the country's own: Europe, and where its doctors work overseas.
ZONES: Final = (
    "Europe/Amsterdam", "Europe/Athens", "Europe/Berlin", "Europe/Brussels", "Europe/Bucharest", "Europe/Budapest",
    "Europe/Copenhagen", "Europe/Dublin", "Europe/Helsinki", "Europe/Lisbon", "Europe/London", "Europe/Luxembourg",
    "Europe/Madrid", "Europe/Oslo", "Europe/Paris", "Europe/Prague", "Europe/Rome", "Europe/Sofia",
    "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw", "Europe/Zurich", "Atlantic/Azores", "Atlantic/Canary",
    "America/Cayenne", "America/Guadeloupe", "America/Martinique", "America/Miquelon", "Indian/Mayotte",
    "Indian/Reunion", "Pacific/Noumea", "Pacific/Tahiti", "UTC",
)  # fmt: skip
#: The hour at which what waited for the day goes.
DAILY: Final = 7


def zone(chosen: str, country: str) -> ZoneInfo:
    """The zone that counts: the one chosen, else the country's."""
    return ZoneInfo(chosen if chosen in ZONES else zone_of(country))


def quiet_until(now: datetime, where: ZoneInfo, begins: int | None, ends: int | None) -> datetime | None:
    """When the quiet hours end that are now; None where there are none now."""
    if begins is None or ends is None or begins == ends:
        return None
    hour = now.astimezone(where).hour
    inside = begins <= hour < ends if begins < ends else hour >= begins or hour < ends
    return next_hour(now, where, ends) if inside else None


def next_hour(now: datetime, where: ZoneInfo, hour: int) -> datetime:
    """The next moment at which the clock there strikes this hour."""
    return _next(now, where, hour, range(3))


def next_weekly(now: datetime, where: ZoneInfo, day: int, hour: int) -> datetime:
    """The next moment at which the clock there strikes this hour of this day of the week (Monday is 0)."""
    ahead = (day - now.astimezone(where).weekday()) % 7
    return _next(now, where, hour, range(ahead, ahead + 15, 7))


def _next(now: datetime, where: ZoneInfo, hour: int, days: range) -> datetime:
    today = now.astimezone(where).replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    # A day on the wall, not twenty-four hours: between two of them the clock may have been put forward or back.
    moments = ((today + timedelta(days=ahead)).astimezone(UTC) for ahead in days)
    return next(moment for moment in moments if moment > now)

"""Times: aware UTC values in code, milliseconds in rows, RFC 3339 on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def system_clock() -> datetime:
    """The time of this machine; `instance.wiring` hands it to everything that needs one."""
    return datetime.now(UTC)


def to_ms(at: datetime) -> int:
    """Return the whole milliseconds since the epoch, exactly: a time read from a row goes back as the same number."""
    return (at - _EPOCH) // _MS


def from_ms(ms: int) -> datetime:
    """Return the aware UTC time of a row."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def rfc3339(at: datetime) -> str:
    """Return `2026-11-23T12:00:00Z` (RFC 3339), to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

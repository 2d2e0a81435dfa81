"""Times: aware UTC values in code, milliseconds in rows, RFC 3339 on the wire."""

from __future__ import annotations

from datetime import UTC, datetime


def system_clock() -> datetime:
    """The time of this machine; `instance.wiring` hands it to everything that needs one."""
    return datetime.now(UTC)


def to_ms(at: datetime) -> int:
    """Return the milliseconds since the epoch."""
    return int(at.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    """Return the aware UTC time of a row."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def rfc3339(at: datetime) -> str:
    """Return `2026-11-23T12:00:00Z` (RFC 3339), to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

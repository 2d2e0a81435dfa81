"""Identifiers made here: ULIDs, which sort by the time of their making."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS: Final = 80
_lock = threading.Lock()
_last = 0


def new_ulid(now: datetime) -> str:
    """Return a new ULID: 26 characters, unique, and later than every one made before in this process."""
    global _last
    candidate = (int(now.timestamp() * 1000) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS - 1)
    with _lock:
        # A clock set back, or two in one millisecond: count on from the last, so that order never lies.
        _last = candidate if candidate > _last else _last + 1
        number = _last
    return _encode(number)


def begin_after(ulid: str) -> None:
    """Make only later ones from now on: the process before this one may have had a clock that was ahead.

    That process may have counted on from this one; the next millisecond, at a place of chance, was never reached so.
    """
    global _last
    number = 0
    for letter in ulid:
        number = number * 32 + _ALPHABET.index(letter)
    beyond = ((number >> _RANDOM_BITS) + 1) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS - 1)
    with _lock:
        if number >= _last:
            _last = beyond


def first_ulid(at: datetime) -> str:
    """Return the least ULID of that millisecond: whatever was made before it sorts before it."""
    return _encode(max(0, int(at.timestamp() * 1000)) << _RANDOM_BITS)


# Two letters at a time: an id is made for nearly every row.
_PAIRS: Final = tuple(one + other for one in _ALPHABET for other in _ALPHABET)
_SHIFTS: Final = tuple(range(120, -1, -10))


def _encode(number: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])


def made_at(ulid: str) -> datetime:
    """Return the time (UTC, milliseconds) that a ULID was made at; raise ValueError for anything else."""
    if len(ulid) != 26:
        raise ValueError("not a ULID")
    milliseconds = 0
    for letter in ulid[:10]:
        milliseconds = milliseconds * 32 + _ALPHABET.index(letter)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

"""A doctor goes on at another instance: what must hold of the old actor and of the new one before anybody believes it.

The two name each other at their homes, the new home has verified the doctor anew under the same name, and the old
recognition holds still or ended for this reason alone. Why it ended is read from the wire: a revocation whose actor
names where the doctor has gone is a move, one without that is any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from federation.uri import Uri
from verification.issuers import SKEW
from verification.names import same_name
from verification.verdicts import Reason

#: How long after the old actor fell silent a move is believed.
BELIEVED_FOR: Final = timedelta(days=30)


class WhyNot(StrEnum):
    """Why a move is not believed; the first that is wrong counts."""

    ELSEWHERE = "moved_elsewhere"
    UNCLAIMED = "move_unclaimed"
    NOT_VERIFIED = "move_not_verified"
    OTHER_NAME = "move_other_name"
    TOO_LATE = "move_too_late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """The actor that is left, as its home shows it; `name` as it was last believed."""

    id: Uri
    name: str
    reason: Reason
    moved_to: Uri | None
    #: When the actor changed for the last time: whoever has moved changes no more.
    silent_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """The actor that goes on, as its home shows it."""

    id: Uri
    name: str
    reason: Reason
    also_known_as: frozenset[Uri]
    moved_to: Uri | None = None


def why_not(old: Old, new: New, *, now: datetime) -> WhyNot | None:
    """Return why this move is not believed, or None where everything holds."""
    if new.moved_to is not None:
        return WhyNot.ELSEWHERE
    if old.moved_to != new.id or old.id not in new.also_known_as:
        return WhyNot.UNCLAIMED
    if new.reason is not Reason.OK or old.reason not in (Reason.OK, Reason.REVOKED):
        return WhyNot.NOT_VERIFIED
    if not same_name(old.name, new.name):
        return WhyNot.OTHER_NAME
    if old.reason is Reason.REVOKED and not _of_late(old.silent_since, now):
        return WhyNot.TOO_LATE
    return None


def has_returned(
    names: Uri | None, valid_from: datetime | None, *, last_valid_from: datetime | None, moved_at: datetime | None
) -> bool:
    """Whether somebody whose move was believed is a doctor under the old address again.

    The actor `names` no destination any more, and its credential is newer than the last one that was believed
    (`last_valid_from`) and than the move: a destination that is left out for once undoes nothing.
    """
    if names is not None or valid_from is None or last_valid_from is None or moved_at is None:
        return False
    return valid_from > last_valid_from and valid_from >= moved_at - SKEW


def _of_late(since: datetime | None, now: datetime) -> bool:
    return since is not None and -SKEW <= now - since <= BELIEVED_FOR

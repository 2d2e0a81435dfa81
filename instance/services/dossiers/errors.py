"""The medical room's refusals as answers to people: the same code, with a status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from instance.services.errors import Rejected
from verification.countries import CountryNotAdmitted
from verification.errors import (
    BadDeadline,
    BadGround,
    BadName,
    BadTerms,
    DecidedBefore,
    EmptyCohort,
    InConflict,
    LeaveInstead,
    LeavingHeld,
    NoEvidence,
    NoSuchMove,
    NotAgreed,
    NotAllowed,
    NothingNew,
    NotIssuable,
    NotYours,
    OpenHit,
    SameInviter,
    SamePerson,
    TooLate,
    TooSoon,
    TrainingEndMissing,
    YearEndMissing,
)
from verification.overlay import BeyondProfile, NothingChanges

_STATUS: Final[dict[type[NotAllowed], int]] = {
    NotYours: 403, InConflict: 403, SamePerson: 403, SameInviter: 403, DecidedBefore: 403,
    NoSuchMove: 409, NotAgreed: 409, TooSoon: 409, TooLate: 409, LeaveInstead: 409, LeavingHeld: 409,
    NothingNew: 422,
    BadGround: 422, NoEvidence: 422, OpenHit: 422, BadTerms: 422, BadName: 422, NotIssuable: 409,
    CountryNotAdmitted: 422, BeyondProfile: 422, NothingChanges: 409, EmptyCohort: 422, BadDeadline: 422,
    TrainingEndMissing: 422, YearEndMissing: 422,
}  # fmt: skip
CODES: Final = tuple(refusal.code for refusal in _STATUS)


@contextmanager
def mapped() -> Iterator[None]:
    """Raise Rejected with its code in the place of a refusal of the medical room."""
    try:
        yield
    except NotAllowed as refusal:
        status = _STATUS.get(type(refusal))
        if status is None:
            raise
        raise Rejected(refusal.code, status=status) from None

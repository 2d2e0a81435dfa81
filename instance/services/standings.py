"""Rows to standings: the one bridge from a doctor's row to `verification.standing.may`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import orjson

from instance.services.errors import Forbidden
from instance.services.judging import OK, KnownDoctor
from instance.storage.store import Row
from instance.times import from_ms
from verification.dossier import Assurance, Country, Role
from verification.standing import Action, Policy, Standing, StandingState, WhyNot, why_not

#: What `require` raises Forbidden with.
CODES: Final = tuple(reason.value for reason in WhyNot)
_STATES: Final = {
    "ok": StandingState.ACTIVE,
    "expired": StandingState.ACTIVE,  # the clock decides that, not the row
    "suspended": StandingState.SUSPENDED,
    "revoked": StandingState.REVOKED,
}


def standing_of(row: Row | None) -> Standing | None:
    """Return the standing a row speaks of; None where it speaks of none, which opens nothing."""
    if row is None or row["gone_at"] is not None or row["valid_from"] is None or row["valid_until"] is None:
        return None
    state = _STATES.get(row["standing"])
    if state is None:
        return None
    try:
        return Standing(
            name=row["name"], role=Role(row["role"]), country=Country(row["country"]),
            specialties=tuple(orjson.loads(row["specialties"])), assurance=Assurance(row["assurance"]),
            valid_from=from_ms(row["valid_from"]), valid_until=from_ms(row["valid_until"]), state=state,
        )  # fmt: skip
    except ValueError:
        return None


def is_student(row: Row | None) -> bool:
    """Whether what this doctor may do hangs on a country's policy: then that is looked at before it is asked."""
    return row is not None and row["role"] == Role.STUDENT


def of_sibling(doctor: KnownDoctor) -> Standing | None:
    """Return the standing of a sibling's doctor who is believed; None for anybody else, which opens nothing."""
    if doctor.standing != OK or doctor.valid_from is None or doctor.valid_until is None:
        return None
    try:
        return Standing(
            name=doctor.name, role=Role(doctor.role), country=Country(doctor.country), specialties=doctor.specialties,
            assurance=Assurance(doctor.assurance), valid_from=doctor.valid_from, valid_until=doctor.valid_until,
            state=StandingState.ACTIVE,
        )  # fmt: skip
    except ValueError:
        return None


def require(action: Action, row: Row | None, policy: Policy, now: datetime) -> Row:
    """Return the doctor's row when the doctor may do this now; raise Forbidden with the reason otherwise."""
    reason = why_not(action, standing_of(row), policy, now)
    if reason is not None or row is None:
        raise Forbidden((reason or WhyNot.NO_CREDENTIAL).value)
    return row

"""Who moves a dossier: reviewers, administrators, the applicant, the system; and who must not judge whom.

`conflict` is the one rule of four eyes: it is asked of everybody who judges, votes, proposes or agrees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NewType

from verification.errors import SameInviter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.dossier import Country

#: The account a dossier is about.
DoctorId = NewType("DoctorId", str)
#: A member of staff: one id for one person, whatever the number of roles.
StaffId = NewType("StaffId", str)
#: A place where people work together.
SiteId = NewType("SiteId", str)


class StaffRole(StrEnum):
    """What a member of staff may be; a lead is a reviewer so appointed."""

    REVIEWER = "reviewer"
    LEAD = "lead"
    MODERATOR = "moderator"
    ADMINISTRATOR = "administrator"
    GOVERNOR = "governor"
    DPO = "dpo"
    #: Brings publishers' news in; sees nothing of anybody.
    EDITOR = "editor"


#: Whoever sees evidence, and whoever may not beside that; and whoever would read the log of the own acts.
JUDGES: Final = frozenset({StaffRole.REVIEWER, StaffRole.LEAD})
_NO_EVIDENCE: Final = frozenset({StaffRole.ADMINISTRATOR, StaffRole.MODERATOR, StaffRole.DPO})


def go_together(roles: Iterable[StaffRole]) -> bool:
    """Whether one person may have these roles together."""
    held = frozenset(roles)
    return held == what_holds(held)


def what_holds(roles: Iterable[StaffRole]) -> frozenset[StaffRole]:
    """Return what counts of these roles: none that sees evidence beside one that must not, no DPO who administers."""
    held = frozenset(roles)
    if held & _NO_EVIDENCE:
        held -= JUDGES
    return held - {StaffRole.DPO} if StaffRole.ADMINISTRATOR in held else held


class Part(StrEnum):
    """On which side of the desk somebody stands."""

    STAFF = "staff"
    APPLICANT = "applicant"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whoever moves a dossier, with the facts that four eyes need.

    `doctor` is this person's own account as a doctor; `invited`, `invited_by` (the last inviter) and `inviters` (all
    there ever were) are accounts, too. `near` are the staff to whom a chain of such appointments leads from
    this person: this one and one of them are not two pairs of eyes. Whom the command line appointed begins a chain.
    """

    id: StaffId
    part: Part = Part.STAFF
    roles: frozenset[StaffRole] = frozenset()
    countries: frozenset[Country] = frozenset()
    doctor: DoctorId | None = None
    sites: frozenset[SiteId] = frozenset()
    invited: frozenset[DoctorId] = frozenset()
    invited_by: DoctorId | None = None
    inviters: frozenset[DoctorId] = frozenset()
    near: frozenset[StaffId] = frozenset()

    @classmethod
    def applicant(cls, doctor: DoctorId) -> Actor:
        """The person a dossier is about."""
        return cls(id=StaffId("applicant"), part=Part.APPLICANT, doctor=doctor)

    def is_reviewer_of(self, country: Country) -> bool:
        """Whether this person judges dossiers of this country."""
        reviews = bool(self.roles & JUDGES)
        return self.part is Part.STAFF and reviews and country in self.countries

    def is_administrator(self) -> bool:
        """Whether this person runs the instance."""
        return self.part is Part.STAFF and StaffRole.ADMINISTRATOR in self.roles


SYSTEM: Final = Actor(id=StaffId("system"), part=Part.SYSTEM)


def conflict(actor: Actor, doctor: DoctorId, sites: frozenset[SiteId]) -> bool:
    """Whether this person must not judge this applicant: the same one, inviter or invited, or of the same site."""
    related = actor.invited | actor.inviters | ({actor.invited_by} if actor.invited_by else set())
    return actor.doctor == doctor or doctor in related or bool(actor.sites & sites)


def require_other(actor: Actor, others: Iterable[StaffId]) -> None:
    """Raise SameInviter where a chain of appointments leads from one to somebody who has spoken already."""
    if not actor.near.isdisjoint(others):
        raise SameInviter("appointed by the same person")

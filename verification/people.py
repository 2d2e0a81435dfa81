"""Who moves a dossier: reviewers, administrators, the applicant, the system; and who must not judge whom.

`conflict` is the one rule of four eyes: it is asked of everybody who judges, votes, proposes or agrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NewType

if TYPE_CHECKING:
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


class Part(StrEnum):
    """On which side of the desk somebody stands."""

    STAFF = "staff"
    APPLICANT = "applicant"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whoever moves a dossier, with the facts that four eyes need.

    `doctor` is this person's own account as a doctor; `invited` and `invited_by` are accounts of doctors, too.
    """

    id: StaffId
    part: Part = Part.STAFF
    roles: frozenset[StaffRole] = frozenset()
    countries: frozenset[Country] = frozenset()
    doctor: DoctorId | None = None
    sites: frozenset[SiteId] = frozenset()
    invited: frozenset[DoctorId] = frozenset()
    invited_by: DoctorId | None = None

    @classmethod
    def applicant(cls, doctor: DoctorId) -> Actor:
        """The person a dossier is about."""
        return cls(id=StaffId("applicant"), part=Part.APPLICANT, doctor=doctor)

    def is_reviewer_of(self, country: Country) -> bool:
        """Whether this person judges dossiers of this country."""
        reviews = bool(self.roles & {StaffRole.REVIEWER, StaffRole.LEAD})
        return self.part is Part.STAFF and reviews and country in self.countries

    def is_administrator(self) -> bool:
        """Whether this person runs the instance."""
        return self.part is Part.STAFF and StaffRole.ADMINISTRATOR in self.roles


SYSTEM: Final = Actor(id=StaffId("system"), part=Part.SYSTEM)


def conflict(actor: Actor, doctor: DoctorId, sites: frozenset[SiteId]) -> bool:
    """Whether this person must not judge this applicant: the same one, inviter or invited, or of the same site."""
    return actor.doctor == doctor or doctor in actor.invited or actor.invited_by == doctor or bool(actor.sites & sites)

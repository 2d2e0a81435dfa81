"""Made-up applicants, reviewers and dossiers in every state, for the tests of reviewing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from verification import review
from verification.acts import Notice, Notify, Outcome, Record, Whom
from verification.dossier import (
    Country,
    Dossier,
    DossierId,
    Emergency,
    Evidence,
    EvidenceClass,
    EvidenceKind,
    Role,
    Vote,
)
from verification.grounds import Ground, grounds_for
from verification.moves import Choice, State, Way
from verification.people import SYSTEM, Actor, DoctorId, SiteId, StaffId, StaffRole

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
FR, DE = Country("FR"), Country("DE")
ADA = DoctorId("doctor-1")
APPLICANT = Actor.applicant(ADA)
E1 = Evidence(id="e-0001", kind=EvidenceKind.REGISTRATION, rank=EvidenceClass.E1, at=NOW - DAY, automatic=True)
E2 = Evidence(id="e-0002", kind=EvidenceKind.REGISTRATION, rank=EvidenceClass.E2, at=NOW - DAY, matched=True)
E3 = Evidence(id="e-0003", kind=EvidenceKind.DIPLOMA, rank=EvidenceClass.E3, at=NOW - DAY)
E4 = Evidence(id="e-0004", kind=EvidenceKind.STUDENT_CARD, rank=EvidenceClass.E4, at=NOW - DAY)


YES, NO = Choice.APPROVE, Choice.REJECT
HOLDS, UNREADABLE = Ground.EVIDENCE_HOLDS, Ground.UNREADABLE


def told(outcome: Outcome, whom: Whom = Whom.APPLICANT) -> list[Notice]:
    """What one side is told."""
    return [act.notice for act in outcome.acts if isinstance(act, Notify) and act.whom is whom]


def recorded(outcome: Outcome) -> list[tuple[str, str, str | None]]:
    """The entries of the audit log: what, by whom, why."""
    return [(act.act, act.by, act.reason) for act in outcome.acts if isinstance(act, Record)]


def staff(number: int, *roles: StaffRole, **facts: Any) -> Actor:
    """A member of staff of France."""
    given = {"countries": frozenset({FR}), **facts}
    return Actor(id=StaffId(f"staff-{number}"), roles=frozenset(roles), **given)


RITA, RENE, REMY = (staff(number, StaffRole.REVIEWER) for number in (1, 2, 3))
LEA, LEO = staff(4, StaffRole.LEAD), staff(5, StaffRole.LEAD)
ADMIN, OTHER_ADMIN = staff(6, StaffRole.ADMINISTRATOR), staff(7, StaffRole.ADMINISTRATOR)
GERMAN = staff(8, StaffRole.REVIEWER, countries=frozenset({DE}))
OTHERS = [
    staff(9, StaffRole.MODERATOR), staff(10, StaffRole.GOVERNOR), staff(11, StaffRole.DPO), staff(12), GERMAN,
    Actor.applicant(DoctorId("doctor-2")),
]  # fmt: skip
#: Reviewers who stand too near to this applicant.
NEAR = [
    staff(20, StaffRole.LEAD, StaffRole.ADMINISTRATOR, doctor=ADA),
    staff(21, StaffRole.LEAD, StaffRole.ADMINISTRATOR, invited=frozenset({ADA})),
    staff(22, StaffRole.LEAD, StaffRole.ADMINISTRATOR, invited_by=ADA),
    staff(23, StaffRole.LEAD, StaffRole.ADMINISTRATOR, sites=frozenset({SiteId("site-1"), SiteId("site-2")})),
]

DRAFT = Dossier(
    id=DossierId("d-0001"),
    doctor=ADA,
    country=FR,
    role=Role.SPECIALIST,
    changed_at=NOW,
    evidence=(E2,),
    sites=frozenset({SiteId("site-1")}),
)


def voted(by: Actor, choice: Choice, at: datetime = NOW, turn: int = 1, **more: Any) -> Vote:
    """One vote."""
    ground = Ground.EVIDENCE_HOLDS if choice is Choice.APPROVE else Ground.UNREADABLE
    return Vote(reviewer=by.id, round=turn, choice=choice, ground=ground, at=at, **more)


def at_rest(state: State, **changes: Any) -> Dossier:
    """A dossier that has come to this state, as far as its facts matter to what may come next."""
    facts: dict[str, Any] = {"state": state}
    if state not in (State.DRAFT,):
        facts["submitted_at"] = NOW
    if state in (State.APPROVED, State.REVERIFY_DUE, State.SUSPENDED, State.EXPIRED):
        facts |= {"approved_at": NOW, "verified_at": NOW, "reverify_on": NOW + 730 * DAY}
    if state is State.REVERIFY_DUE:
        facts |= {"changed_at": NOW + 670 * DAY}
    if state is State.EXPIRED:
        facts |= {"changed_at": NOW + 730 * DAY, "evidence": (replace(E2, at=NOW + 731 * DAY),)}
    if state is State.SUSPENDED:
        facts["emergency"] = Emergency(by=ADMIN.id, at=NOW, until=NOW + 72 * HOUR)
    if state is State.APPEALED:
        facts |= {"appealed_at": NOW, "round": 2, "appeal_round": 2}
    return replace(DRAFT, **(facts | changes))


def ground_for(here: State, to: State) -> Ground:
    """Some reason that may stand with this move."""
    return sorted(grounds_for(here, to))[0]


def approved(**changes: Any) -> Dossier:
    """A doctor whom two have approved just now."""
    return at_rest(State.APPROVED, votes=(voted(RITA, Choice.APPROVE), voted(RENE, Choice.APPROVE)), **changes)


def in_second_review(choice: Choice = Choice.APPROVE, **changes: Any) -> Dossier:
    """A dossier on which Rita has voted."""
    return at_rest(State.SECOND_REVIEW, votes=(voted(RITA, choice),), **changes)


def rejected() -> Dossier:
    """A dossier that Rita and René have rejected."""
    return review.vote(in_second_review(Choice.REJECT), RENE, Choice.REJECT, Ground.INCOMPLETE, NOW).dossier


#: Who may make a move on each way, as the second where it takes two.
MOVERS = {
    Way.APPLICANT: APPLICANT,
    Way.REVIEWER: RITA,
    Way.ELECTRONIC: RITA,
    Way.VOTES: RENE,
    Way.LEAD: LEA,
    Way.REVIEWERS: RENE,
    Way.PEOPLE: ADMIN,
    Way.EMERGENCY: ADMIN,
    Way.RENEWAL: RENE,
    Way.SYSTEM: SYSTEM,
}

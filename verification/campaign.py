"""Looking at many doctors again: a cohort, a reason, a deadline, and two people who want it.

Members become due for verification by the deadline; siblings see no change until it has passed, since the credential
issued anew ends then. Nobody chooses people one by one: a cohort is a rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from verification.acts import Act, Notice, Outcome, outcome, record, step, tell
from verification.dossier import Dossier, Evidence, EvidenceClass, EvidenceKind
from verification.errors import (
    BadDeadline,
    BadGround,
    EmptyCohort,
    NoSuchMove,
    NotYours,
    SamePerson,
    TooLate,
    Unmoved,
)
from verification.grounds import DOUBTS, Ground
from verification.moves import AnnexKind, State
from verification.people import SYSTEM, Actor, Part, StaffId, StaffRole, require_other
from verification.ways import PROPOSAL, REVERIFY_BEFORE, require_running

#: How long members have, unless the campaign says otherwise; never longer than an ordinary renewal.
DEADLINE: Final = timedelta(days=30)
MAX_DEADLINE: Final = REVERIFY_BEFORE
MIN_DEADLINE: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Whom a campaign is about: every condition that is named holds. With none named it is nobody.

    `since` and `before` are about the last time a person voted; a register that is read again does not move that.
    `numbers` are kinds of register numbers: of who issued what was shown, no more than that is kept.
    """

    reviewers: frozenset[StaffId] = frozenset()
    since: datetime | None = None
    before: datetime | None = None
    ranks: frozenset[EvidenceClass] = frozenset()
    kinds: frozenset[EvidenceKind] = frozenset()
    numbers: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether no condition is named."""
        return self == Cohort()

    def holds(self, dossier: Dossier) -> bool:
        """Whether this doctor is one of them: verified now, and on such grounds."""
        moment = dossier.looked_at(*AnnexKind)
        if self.empty or not dossier.renewable or moment is None:
            return False
        return self._by(dossier) and self._in(moment) and any(map(self._of, _accepted(dossier)))

    def _by(self, dossier: Dossier) -> bool:
        votes = [*dossier.votes, *(vote for annex in dossier.annexes if annex.accepted for vote in annex.votes)]
        return not self.reviewers or bool(self.reviewers & {vote.reviewer for vote in votes})

    def _in(self, moment: datetime) -> bool:
        return (self.since is None or moment >= self.since) and (self.before is None or moment < self.before)

    def _of(self, evidence: Evidence) -> bool:
        """One piece of evidence is of such a class, of such a kind, and with such a number."""
        named = ((self.ranks, evidence.rank), (self.kinds, evidence.kind), (self.numbers, evidence.number))
        return all(not wanted or found in wanted for wanted, found in named)


def _accepted(dossier: Dossier) -> tuple[Evidence, ...]:
    return dossier.evidence + tuple(each for annex in dossier.annexes if annex.accepted for each in annex.evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One campaign; it runs once a second person has started it."""

    id: str
    cohort: Cohort
    ground: Ground
    proposed_by: StaffId
    proposed_at: datetime
    within: timedelta = DEADLINE
    started_by: StaffId | None = None
    started_at: datetime | None = None

    @property
    def deadline(self) -> datetime | None:
        """By when members must be verified again; None before it runs."""
        return None if self.started_at is None else self.started_at + self.within


@dataclass(frozen=True, slots=True)
class Numbers:
    """How far a campaign is: verified again, still to come, and neither."""

    done: int = 0
    open: int = 0
    failed: int = 0

    def __add__(self, other: Numbers) -> Numbers:
        """Both together."""
        return Numbers(self.done + other.done, self.open + other.open, self.failed + other.failed)


def propose(
    campaign_id: str, cohort: Cohort, ground: Ground, by: Actor, now: datetime, *, within: timedelta = DEADLINE
) -> Campaign:
    """Propose a campaign, as a lead; raise where the cohort is everybody or nobody, or the time is no time."""
    if by.part is not Part.STAFF or StaffRole.LEAD not in by.roles:
        raise NotYours("not a lead")
    _require_impartial(cohort, by)
    if ground not in DOUBTS:
        raise BadGround("not a reason for a campaign")
    if cohort.empty:
        raise EmptyCohort("a campaign names a cohort")
    if not MIN_DEADLINE <= within <= MAX_DEADLINE:
        raise BadDeadline("a campaign gives its members 7 to 60 days")
    return Campaign(id=campaign_id, cohort=cohort, ground=ground, proposed_by=by.id, proposed_at=now, within=within)


def start(campaign: Campaign, by: Actor, now: datetime) -> Campaign:
    """Start it, as a second reviewer or lead."""
    if by.part is not Part.STAFF or not by.roles & {StaffRole.REVIEWER, StaffRole.LEAD}:
        raise NotYours("not a reviewer")
    if by.id == campaign.proposed_by:
        raise SamePerson("two different people are needed")
    require_other(by, (campaign.proposed_by,))
    _require_impartial(campaign.cohort, by)
    if campaign.started_at is not None or not campaign.proposed_at <= now <= campaign.proposed_at + PROPOSAL:
        raise NoSuchMove("it runs already, or the proposal is too old")
    return replace(campaign, started_by=by.id, started_at=now)


def _require_impartial(cohort: Cohort, by: Actor) -> None:
    """Whose decisions are in doubt takes no part."""
    if by.id in cohort.reviewers:
        raise NotYours("the own decisions are in question")


def enrol(campaign: Campaign, dossier: Dossier, now: datetime) -> Outcome:
    """Make a member due by the deadline; raise NoSuchMove for whoever is none, or is enrolled already."""
    deadline = campaign.deadline
    if deadline is None or not campaign.cohort.holds(dossier) or dossier.campaign == campaign.id:
        raise NoSuchMove("no member of a running campaign")
    require_running(dossier, now)
    if now >= deadline:
        raise TooLate("the deadline has passed")
    day = deadline if dossier.reverify_on is None else min(deadline, dossier.reverify_on)
    kept = replace(dossier, campaign=campaign.id, reverify_on=day, reminded=0)
    acts: list[Act] = [record(kept, "campaign.enrolled", at=now, by=SYSTEM.id, reason=campaign.ground)]
    if kept.state is State.APPROVED:
        kept, entry = step(kept, State.REVERIFY_DUE, at=now, by=SYSTEM, ground=Ground.CAMPAIGN)
        acts.append(entry)
    return outcome(dossier, kept, *acts, tell(Notice.CAMPAIGN_DUE, campaign.ground, until=day))


def numbers(campaign: Campaign, members: Iterable[Dossier]) -> Numbers:
    """Count the dossiers that were enrolled."""
    found = Numbers()
    for each in members:
        if each.campaign == campaign.id and campaign.started_at is not None:
            again = each.verified_at is not None and each.verified_at > campaign.started_at
            found += counted(each.state, 1, again=again)
    return found


def counted(state: State, number: int, *, again: bool) -> Numbers:
    """Where so many members are counted; `again`: verified since it was started."""
    if again:
        return Numbers(done=number)
    return Numbers(open=number) if state is State.REVERIFY_DUE else Numbers(failed=number)


def may_start(campaign: Campaign, by: Actor, now: datetime) -> bool:
    """Whether this person could start it now."""
    try:
        start(campaign, by, now)
    except Unmoved:
        return False
    return True

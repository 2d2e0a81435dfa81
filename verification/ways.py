"""What must hold on each way of `moves`: whose turn it is, who agreed, whether its time has come.

Everything is read from the dossier itself: a first vote or proposal is in it before the second person moves it. Nobody
is exempt; the system is bound by the calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from verification.errors import (
    DecidedBefore,
    InConflict,
    LeavingHeld,
    NoEvidence,
    NoSuchMove,
    NotAgreed,
    NotYours,
    OpenHit,
    SamePerson,
    TooLate,
    TooSoon,
    Unmoved,
)
from verification.grounds import EXPLAINED, Ground
from verification.moves import AnnexKind, AnnexState, Choice, State, Way
from verification.people import Actor, Part, StaffRole, conflict, require_other

if TYPE_CHECKING:
    from verification.dossier import Dossier, Proposal, Vote

#: An emergency suspension that nobody confirms lifts itself after this.
EMERGENCY: Final = timedelta(hours=72)
#: For this long the same administrator cannot suspend the same doctor again by an emergency nobody confirmed.
NO_SECOND_EMERGENCY: Final = timedelta(days=30)
#: How long a proposal waits for a second person.
PROPOSAL: Final = timedelta(days=7)
#: How long a question waits for its answer, and a rejection for an appeal.
ANSWER_WITHIN: Final = timedelta(days=30)
APPEAL_WITHIN: Final = timedelta(days=30)
#: How long before its day a verification is due again.
REVERIFY_BEFORE: Final = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Move:
    """One move somebody wants to make."""

    to: State
    at: datetime
    by: Actor
    ground: Ground


def require_way(dossier: Dossier, ways: tuple[Way, ...], move: Move) -> None:
    """One way must be open; where none is, the first that is meant for this person says why."""
    refusals: list[Unmoved] = []
    for way in ways:
        try:
            _WAYS[way](dossier, move)
        except NotYours as refusal:
            refusals.append(refusal)
        except Unmoved as refusal:
            refusals.insert(0, refusal)
        else:
            return
    raise refusals[0]


def _applicant(dossier: Dossier, move: Move) -> None:
    require_applicant(dossier, move.by)
    if move.to is State.WITHDRAWN:
        require_free(dossier, move.at)
    if move.to is State.SUBMITTED and not _shown(dossier):
        raise NoEvidence("nothing was shown")
    if move.to is State.APPEALED and dossier.appealed_at is not None:
        raise TooLate("a second rejection is final")
    if move.to is State.APPEALED and move.at > dossier.changed_at + APPEAL_WITHIN:
        raise TooLate("the time for an appeal has passed")


def require_free(dossier: Dossier, now: datetime) -> None:
    """Raise LeavingHeld while suspended, or while somebody has proposed to revoke: leaving would come before it."""
    proposed = any(each.to is State.REVOKED and now <= each.at + PROPOSAL for each in dossier.proposals)
    if dossier.state is State.SUSPENDED or proposed:
        raise LeavingHeld("a suspension or a revocation is decided first")


def _shown(dossier: Dossier) -> bool:
    """Whether there is evidence; after a verification has run out, only what was not part of it counts."""
    seen = dossier.looked_at(AnnexKind.RENEWAL)
    if dossier.state is State.EXPIRED and seen is not None:
        return any(each.at > seen for each in dossier.evidence)
    return bool(dossier.evidence)


def _reviewer(dossier: Dossier, move: Move) -> None:
    require_reviewer(dossier, move.by)
    if move.to is State.IN_REVIEW and not dossier.evidence:
        raise NoEvidence("nothing was shown")
    if move.to is State.SECOND_REVIEW and move.by.id not in {vote.reviewer for vote in dossier.votes_now()}:
        raise NotAgreed("no vote was cast")


def _electronic(dossier: Dossier, move: Move) -> None:
    require_reviewer(dossier, move.by)
    alone = alone_agrees(dossier.votes_now(), move.by, Choice.APPROVE) and heard(dossier)
    if not dossier.electronic or dossier.open_hit or not alone:
        raise NotAgreed("a second reviewer is needed")


_CHOICE: Final = {State.APPROVED: Choice.APPROVE, State.REJECTED: Choice.REJECT}


def _votes(dossier: Dossier, move: Move) -> None:
    require_reviewer(dossier, move.by)
    if not two_agree(dossier.votes_now(), move.by, _CHOICE[move.to]):
        raise NotAgreed("two reviewers do not agree")
    if move.to is State.APPROVED and not heard(dossier):
        raise NotAgreed("whoever voted to reject before a question, or the lead, is heard first")
    if move.to is State.APPROVED:
        require_explained(dossier, dossier.votes_now())


def _lead(dossier: Dossier, move: Move) -> None:
    require_reviewer(dossier, move.by)
    if StaffRole.LEAD not in move.by.roles:
        raise NotYours("not the lead")
    if not lead_decides(dossier.votes_now(), move.by, _CHOICE[move.to]):
        raise NotAgreed("nothing to decide between two who disagree")
    if move.to is State.APPROVED:
        require_explained(dossier, dossier.votes_now())


def require_explained(dossier: Dossier, votes: tuple[Vote, ...]) -> None:
    """Approving somebody whom the instance may know already takes a word from everybody who approves."""
    approving = [vote for vote in votes if vote.choice is Choice.APPROVE]
    if dossier.open_hit and any(vote.hit not in EXPLAINED for vote in approving):
        raise OpenHit("an open hit is not explained")


def _reviewers(dossier: Dossier, move: Move) -> None:
    require_reviewer(dossier, move.by)
    if not _agreed(dossier, move).reviewer:
        raise NotAgreed("two reviewers are needed")


def _people(dossier: Dossier, move: Move) -> None:
    require_person(dossier, move.by)
    first = _agreed(dossier, move)
    if not first.reviewer and not move.by.is_reviewer_of(dossier.country):
        raise NotAgreed("a reviewer is needed")


def require_person(dossier: Dossier, by: Actor) -> None:
    """Raise unless this person may be one of two: reviewer of the country or administrator, and unbiased."""
    if not by.is_reviewer_of(dossier.country) and not by.is_administrator():
        raise NotYours("neither reviewer nor administrator")
    if conflict(by, dossier.doctor, dossier.sites):
        raise InConflict("must not judge this applicant")


def _agreed(dossier: Dossier, move: Move) -> Proposal:
    """The proposal of another person, of late, for the same thing and for the same reason."""
    fresh = [each for each in dossier.proposals if each.to is move.to and move.at <= each.at + PROPOSAL]
    if not fresh:
        raise NotAgreed("nobody has proposed it")
    if fresh[-1].by == move.by.id:
        raise SamePerson("two different people are needed")
    require_other(move.by, (fresh[-1].by,))
    if fresh[-1].ground is not move.ground:
        raise NotAgreed("another reason was given")
    return fresh[-1]


def _emergency(dossier: Dossier, move: Move) -> None:
    if not move.by.is_administrator():
        raise NotYours("not an administrator")
    last = dossier.emergency
    again = last is not None and last.by == move.by.id and not last.confirmed
    if last is not None and again and move.at < last.until + NO_SECOND_EMERGENCY:
        raise SamePerson("nobody confirmed this person's last suspension")


def _renewal(dossier: Dossier, move: Move) -> None:
    require_reviewer(dossier, move.by)
    renewed = any(
        annex.kind is AnnexKind.RENEWAL and annex.state is AnnexState.ACCEPTED and annex.changed_at == move.at
        for annex in dossier.annexes
    )
    if not renewed:
        raise NotAgreed("no renewal was accepted")


def _system(dossier: Dossier, move: Move) -> None:
    if move.by.part is not Part.SYSTEM:
        raise NotYours("not the system")
    rule = _NOT_BEFORE.get((dossier.state, move.to))
    begins = rule(dossier) if rule else dossier.changed_at
    if begins is None or move.at < begins:
        raise TooSoon("its time has not come")


def due_from(dossier: Dossier) -> datetime | None:
    """From when on the verification is due again."""
    return None if dossier.reverify_on is None else dossier.reverify_on - REVERIFY_BEFORE


def _closed_from(dossier: Dossier) -> datetime:
    """When a rejection becomes final: a second one at once."""
    return dossier.changed_at if dossier.appealed_at is not None else dossier.changed_at + APPEAL_WITHIN


def lifted_from(dossier: Dossier) -> datetime | None:
    """When an emergency suspension lifts itself; None where a second person has confirmed it."""
    emergency = dossier.emergency
    return None if emergency is None or emergency.confirmed else emergency.until


#: The system is bound, too: before this moment it makes no such move; None is never.
_NOT_BEFORE: Final[Mapping[tuple[State, State], Callable[[Dossier], datetime | None]]] = {
    (State.NEEDS_INFO, State.CLOSED): lambda each: each.changed_at + ANSWER_WITHIN,
    (State.REJECTED, State.CLOSED): _closed_from,
    (State.APPROVED, State.REVERIFY_DUE): due_from,
    (State.REVERIFY_DUE, State.APPROVED): lambda each: each.changed_at if each.followed else None,
    (State.REVERIFY_DUE, State.EXPIRED): lambda each: each.reverify_on,
    (State.SUSPENDED, State.APPROVED): lifted_from,
}

_WAYS: Final[Mapping[Way, Callable[[Dossier, Move], None]]] = {
    Way.APPLICANT: _applicant,
    Way.REVIEWER: _reviewer,
    Way.ELECTRONIC: _electronic,
    Way.VOTES: _votes,
    Way.LEAD: _lead,
    Way.REVIEWERS: _reviewers,
    Way.PEOPLE: _people,
    Way.EMERGENCY: _emergency,
    Way.RENEWAL: _renewal,
    Way.SYSTEM: _system,
}


def require_running(dossier: Dossier, now: datetime) -> None:
    """Raise unless the doctor is verified now, also where nobody has done yet what the calendar asks for."""
    if not dossier.renewable:
        raise NoSuchMove("not verified")
    if dossier.reverify_on is not None and dossier.reverify_on <= now:
        raise TooLate("the verification has run out")


def require_reviewer(dossier: Dossier, by: Actor) -> None:
    """Raise unless this person may judge this dossier: reviewer of its country, unbiased, not the earlier decider."""
    if not by.is_reviewer_of(dossier.country):
        raise NotYours("not a reviewer of this country")
    if conflict(by, dossier.doctor, dossier.sites):
        raise InConflict("must not judge this applicant")
    if by.id in dossier.deciders():
        raise DecidedBefore("has decided before the appeal, or on an earlier application")


def require_applicant(dossier: Dossier, by: Actor) -> None:
    """Raise unless this is the person the dossier is about."""
    if by.part is not Part.APPLICANT or by.doctor != dossier.doctor:
        raise NotYours("not the applicant")


# ── votes ──


def alone_agrees(votes: tuple[Vote, ...], by: Actor, choice: Choice) -> bool:
    """Whether this reviewer's vote is the only one, and is this."""
    return [(vote.reviewer, vote.choice) for vote in votes] == [(by.id, choice)]


def two_agree(votes: tuple[Vote, ...], by: Actor, choice: Choice) -> bool:
    """Whether two different reviewers, this one among them, have said this, and nobody another thing."""
    people = {vote.reviewer for vote in votes}
    return by.id in people and len(people) >= 2 and {vote.choice for vote in votes} == {choice}


def heard(dossier: Dossier) -> bool:
    """Whether a vote to reject that a question set aside was answered: by a vote of the same person, or of a lead."""
    before = dossier.set_aside()
    return not before or any(vote.lead or vote.reviewer in before for vote in dossier.votes_now())


def awaited(dossier: Dossier, by: Actor) -> bool:
    """Whether this person's vote is still wanted where two have approved and one set aside is not heard."""
    return StaffRole.LEAD in by.roles or by.id in dossier.set_aside()


def unheard(dossier: Dossier) -> bool:
    """Whether two have approved, and nothing is decided because one set aside is not heard."""
    votes = dossier.votes_now()
    return len(votes) > 1 and {vote.choice for vote in votes} == {Choice.APPROVE} and not heard(dossier)


def disagreed(votes: tuple[Vote, ...]) -> bool:
    """Whether different reviewers have said different things."""
    return {vote.choice for vote in votes} == set(Choice)


def lead_decides(votes: tuple[Vote, ...], by: Actor, choice: Choice) -> bool:
    """Whether this person has said this once, after others disagreed."""
    mine = [vote.choice for vote in votes if vote.reviewer == by.id]
    return disagreed(tuple(vote for vote in votes if vote.reviewer != by.id)) and mine == [choice]

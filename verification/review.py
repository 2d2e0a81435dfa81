"""What people do with a dossier: each use case takes it and returns an `Outcome`, or raises an Unmoved.

    the applicant   submit, answer, appeal, withdraw, leave, renew_expired, retire
    reviewers       take, ask, vote, decide (the lead)
    two people      revoke, lift, confirm, report_death: the first call proposes, the second does it
    administrators  suspend, in an emergency
    the system      depart, when a move to another country is complete; `timing` does what the calendar asks

Pure: the time is an argument, and nothing is written, sent or signed here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from verification import terms, timing
from verification.acts import Notice, Outcome, VoidAccess, Whom, outcome, record, step, tell
from verification.dossier import Dossier, Emergency, Evidence, Proposal, Role, Vote
from verification.errors import BadGround, LeaveInstead, NoSuchMove, NothingNew, NotYours, SamePerson, Unmoved
from verification.grounds import CORRECTED, SHORTCOMINGS, Ground, grounds_for
from verification.moves import MOVES, OPEN, Choice, State
from verification.people import SYSTEM, Actor, StaffRole, conflict, require_other
from verification.voting import Ballot, has_voted, reasons, require_reasoned
from verification.ways import (
    EMERGENCY,
    PROPOSAL,
    awaited,
    disagreed,
    heard,
    require_applicant,
    require_free,
    require_person,
    require_reviewer,
    require_running,
    unheard,
)

_LOOKED_AT: Final = frozenset({State.IN_REVIEW, State.SECOND_REVIEW})
#: What the applicant is told of each state; of the others nothing, so that nobody learns of a first vote.
_TOLD: Final = {
    State.SUBMITTED: Notice.RECEIVED,
    State.NEEDS_INFO: Notice.MORE_NEEDED,
    State.APPROVED: Notice.APPROVED,
    State.REJECTED: Notice.REJECTED,
    State.APPEALED: Notice.APPEAL_RECEIVED,
    State.CLOSED: Notice.CLOSED,
    State.SUSPENDED: Notice.SUSPENDED,
    State.REVOKED: Notice.REVOKED,
    State.WITHDRAWN: Notice.WITHDRAWN,
    State.MOVED: Notice.MOVED,
    State.REVERIFY_DUE: Notice.REVERIFY_DUE,
    State.EXPIRED: Notice.EXPIRED,
}


def _moved(dossier: Dossier, to: State, *, at: datetime, by: Actor, ground: Ground, kept: Dossier) -> Outcome:
    """Move `kept`, which is the dossier with what else has changed, and tell the applicant."""
    after, entry = step(kept, to, at=at, by=by, ground=ground)
    shown = (ground,) if ground in SHORTCOMINGS or to in (State.SUSPENDED, State.REVOKED) else ()
    told = (tell(_TOLD[to], *shown, until=after.reverify_on),) if to in _TOLD else ()
    return outcome(dossier, after, entry, *told)


# ── the applicant ──


def submit(dossier: Dossier, by: Actor, now: datetime) -> Outcome:
    """Hand a draft in; raise NoEvidence without a diploma, a registration or a student card."""
    if dossier.state is not State.DRAFT:
        raise NoSuchMove("not a draft")
    kept = replace(dossier, submitted_at=now)
    return _moved(dossier, State.SUBMITTED, at=now, by=by, ground=Ground.APPLIED, kept=kept)


def answer(dossier: Dossier, by: Actor, added: tuple[Evidence, ...], now: datetime) -> Outcome:
    """Give what was asked for. A new round begins where reviewers had voted: they look at something new.

    Raise NothingNew where nothing was added, unless saying something anew can answer what was asked for.
    """
    if dossier.state is not State.NEEDS_INFO:
        raise NoSuchMove("nothing was asked")
    if not added and dossier.asked is not None and dossier.asked not in CORRECTED:
        raise NothingNew("what was asked for is not in it")
    turn = dossier.round + bool(dossier.votes_now())
    kept = replace(dossier, evidence=dossier.evidence + added, round=turn)
    after = _moved(dossier, State.SUBMITTED, at=now, by=by, ground=Ground.ANSWERED, kept=kept)
    if not after.dossier.set_aside():
        return after
    return Outcome(after.dossier, (*after.acts, tell(Notice.SET_ASIDE, whom=Whom.LEADS)))


def appeal(dossier: Dossier, by: Actor, now: datetime) -> Outcome:
    """Ask two others to look, within 30 days of the rejection and once."""
    after, entry = step(dossier, State.APPEALED, at=now, by=by, ground=Ground.OWN_WISH)
    after = replace(after, appealed_at=now, round=dossier.round + 1, appeal_round=dossier.round + 1)
    return outcome(dossier, after, entry, tell(Notice.APPEAL_RECEIVED), tell(Notice.APPEAL_RECEIVED, whom=Whom.LEADS))


def withdraw(dossier: Dossier, by: Actor, now: datetime) -> Outcome:
    """Take an application back; raise LeaveInstead for somebody who was verified by it once."""
    if dossier.approved_at is not None:
        raise LeaveInstead("was verified once")
    return _moved(dossier, State.WITHDRAWN, at=now, by=by, ground=Ground.OWN_WISH, kept=dossier)


def leave(dossier: Dossier, by: Actor, now: datetime) -> Outcome:
    """Leave for good, as somebody who was verified; raise LeavingHeld while that may end by others' decision.

    An act of its own, so that nobody comes to it by taking something back.
    """
    if dossier.approved_at is None:
        raise NoSuchMove("was never verified")
    return _moved(dossier, State.WITHDRAWN, at=now, by=by, ground=Ground.OWN_WISH, kept=dossier)


def renew_expired(dossier: Dossier, by: Actor, evidence: tuple[Evidence, ...], now: datetime) -> Outcome:
    """Apply anew after the verification has run out; only evidence shown since then counts."""
    if dossier.state is not State.EXPIRED:
        raise NoSuchMove("not expired")
    kept = replace(dossier, evidence=evidence, round=dossier.round + 1, submitted_at=now, appealed_at=None)
    return _moved(dossier, State.SUBMITTED, at=now, by=by, ground=Ground.APPLIED, kept=kept)


def retire(dossier: Dossier, by: Actor, now: datetime, *, until: datetime | None = None) -> Outcome:
    """Go on reading and commenting only, by one's own wish; a verification lasts longer then."""
    require_applicant(dossier, by)
    require_running(dossier, now)
    if dossier.role not in (Role.SPECIALIST, Role.GENERALIST) or dossier.verified_at is None:
        raise NoSuchMove("only specialists and generalists retire")
    ends = terms.reverify_on(Role.RETIRED, terms.shown_in(dossier, until), dossier.verified_at)
    # The day a campaign has set stands: nobody escapes it by retiring.
    kept_day = dossier.reverify_on if dossier.state is State.REVERIFY_DUE else ends
    after = replace(dossier, role=Role.RETIRED, reverify_on=kept_day)
    entry = record(after, "dossier.retired", at=now, by=by.id, reason=Ground.OWN_WISH)
    return outcome(dossier, after, entry, tell(Notice.RETIRED, until=kept_day))


# ── reviewers ──


def queue(dossiers: tuple[Dossier, ...], by: Actor) -> tuple[Dossier, ...]:
    """What this reviewer may take, the oldest first: of the own country, and of nobody near."""
    return tuple(sorted((each for each in dossiers if _may_take(each, by)), key=lambda each: each.changed_at))


def _may_take(dossier: Dossier, by: Actor) -> bool:
    if dossier.state not in (State.SUBMITTED, State.APPEALED) or not by.is_reviewer_of(dossier.country):
        return False
    return not conflict(by, dossier.doctor, dossier.sites) and by.id not in dossier.deciders()


def take(dossier: Dossier, by: Actor, now: datetime) -> Outcome:
    """Begin to review what is submitted or appealed."""
    return _moved(dossier, State.IN_REVIEW, at=now, by=by, ground=Ground.TAKEN, kept=dossier)


def ask(dossier: Dossier, by: Actor, ground: Ground, now: datetime) -> Outcome:
    """Ask the applicant for more, by a fixed reason."""
    kept = replace(dossier, asked=ground)
    return _moved(dossier, State.NEEDS_INFO, at=now, by=by, ground=ground, kept=kept)


def require_looking(dossier: Dossier, by: Actor) -> None:
    """Raise unless what this person finds can still be what a vote rests on: in review, and before the own vote."""
    require_reviewer(dossier, by)
    if dossier.state not in _LOOKED_AT:
        raise NoSuchMove("not in review")
    if has_voted(dossier.votes_now(), by):
        raise SamePerson("has voted in this round")


def opens(dossier: Dossier, by: Actor, now: datetime, *, wanted: bool = False) -> bool:
    """Whether this person may read a dossier now; a draft is nobody's but the applicant's.

    There is something to review, to decide or to agree with; or this person voted on it; or it is a lead, who picks
    cohorts. `wanted` says that something outside the dossier asks for it: a task of a register, or another application
    this person judges, which may be of the same doctor.
    """
    try:
        require_reviewer(dossier, by)
    except Unmoved:
        return False
    if dossier.state is State.DRAFT:
        return False
    votes = [*dossier.votes, *(vote for each in dossier.annexes for vote in each.votes)]
    return at_work(dossier, now) or has_voted(votes, by) or wanted or StaffRole.LEAD in by.roles


def at_work(dossier: Dossier, now: datetime) -> bool:
    """Whether somebody at the desk has something to review, to decide or to agree with."""
    open_annex = dossier.renewable and any(each.open for each in dossier.annexes)
    proposed = any(now <= each.at + PROPOSAL for each in dossier.proposals)
    return dossier.state in OPEN or dossier.state is State.SUSPENDED or open_annex or proposed


def visible_votes(dossier: Dossier, reviewer: Actor) -> tuple[Vote, ...]:
    """The votes this person may see: the own; others' once the own of this round is cast, or all is decided."""
    if not reviewer.is_reviewer_of(dossier.country) or conflict(reviewer, dossier.doctor, dossier.sites):
        return ()
    if has_voted(dossier.votes_now(), reviewer) or dossier.state not in OPEN:
        return dossier.votes
    return tuple(vote for vote in dossier.votes if vote.reviewer == reviewer.id)


def vote(
    dossier: Dossier,
    by: Actor,
    choice: Choice,
    ground: Ground,
    now: datetime,
    *,
    hit: Ground | None = None,
    found: terms.Shown | None = None,
) -> Outcome:
    """Say what one reviewer thinks, once a round; `hit` explains somebody who may be the same person.

    `found` is what those who approve in this round have found, by the weakest of them (`terms.weaker`), and until when
    the country's profile allows it at the latest. It becomes the dossier's with the decision and not before: a first
    vote leaves what was shown as the applicant claims it, so that the second person sees nothing of it. Whoever
    approves has found every day that the role needs: BadTerms otherwise, since findings are closed by the vote.

    The first vote leads to the second review, or decides where the authority itself has proved everything; two that
    agree decide; two that do not are left to the lead. So are two that approve where a question set aside somebody's
    vote to reject, until that person or a lead has voted too.
    """
    said = Ballot(by=by, choice=choice, ground=ground, at=now, hit=hit, found=found)
    _require_vote(dossier, said)
    if said.approves and found is not None:
        terms.reverify_on(dossier.role, found, now)
    kept = _with_vote(dossier, said)
    if dossier.state is State.IN_REVIEW:
        alone = said.approves and _found(kept, found).electronic and not dossier.open_hit and heard(kept)
        after = _approved(dossier, kept, said) if alone else _second(dossier, kept, said)
    elif disagreed(kept.votes_now()) or unheard(kept):
        after = Outcome(kept, (tell(Notice.DISAGREEMENT, whom=Whom.LEADS),))
    else:
        after = _decided(dossier, kept, said)
    return _cast(kept, said, after)


def decide(
    dossier: Dossier,
    by: Actor,
    choice: Choice,
    ground: Ground,
    now: datetime,
    *,
    hit: Ground | None = None,
    found: terms.Shown | None = None,
) -> Outcome:
    """Let the lead, who has not voted, decide between two who disagree; `hit` and `found` as in `vote`."""
    if StaffRole.LEAD not in by.roles or not disagreed(dossier.votes_now()):
        raise NotYours("the lead decides, where two disagree")
    said = Ballot(by=by, choice=choice, ground=ground, at=now, hit=hit, found=found)
    _require_voter(dossier, said)
    kept = _with_vote(dossier, said)
    return _cast(kept, said, _decided(dossier, kept, said))


def _require_vote(dossier: Dossier, said: Ballot) -> None:
    if disagreed(dossier.votes_now()):
        raise NotYours("two have disagreed: the lead decides")
    if unheard(dossier) and not awaited(dossier, said.by):
        raise NotYours("somebody whose vote was set aside, or the lead, is to be heard")
    _require_voter(dossier, said)


def _require_voter(dossier: Dossier, said: Ballot) -> None:
    if dossier.state not in _LOOKED_AT:
        raise NoSuchMove("not in review")
    require_looking(dossier, said.by)
    require_other(said.by, (vote.reviewer for vote in dossier.votes_now()))
    require_reasoned(dossier, said)


def _with_vote(dossier: Dossier, said: Ballot) -> Dossier:
    return replace(dossier, votes=(*dossier.votes, said.cast(dossier.round)))


def _cast(kept: Dossier, said: Ballot, after: Outcome) -> Outcome:
    """What the vote came to, with the vote itself recorded first."""
    return Outcome(after.dossier, (record(kept, "vote.cast", at=said.at, by=said.by.id), *after.acts))


def _found(dossier: Dossier, found: terms.Shown | None) -> Dossier:
    """The dossier as it rests on what was found."""
    if found is None:
        return dossier
    return replace(
        dossier,
        evidence=found.evidence,
        training_ends=found.training_ends,
        year_ends=found.year_ends,
        followed=found.followed,
    )


def _second(before: Dossier, kept: Dossier, said: Ballot) -> Outcome:
    return _moved(before, State.SECOND_REVIEW, at=said.at, by=said.by, ground=Ground.VOTED, kept=kept)


def _decided(before: Dossier, kept: Dossier, said: Ballot) -> Outcome:
    return _approved(before, kept, said) if said.approves else _rejected(before, kept, said)


def _approved(before: Dossier, kept: Dossier, said: Ballot) -> Outcome:
    kept, now = _found(kept, said.found), said.at
    ends = terms.reverify_on(kept.role, said.found or terms.shown_in(kept), now)
    after, entry = step(kept, State.APPROVED, at=now, by=said.by, ground=said.ground)
    after = replace(after, approved_at=now, verified_at=now, reverify_on=ends, appealed_at=None, open_hit=False)
    return outcome(before, after, entry, tell(Notice.APPROVED, until=ends))


def _rejected(before: Dossier, kept: Dossier, said: Ballot) -> Outcome:
    """A first rejection can be appealed; a second closes the dossier at once."""
    after, entry = step(kept, State.REJECTED, at=said.at, by=said.by, ground=said.ground)
    against = reasons(kept.votes_now())
    if kept.appealed_at is None:
        return outcome(before, after, entry, tell(Notice.REJECTED, *against))
    after, closing = step(after, State.CLOSED, at=said.at, by=SYSTEM, ground=Ground.SECOND_REJECTION)
    return outcome(before, after, entry, closing, tell(Notice.REJECTED_AGAIN, *against))


# ── emergencies, and what takes two ──


def suspend(dossier: Dossier, by: Actor, ground: Ground, now: datetime) -> Outcome:
    """Suspend at once, for 72 hours; a second person confirms, or it lifts itself."""
    moved, entry = step(dossier, State.SUSPENDED, at=now, by=by, ground=ground)
    after = replace(moved, emergency=Emergency(by=by.id, at=now, until=now + EMERGENCY))
    told = tell(Notice.SUSPENDED, ground, until=now + EMERGENCY)
    others = tell(Notice.SECOND_NEEDED, ground, until=now + EMERGENCY, whom=Whom.REVIEWERS)
    void = (VoidAccess(),) if ground is Ground.ACCOUNT_COMPROMISED else ()
    return outcome(dossier, after, entry, *void, told, others)


def confirm(dossier: Dossier, by: Actor, now: datetime) -> Outcome:
    """Let a suspension last: a second person says so, before it has lifted itself."""
    require_person(dossier, by)
    emergency = dossier.emergency
    if dossier.state is not State.SUSPENDED or emergency is None or emergency.confirmed or now >= emergency.until:
        raise NoSuchMove("nothing to confirm")
    if emergency.by == by.id:
        raise SamePerson("two different people are needed")
    require_other(by, (emergency.by,))
    after = replace(dossier, emergency=replace(emergency, confirmed=True))
    entry = record(after, "dossier.suspension_confirmed", at=now, by=by.id)
    return outcome(dossier, after, entry, tell(Notice.SUSPENDED))


def lift(dossier: Dossier, by: Actor, ground: Ground, now: datetime) -> Outcome:
    """End a suspension; two people."""
    if ground not in (Ground.CLEARED, Ground.MISTAKE):
        raise BadGround("not a reason to lift")
    return _together(dossier, State.APPROVED, by, ground, now, Notice.LIFTED)


def revoke(dossier: Dossier, by: Actor, ground: Ground, now: datetime) -> Outcome:
    """End a recognition for ever; two people, whoever suspended it in an emergency never alone."""
    return _together(dossier, State.REVOKED, by, ground, now, Notice.REVOKED)


def report_death(dossier: Dossier, by: Actor, now: datetime) -> Outcome:
    """Say that the doctor has died; two reviewers. Nobody is written to."""
    return _together(dossier, State.DECEASED, by, Ground.REPORTED_DEAD, now, None)


def depart(dossier: Dossier, now: datetime) -> Outcome:
    """End the dossier because the doctor's new home has taken over; raise LeavingHeld as `leave` does."""
    require_free(dossier, now)
    return _moved(dossier, State.MOVED, at=now, by=SYSTEM, ground=Ground.MOVED, kept=dossier)


def _together(dossier: Dossier, to: State, by: Actor, ground: Ground, now: datetime, notice: Notice | None) -> Outcome:
    """Propose it, or do it where another person has proposed the same for the same reason of late."""
    if to not in MOVES[dossier.state]:
        raise NoSuchMove("no such move")
    if ground not in grounds_for(dossier.state, to):
        raise BadGround("not a reason for this")
    if dossier.state is State.DRAFT:
        raise NoSuchMove("a draft is nobody's but the applicant's")
    waiting = [each for each in dossier.proposals if each.to is to and now <= each.at + PROPOSAL]
    if not waiting or (waiting[-1].by == by.id and waiting[-1].ground is not ground):
        return _proposed(dossier, to, by, ground, now)
    after, entry = step(dossier, to, at=now, by=by, ground=ground)
    told = () if notice is None else (tell(notice, *(() if to is State.APPROVED else (ground,))),)
    after, later = timing.settled(after, now)  # a suspension may have outlasted the verification
    return outcome(dossier, after, entry, *told, *later)


def _proposed(dossier: Dossier, to: State, by: Actor, ground: Ground, now: datetime) -> Outcome:
    if to is State.DECEASED:
        require_reviewer(dossier, by)
    require_person(dossier, by)
    mine = Proposal(to=to, by=by.id, reviewer=by.is_reviewer_of(dossier.country), ground=ground, at=now)
    others = tuple(each for each in dossier.proposals if each.to is not to)
    after = replace(dossier, proposals=(*others, mine))
    entry = record(after, f"proposal.{to}", at=now, by=by.id, reason=ground)
    return Outcome(after, (entry, tell(Notice.SECOND_NEEDED, ground, until=now + PROPOSAL, whom=Whom.REVIEWERS)))

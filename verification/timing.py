"""What the calendar does to a dossier: `due` says what comes next and when, `tick` does what has come.

    needs_info    reminders after 10 and 20 days, closed after 30
    rejected      closed after 30 days without an appeal
    appealed      14 days after the appeal the leads are told that no answer was given
    approved      due again 60 days before its day
    reverify_due  reminders 30 and 7 days before (the first came with the state), expired on the day
    suspended     lifted after 72 hours, unless a second person has confirmed it

Before its time the table lets the system do nothing; a worker that comes late does everything at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from verification import terms
from verification.acts import Act, Notice, Outcome, Whom, outcome, record, step, tell
from verification.dossier import Dossier
from verification.errors import BadTerms, NoSuchMove
from verification.grounds import Ground
from verification.moves import AnnexKind, State
from verification.people import SYSTEM, Actor
from verification.ways import ANSWER_WITHIN, APPEAL_WITHIN, due_from, lifted_from, require_running

#: Within this time an appeal is answered.
APPEAL_ANSWERED: Final = timedelta(days=14)
#: Reminders of a question, from the day it was asked.
_ANSWER_REMINDERS: Final = (timedelta(days=10), timedelta(days=20))
#: Reminders of a verification that runs out, before the day; the first comes with the state, 60 days before.
_REVERIFY_REMINDERS: Final = (timedelta(days=30), timedelta(days=7))


class Timed(StrEnum):
    """What the calendar does."""

    REMIND = "remind"
    OVERDUE = "overdue"
    CLOSE = "close"
    LIFT = "lift"
    REVERIFY = "reverify"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Due:
    """One thing the calendar does, and from when on; `number` counts reminders."""

    at: datetime
    what: Timed
    number: int = 0


def due(dossier: Dossier, now: datetime) -> Due | None:
    """Return what is to be done next; its time may have come or not. None: nothing, until somebody does something.

    Of several reminders whose time has come only the last is given, and none where it is too late for any.
    """
    end = _end(dossier)
    if end is not None and end.at <= now:
        return end
    waiting = [each for each in _reminders(dossier) if each.number > dossier.reminded and each.at > dossier.changed_at]
    come = [each for each in waiting if each.at <= now]
    return come[-1] if come else min([*waiting, *([end] if end else [])], key=lambda each: each.at, default=None)


def _end(dossier: Dossier) -> Due | None:
    """The move the calendar makes from this state, where it makes one."""
    match dossier.state:
        case State.NEEDS_INFO:
            return Due(dossier.changed_at + ANSWER_WITHIN, Timed.CLOSE)
        case State.REJECTED:
            return Due(dossier.changed_at + APPEAL_WITHIN, Timed.CLOSE)
        case State.APPROVED:
            return _at(due_from(dossier), Timed.REVERIFY)
        case State.REVERIFY_DUE:
            return _at(dossier.reverify_on, Timed.EXPIRE)
        case State.SUSPENDED:
            return _at(lifted_from(dossier), Timed.LIFT)
        case _:
            return None


def _at(moment: datetime | None, what: Timed) -> Due | None:
    return None if moment is None else Due(moment, what)


def _reminders(dossier: Dossier) -> Iterator[Due]:
    if dossier.state is State.NEEDS_INFO:
        for number, after in enumerate(_ANSWER_REMINDERS, start=1):
            yield Due(dossier.changed_at + after, Timed.REMIND, number)
    elif dossier.state is State.REVERIFY_DUE and dossier.reverify_on is not None:
        for number, before in enumerate(_REVERIFY_REMINDERS, start=1):
            yield Due(dossier.reverify_on - before, Timed.REMIND, number)
    elif dossier.appealed_at is not None and dossier.state in (State.APPEALED, State.IN_REVIEW, State.SECOND_REVIEW):
        yield Due(dossier.appealed_at + APPEAL_ANSWERED, Timed.OVERDUE, 1)


def tick(dossier: Dossier, now: datetime) -> Outcome:
    """Do everything whose time has come; an outcome without acts where there is nothing."""
    after, acts = settled(dossier, now)
    return outcome(dossier, after, *acts)


def settled(dossier: Dossier, now: datetime) -> tuple[Dossier, tuple[Act, ...]]:
    """The dossier once everything has happened whose time has come, and the records and mail of it."""
    acts: list[Act] = []
    while (coming := due(dossier, now)) is not None and coming.at <= now:
        dossier, more = _done(dossier, coming, now)
        acts += more
    return dossier, tuple(acts)


def _done(dossier: Dossier, coming: Due, now: datetime) -> tuple[Dossier, tuple[Act, ...]]:
    match coming.what:
        case Timed.REMIND | Timed.OVERDUE:
            return _reminded(dossier, coming)
        case Timed.CLOSE:
            ground = Ground.NO_ANSWER if dossier.state is State.NEEDS_INFO else Ground.NO_APPEAL
            return _stepped(dossier, State.CLOSED, ground, Notice.CLOSED, now)
        case Timed.LIFT:
            return _stepped(dossier, State.APPROVED, Ground.NOT_CONFIRMED, Notice.LIFTED, now)
        case Timed.REVERIFY:
            return _stepped(dossier, State.REVERIFY_DUE, Ground.REVERIFY_DATE, Notice.REVERIFY_DUE, now)
        case Timed.EXPIRE:
            return _expired(dossier, now)


def _reminded(dossier: Dossier, coming: Due) -> tuple[Dossier, tuple[Act, ...]]:
    after = replace(dossier, reminded=coming.number)
    if coming.what is Timed.OVERDUE:
        return after, (tell(Notice.APPEAL_OVERDUE, whom=Whom.LEADS),)
    if dossier.state is State.NEEDS_INFO:
        return after, (tell(Notice.ANSWER_REMINDER, until=dossier.changed_at + ANSWER_WITHIN),)
    return after, (tell(Notice.REVERIFY_REMINDER, until=dossier.reverify_on),)


def _stepped(
    dossier: Dossier, to: State, ground: Ground, notice: Notice, now: datetime
) -> tuple[Dossier, tuple[Act, ...]]:
    after, entry = step(dossier, to, at=now, by=SYSTEM, ground=ground)
    return after, (entry, tell(notice, until=after.reverify_on if to is State.REVERIFY_DUE else None))


def _expired(dossier: Dossier, now: datetime) -> tuple[Dossier, tuple[Act, ...]]:
    """The verification has run out. A renewal handed in before stays in the queue, as an application."""
    after, acts = _stepped(dossier, State.EXPIRED, Ground.REVERIFY_DATE, Notice.EXPIRED, now)
    renewal = next((each for each in after.annexes if each.open and each.kind is AnnexKind.RENEWAL), None)
    if renewal is None:
        return after, acts
    after = replace(
        after,
        evidence=renewal.evidence,
        annexes=tuple(each for each in after.annexes if each is not renewal),
        training_ends=renewal.training_ends or after.training_ends,
        year_ends=renewal.year_ends or after.year_ends,
        round=after.round + 1,
        submitted_at=renewal.submitted_at,
        appealed_at=None,
    )
    after, entry = step(after, State.SUBMITTED, at=now, by=Actor.applicant(dossier.doctor), ground=Ground.APPLIED)
    return after, (*acts, entry)


def register_unchanged(dossier: Dossier, now: datetime, *, until: datetime | None = None) -> Outcome:
    """Verify again, silently, because an imported register still knows the doctor as before.

    Raise NoSuchMove where no register is followed, or people have asked for another look (a campaign, a suspension),
    and TooLate where the verification has run out. `until` is the latest day the country's profile allows.
    """
    require_running(dossier, now)
    in_doubt = dossier.campaign is not None and dossier.state is State.REVERIFY_DUE
    if not dossier.followed or in_doubt:
        raise NoSuchMove("not verified by a register alone")
    try:
        ends = terms.reverify_on(dossier.role, terms.shown_in(dossier, until), now)
    except BadTerms:  # a stated end of training does not move because a register knows the doctor
        return Outcome(dossier, ())
    acts: list[Act] = [record(dossier, "register.unchanged", at=now, by=SYSTEM.id, reason=Ground.REGISTER_UNCHANGED)]
    after = dossier
    if dossier.state is State.REVERIFY_DUE and ends > (dossier.reverify_on or now):
        after, entry = step(dossier, State.APPROVED, at=now, by=SYSTEM, ground=Ground.REGISTER_UNCHANGED)
        acts.append(entry)
    after = replace(after, verified_at=now, reverify_on=ends)
    return outcome(dossier, after, *acts)

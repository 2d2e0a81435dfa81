"""What this room refuses at home. A remote doctor is never refused by exception: see `verdicts`.

NotAllowed
├── NotIssuable      the issuer would sign what a sibling must refuse
├── BadName          not a name that can be shown
├── NumberShape      not a number of this register (registers.numbers, with its kinds)
├── BadColumnMap     a register's file cannot be read this way (registers.column_map)
├── BadRegisterFile  no file of this register (registers.imports)
├── CountryNotAdmitted   no profile of this country holds (countries)
├── BadFile          an upload that is not kept (documents)
├── BadStatusList    a fetched status list that may not be stored
├── BadEntry         not an entry an audit log may hold
├── BadHead          not a head of this issuer's audit log
├── BeyondProfile    more than a country's profile has (overlay)
├── NothingChanges   a change of a country's policy that changes nothing (overlay)
├── BadTerms         no day can be said until which this doctor is verified
│   ├── TrainingEndMissing   nobody has said when the training ends
│   └── YearEndMissing       nobody has said when the academic year ends
└── Unmoved          a dossier stays as it is
    ├── NoSuchMove       the table knows no such move
    │   ├── EmptyCohort      a campaign about nobody in particular
    │   └── BadDeadline      a campaign that leaves too little time, or too much
    ├── BadGround        not a reason that may stand with it
    ├── NotYours         another role, another country, or not this person's turn
    ├── InConflict       somebody who must not judge this applicant
    ├── SamePerson       the second pair of eyes is the first
    ├── SameInviter      both pairs of eyes were chosen by the same person
    ├── DecidedBefore    an appeal is judged by people who did not decide before
    ├── NotAgreed        a second person is missing, or two disagree
    ├── NoEvidence       nothing was shown
    ├── NothingNew       a question is answered by what was there before
    ├── OpenHit          somebody who may be the same person is not explained
    ├── LeaveInstead     somebody who was verified takes nothing back: they leave
    ├── LeavingHeld      nobody leaves while suspended, or while a revocation is proposed
    ├── TooSoon          its time has not come
    └── TooLate          its time has passed
"""

from __future__ import annotations

from typing import ClassVar


class NotAllowed(ValueError):
    """A rule of the medical room does not hold. The message names the rule and carries no personal data."""

    code: ClassVar[str] = "not_allowed"


class NotIssuable(NotAllowed):
    """A credential on these terms would be refused by every sibling."""

    code = "not_issuable"


class BadName(NotAllowed):
    """Nothing that can be shown as a name is left, or it is too long."""

    code = "bad_name"


class BadStatusList(NotAllowed):
    """The fetched list is no status list of this issuer that holds now; the last good copy stays, with its age."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure


class BadEntry(NotAllowed):
    """A member outside the few an entry of the audit log has, or a value that is no id, code or time."""

    code = "bad_entry"


class BadHead(NotAllowed):
    """The document is no head of this issuer's audit log, or nobody we trust has signed it."""

    code = "bad_head"


class BadTerms(NotAllowed):
    """A day is missing or past that says until when this doctor is verified."""

    code = "bad_terms"


class TrainingEndMissing(BadTerms):
    """A resident is verified until the end of the training at most, and nobody has said when that is."""

    code = "training_end_missing"


class YearEndMissing(BadTerms):
    """On a card or letter alone the academic year counts, and nobody has said when it ends."""

    code = "year_end_missing"


class Unmoved(NotAllowed):
    """A dossier stays as it is."""

    code = "unmoved"


class NoSuchMove(Unmoved):
    """The table knows no move from this state to that one."""

    code = "no_such_move"


class EmptyCohort(NoSuchMove):
    """A campaign names whom it is about by one condition at least."""

    code = "empty_cohort"


class BadDeadline(NoSuchMove):
    """A campaign gives its members 7 to 60 days."""

    code = "bad_deadline"


class BadGround(Unmoved):
    """The coded reason is not one that may stand with this."""

    code = "bad_reason"


class NotYours(Unmoved):
    """This person has not the role, not this country, or not the turn."""

    code = "not_yours"


class InConflict(Unmoved):
    """This person is the applicant, has invited or was invited by the applicant, or works at the same site."""

    code = "conflict_of_interest"


class SamePerson(Unmoved):
    """Two different people are needed, and this one has spoken already."""

    code = "same_person"


class SameInviter(Unmoved):
    """Two are needed between whom no chain of appointments leads: neither chose the other, nor a third both."""

    code = "same_inviter"


class DecidedBefore(Unmoved):
    """Whoever decided before does not judge the appeal."""

    code = "decided_before"


class NotAgreed(Unmoved):
    """A second person has not spoken yet, or the two do not agree."""

    code = "not_agreed"


class NoEvidence(Unmoved):
    """Without a diploma, a registration or a student card there is nothing to judge."""

    code = "no_evidence"


class NothingNew(Unmoved):
    """What was asked for takes something that was not there before."""

    code = "nothing_new"


class LeaveInstead(Unmoved):
    """Somebody who was verified once does not take an application back: leaving is an act of its own."""

    code = "leave_instead"


class LeavingHeld(Unmoved):
    """Nobody leaves while suspended, or while a revocation is proposed: it is decided first."""

    code = "leaving_held"


class OpenHit(Unmoved):
    """The instance may know this person already; whoever approves says what was made of it."""

    code = "open_hit"


class TooSoon(Unmoved):
    """The time for this has not come."""

    code = "too_soon"


class TooLate(Unmoved):
    """The time for this has passed."""

    code = "too_late"

"""What follows from a decision, as values. The instance carries all acts of one outcome out in one transaction.

    Record       one entry of the audit log
    SetBit       one bit of a status list, set or cleared
    Issue        a new credential, in the place of the old one
    Stop         the actor is served without a credential
    Push         the queued `Update` of the doctor, and of each list that changed
    EndSessions  sessions, streams and tokens of the doctor's account end
    VoidAccess   its password opens nothing any more, and its factors are in question
    Notify       one mail and notice, by code; nothing of the evidence is in it
    Schedule     when the evidence is destroyed; None: not while this goes on

What a change of state means for bits, credential and sessions is worked out here, from where the dossier stood and
where it stands: no use case can forget it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from verification.dossier import Dossier, DossierId
from verification.grounds import Ground
from verification.moves import RENEWABLE, State
from verification.people import Actor, StaffId
from verification.retention import Thing, annex_evidence_on, destroy_on
from verification.statuslist import Purpose


class Notice(StrEnum):
    """What somebody is told; the words are the page's."""

    RECEIVED = "received"
    MORE_NEEDED = "more_needed"
    ANSWER_REMINDER = "answer_reminder"
    APPROVED = "approved"
    REJECTED = "rejected"
    REJECTED_AGAIN = "rejected_again"
    APPEAL_RECEIVED = "appeal_received"
    CLOSED = "closed"
    SUSPENDED = "suspended"
    LIFTED = "lifted"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    MOVED = "moved"
    REVERIFY_DUE = "reverify_due"
    CAMPAIGN_DUE = "campaign_due"
    REVERIFY_REMINDER = "reverify_reminder"
    RENEWED = "renewed"
    EXPIRED = "expired"
    ANNEX_RECEIVED = "annex_received"
    ANNEX_ACCEPTED = "annex_accepted"
    ANNEX_REFUSED = "annex_refused"
    RETIRED = "retired"
    DISAGREEMENT = "disagreement"
    SET_ASIDE = "set_aside"
    SECOND_NEEDED = "second_needed"
    APPEAL_OVERDUE = "appeal_overdue"


class Whom(StrEnum):
    """Who is told."""

    APPLICANT = "applicant"
    REVIEWERS = "reviewers"
    LEADS = "leads"
    ADMINISTRATORS = "administrators"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry of the audit log; `audit.Entry` says what may be in it."""

    act: str
    at: datetime
    by: StaffId
    dossier: DossierId
    reason: Ground | None = None


@dataclass(frozen=True, slots=True)
class SetBit:
    """The dossier's bit in one of the two status lists."""

    purpose: Purpose
    value: bool


@dataclass(frozen=True, slots=True)
class Issue:
    """A new credential on the dossier's terms, as it stands in the outcome."""


@dataclass(frozen=True, slots=True)
class Stop:
    """No credential is served or renewed, and what waits to be sent in the doctor's name is dropped."""


@dataclass(frozen=True, slots=True)
class Push:
    """Tell siblings to read the doctor anew, and these lists."""

    lists: tuple[Purpose, ...] = ()


@dataclass(frozen=True, slots=True)
class EndSessions:
    """Whoever is signed in as this doctor is so no longer, within five seconds."""


@dataclass(frozen=True, slots=True)
class VoidAccess:
    """The account was in other hands: its password opens nothing, and its owner says which factors are theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """One mail and one notice; `grounds` are the coded reasons to be shown, `until` the day that counts."""

    whom: Whom
    notice: Notice
    grounds: tuple[Ground, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """From when on this thing of the dossier, or of one annex of it, is destroyed."""

    thing: Thing
    on: datetime | None
    annex: str | None = None


Act: TypeAlias = "Record | SetBit | Issue | Stop | Push | EndSessions | VoidAccess | Notify | Schedule"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a use case came to: the dossier as it is now, and what follows from it."""

    dossier: Dossier
    acts: tuple[Act, ...]

    def having(self, kind: type) -> tuple[Act, ...]:
        """The acts of one kind."""
        return tuple(act for act in self.acts if isinstance(act, kind))


# ── what a change of state means ──

_ENDING: Final = frozenset({State.CLOSED, State.REVOKED, State.WITHDRAWN, State.DECEASED, State.MOVED})
_SIGNED_OUT: Final = frozenset({State.SUSPENDED, State.REVOKED, State.WITHDRAWN, State.DECEASED, State.MOVED})


def record(dossier: Dossier, act: str, *, at: datetime, by: StaffId, reason: Ground | None = None) -> Record:
    """One entry about this dossier."""
    return Record(act=act, at=at, by=by, dossier=dossier.id, reason=reason)


def following(before: Dossier, after: Dossier) -> tuple[Act, ...]:
    """Everything but records and mail that the change from one dossier to the other means."""
    bits, standing = _bits(before, after), _credential(before, after)
    push = (Push(tuple(bit.purpose for bit in bits)),) if bits or standing else ()
    leaves = after.state in _SIGNED_OUT and before.state is not after.state
    return (*bits, *standing, *push, *((EndSessions(),) if leaves else ()), *_schedules(before, after))


def _bits(before: Dossier, after: Dossier) -> tuple[SetBit, ...]:
    """The revocation bit is set where a dossier that was ever approved ends, also after its credential has run out."""
    if after.state in _ENDING and before.state not in _ENDING and before.approved_at is not None:
        return (SetBit(Purpose.REVOCATION, True),)
    was, is_now = before.state is State.SUSPENDED, after.state is State.SUSPENDED
    return (SetBit(Purpose.SUSPENSION, is_now),) if was is not is_now else ()


def _credential(before: Dossier, after: Dossier) -> tuple[Act, ...]:
    was, is_now = before.state in RENEWABLE, after.state in RENEWABLE
    if is_now and (not was or _terms(before) != _terms(after)):
        return (Issue(),)
    return (Stop(),) if was and not is_now else ()


def _terms(dossier: Dossier) -> tuple[object, ...]:
    """What a credential says or ends by; a change of it is a new credential."""
    accepted = [annex.id for annex in dossier.annexes if annex.accepted]
    return dossier.role, dossier.reverify_on, dossier.approved_at, accepted


def _schedules(before: Dossier, after: Dossier) -> tuple[Schedule, ...]:
    found = []
    for thing in Thing:
        on = destroy_on(thing, after)
        if on != destroy_on(thing, before):
            found.append(Schedule(thing=thing, on=on))
    known = {annex.id: annex_evidence_on(annex, before) for annex in before.annexes}
    for annex in after.annexes:
        on = annex_evidence_on(annex, after)
        if on != known.get(annex.id):
            found.append(Schedule(thing=Thing.EVIDENCE, on=on, annex=annex.id))
    return tuple(found)


# ── the steps use cases are made of ──


def tell(notice: Notice, *grounds: Ground, until: datetime | None = None, whom: Whom = Whom.APPLICANT) -> Notify:
    """One mail and notice."""
    return Notify(whom=whom, notice=notice, grounds=grounds, until=until)


def step(dossier: Dossier, to: State, *, at: datetime, by: Actor, ground: Ground) -> tuple[Dossier, Record]:
    """Move, and the record of it."""
    moved = dossier.move(to, at=at, by=by, ground=ground)
    return moved, record(moved, f"dossier.{to}", at=at, by=by.id, reason=ground)


def outcome(before: Dossier, after: Dossier, *acts: Act) -> Outcome:
    """These acts, and everything the change means; of what is told to one of the sides, the last word alone."""
    told = {act.whom: act for act in acts if isinstance(act, Notify)}
    records = [act for act in acts if not isinstance(act, Notify)]
    return Outcome(after, (*records, *following(before, after), *told.values()))

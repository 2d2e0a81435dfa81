"""One application to be recognised as a doctor: what is known of it, and `move`, which alone changes where it stands.

A dossier holds ids, codes and times: no name, no number, no document. The table of its life is in `moves`, what must
hold for each move in `ways`, the use cases in `review`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from verification.errors import BadGround, NoSuchMove, TooSoon
from verification.grounds import Ground, grounds_for
from verification.moves import FINAL, MOVES, RENEWABLE, AnnexKind, AnnexState, Choice, State
from verification.people import Actor, DoctorId, SiteId, StaffId
from verification.ways import Move, require_way

Country = NewType("Country", str)
DossierId = NewType("DossierId", str)
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")


class Role(StrEnum):
    """What a doctor is; what a role may do is `standing`'s to say."""

    SPECIALIST = "specialist"
    GENERALIST = "generalist"
    RESIDENT = "resident"
    STUDENT = "student"
    RETIRED = "retired"


class Assurance(StrEnum):
    """How sure the issuer is; the best evidence in the dossier counts."""

    LOW = "low"
    SUBSTANTIAL = "substantial"
    HIGH = "high"


def read_country(text: object) -> Country:
    """Read an ISO 3166 alpha-2 code in capitals; raise ValueError for anything else."""
    if not isinstance(text, str) or not _COUNTRY.match(text):
        raise ValueError("not a country code of two capitals")
    return Country(text)


# ── what was shown ──


class EvidenceKind(StrEnum):
    """The three kinds of evidence; without one of them nobody is verified."""

    DIPLOMA = "diploma"
    REGISTRATION = "registration"
    STUDENT_CARD = "student_card"


class EvidenceClass(StrEnum):
    """How much a piece of evidence says, the strongest first."""

    E1 = "E1"
    E2 = "E2"
    E3 = "E3"
    E4 = "E4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a dossier remembers of something shown: an id, a kind, a class, since when; never what it says.

    `automatic`: the authority's own system proved it, no person read it. `matched`: a register knows the doctor.
    `number`: the kind of register number that came with it, which says who gave it; never the number.
    """

    id: str
    kind: EvidenceKind
    rank: EvidenceClass
    at: datetime
    automatic: bool = False
    matched: bool = False
    number: str = ""


def proved_electronically(evidence: tuple[Evidence, ...]) -> bool:
    """Whether the authority's own system proved something of it (E1)."""
    return any(each.rank is EvidenceClass.E1 and each.automatic for each in evidence)


# ── what was said of it ──


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one reviewer said in one round; `hit` explains somebody who may be the same person.

    `lead`: whoever said it was a lead then.
    """

    reviewer: StaffId
    round: int
    choice: Choice
    ground: Ground
    at: datetime
    hit: Ground | None = None
    lead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one person wants and a second has to want, too."""

    to: State
    by: StaffId
    reviewer: bool
    ground: Ground
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """The last suspension by one administrator; it ends at `until` unless a second person has confirmed it."""

    by: StaffId
    at: datetime
    until: datetime
    confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Annex:
    """A renewal, a specialist certificate or a change of name, with the evidence and the votes on it alone.

    `specialty` is the slug of what a certificate is about, where it was said.
    """

    id: str
    kind: AnnexKind
    state: AnnexState
    evidence: tuple[Evidence, ...]
    changed_at: datetime
    submitted_at: datetime
    votes: tuple[Vote, ...] = ()
    training_ends: datetime | None = None
    year_ends: datetime | None = None
    specialty: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it counts."""
        return self.state is AnnexState.ACCEPTED

    @property
    def open(self) -> bool:
        """Whether it is not decided yet."""
        return self.state not in (AnnexState.ACCEPTED, AnnexState.REFUSED)

    def ended(self, at: datetime) -> Annex:
        """As it is once its dossier has ended: what was not decided is refused, by the system."""
        return replace(self, state=AnnexState.REFUSED, changed_at=at) if self.open else self


# ── the dossier ──


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One application of one doctor, from the draft to whatever ends it.

    `training_ends` and `year_ends` are the days a resident or student stated; `followed`: a register is imported
    that knows this doctor; `open_hit`: somebody who may be the same person was found. `reverify_on` is the moment
    until which the doctor is verified, None before the first approval. `asked` is what was asked for last;
    `decided_before`: who voted on the account's last application, which was not approved.
    """

    id: DossierId
    doctor: DoctorId
    country: Country
    role: Role
    changed_at: datetime
    state: State = State.DRAFT
    evidence: tuple[Evidence, ...] = ()
    sites: frozenset[SiteId] = frozenset()
    round: int = 1
    votes: tuple[Vote, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    annexes: tuple[Annex, ...] = ()
    submitted_at: datetime | None = None
    approved_at: datetime | None = None
    verified_at: datetime | None = None
    reverify_on: datetime | None = None
    appealed_at: datetime | None = None
    appeal_round: int = 0
    emergency: Emergency | None = None
    training_ends: datetime | None = None
    year_ends: datetime | None = None
    followed: bool = False
    open_hit: bool = False
    campaign: str | None = None
    reminded: int = 0
    asked: Ground | None = None
    decided_before: frozenset[StaffId] = frozenset()

    @property
    def final(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state in FINAL

    @property
    def renewable(self) -> bool:
        """Whether its credential exists and may be renewed."""
        return self.state in RENEWABLE

    @property
    def electronic(self) -> bool:
        """Whether the authority's own system proved it."""
        return proved_electronically(self.evidence)

    def votes_now(self) -> tuple[Vote, ...]:
        """The votes of the present round."""
        return tuple(vote for vote in self.votes if vote.round == self.round)

    def looked_at(self, *kinds: AnnexKind) -> datetime | None:
        """When a person last voted on the application, or on an accepted annex of these kinds; else `verified_at`.

        A register that is read again, and an annex of another kind, move `verified_at` and leave this where it is.
        """
        accepted = [each for each in self.annexes if each.accepted and each.kind in kinds]
        votes = [*self.votes, *(vote for each in accepted for vote in each.votes)]
        return max((vote.at for vote in votes), default=self.verified_at)

    def set_aside(self) -> frozenset[StaffId]:
        """Who voted to reject in a round that ended with a question, and so without a decision."""
        since = self.submitted_at or self.changed_at
        first = self.appeal_round if self.appealed_at is not None else 0
        return frozenset(
            vote.reviewer
            for vote in self.votes
            if vote.choice is Choice.REJECT and first <= vote.round < self.round and vote.at >= since
        )

    def deciders(self) -> frozenset[StaffId]:
        """Who voted before the rejection that is appealed against, or on an earlier application, until approval."""
        before = self.decided_before if self.approved_at is None else frozenset()
        if self.appealed_at is None:
            return before
        return before | {vote.reviewer for vote in self.votes if vote.round < self.appeal_round}

    def move(self, to: State, *, at: datetime, by: Actor, ground: Ground) -> Dossier:
        """Return the dossier in its next state; raise an Unmoved where the table, the people or the time forbid it.

        A first vote or a proposal must be in the dossier already where two are needed: `by` is the second.
        """
        ways = MOVES[self.state].get(to, ())
        if not ways:
            raise NoSuchMove("no such move")
        if at < self.changed_at:
            raise TooSoon("before the last change")
        if ground not in grounds_for(self.state, to):
            raise BadGround("not a reason for this move")
        require_way(self, ways, Move(to, at, by, ground))
        annexes = tuple(each.ended(at) for each in self.annexes) if to in FINAL else self.annexes
        return replace(self, state=to, changed_at=at, proposals=(), reminded=0, annexes=annexes)

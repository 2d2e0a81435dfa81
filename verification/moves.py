"""Where a dossier can stand, and how it gets from there to elsewhere: `MOVES` is the one table.

Each move names the ways to make it, by whose doing; `ways` says what must hold on each. The documentation is drawn from
this table. Annexes (a renewal, a certificate, a name) have a small table of their own: the dossier keeps its state.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class State(StrEnum):
    """Where an application stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    SECOND_REVIEW = "second_review"
    NEEDS_INFO = "needs_info"
    REJECTED = "rejected"
    APPEALED = "appealed"
    APPROVED = "approved"
    REVERIFY_DUE = "reverify_due"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    DECEASED = "deceased"
    MOVED = "moved"


class Way(StrEnum):
    """By whose doing a move is made; `ways` says what must hold."""

    APPLICANT = "the applicant"
    REVIEWER = "one reviewer"
    ELECTRONIC = "one reviewer, on electronic proof by the authority (E1)"
    VOTES = "two reviewers whose votes agree"
    LEAD = "the lead, where two disagree"
    REVIEWERS = "two reviewers"
    PEOPLE = "two people, at least one of them a reviewer"
    EMERGENCY = "one administrator, for 72 hours"
    RENEWAL = "an accepted renewal"
    DELTA = "one reviewer, where the authority's document and the register agree (specialist certificate)"
    SYSTEM = "the system"


_LEAVING: Final[Mapping[State, tuple[Way, ...]]] = {
    State.WITHDRAWN: (Way.APPLICANT,),
    State.DECEASED: (Way.REVIEWERS,),
}
_ENDING: Final[Mapping[State, tuple[Way, ...]]] = {
    State.SUSPENDED: (Way.EMERGENCY,),
    State.REVOKED: (Way.PEOPLE,),
    State.MOVED: (Way.SYSTEM,),
}

#: Every move there is, and the ways to make it. A state without moves is final.
MOVES: Final[Mapping[State, Mapping[State, tuple[Way, ...]]]] = MappingProxyType(
    {
        State.DRAFT: {State.SUBMITTED: (Way.APPLICANT,), **_LEAVING},
        State.SUBMITTED: {State.IN_REVIEW: (Way.REVIEWER,), **_LEAVING},
        State.IN_REVIEW: {
            State.SECOND_REVIEW: (Way.REVIEWER,),
            State.NEEDS_INFO: (Way.REVIEWER,),
            State.APPROVED: (Way.ELECTRONIC,),
            **_LEAVING,
        },
        State.SECOND_REVIEW: {
            State.APPROVED: (Way.VOTES, Way.LEAD),
            State.REJECTED: (Way.VOTES, Way.LEAD),
            State.NEEDS_INFO: (Way.REVIEWER,),
            **_LEAVING,
        },
        State.NEEDS_INFO: {State.SUBMITTED: (Way.APPLICANT,), State.CLOSED: (Way.SYSTEM,), **_LEAVING},
        State.REJECTED: {State.APPEALED: (Way.APPLICANT,), State.CLOSED: (Way.SYSTEM,), **_LEAVING},
        State.APPEALED: {State.IN_REVIEW: (Way.REVIEWER,), **_LEAVING},
        State.APPROVED: {State.REVERIFY_DUE: (Way.SYSTEM,), **_ENDING, **_LEAVING},
        State.REVERIFY_DUE: {
            State.APPROVED: (Way.RENEWAL, Way.SYSTEM),
            State.EXPIRED: (Way.SYSTEM,),
            **_ENDING,
            **_LEAVING,
        },
        State.EXPIRED: {State.SUBMITTED: (Way.APPLICANT,), **_LEAVING},
        State.SUSPENDED: {State.APPROVED: (Way.PEOPLE, Way.SYSTEM), State.REVOKED: (Way.PEOPLE,), **_LEAVING},
        State.CLOSED: {},
        State.REVOKED: {},
        State.WITHDRAWN: {},
        State.DECEASED: {},
        State.MOVED: {},
    }
)
FINAL: Final = frozenset(state for state, moves in MOVES.items() if not moves)
#: In these a credential exists and may be renewed, and in no other.
RENEWABLE: Final = frozenset({State.APPROVED, State.REVERIFY_DUE})
#: In these reviewers are, or will be, at work.
OPEN: Final = frozenset({State.SUBMITTED, State.IN_REVIEW, State.SECOND_REVIEW, State.NEEDS_INFO, State.APPEALED})


class Choice(StrEnum):
    """What a reviewer says of an application."""

    APPROVE = "approve"
    REJECT = "reject"


# ── annexes: what happens to an approved dossier while it keeps its state ──


class AnnexKind(StrEnum):
    """What an annex is for."""

    RENEWAL = "renewal"
    SPECIALIST = "specialist"
    NAME = "name"


class AnnexState(StrEnum):
    """Where an annex stands."""

    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    SECOND_REVIEW = "second_review"
    ACCEPTED = "accepted"
    REFUSED = "refused"


_CLOSING: Final[Mapping[AnnexState, tuple[Way, ...]]] = {AnnexState.REFUSED: (Way.APPLICANT, Way.SYSTEM)}

#: Every move of an annex. The applicant may take it back; the system ends it with its dossier.
ANNEX_MOVES: Final[Mapping[AnnexState, Mapping[AnnexState, tuple[Way, ...]]]] = MappingProxyType(
    {
        AnnexState.SUBMITTED: {AnnexState.IN_REVIEW: (Way.REVIEWER,), **_CLOSING},
        AnnexState.IN_REVIEW: {
            AnnexState.SECOND_REVIEW: (Way.REVIEWER,),
            AnnexState.ACCEPTED: (Way.ELECTRONIC, Way.DELTA),
            **_CLOSING,
        },
        AnnexState.SECOND_REVIEW: {
            AnnexState.ACCEPTED: (Way.VOTES, Way.LEAD),
            AnnexState.REFUSED: (Way.VOTES, Way.LEAD, *_CLOSING[AnnexState.REFUSED]),
        },
        AnnexState.ACCEPTED: {},
        AnnexState.REFUSED: {},
    }
)

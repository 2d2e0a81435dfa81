"""Coded reasons: why a dossier was moved. Nobody writes a reason in words of their own.

A code travels in the record of the audit, in the mail and on the page; the words are the page's, in the reader's
language. `grounds_for` says which codes may stand with a move: another one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from verification.moves import MOVES, State


class Ground(StrEnum):
    """One coded reason."""

    # What is wrong with something shown.
    UNREADABLE = "unreadable"
    INCOMPLETE = "incomplete"
    NAME_DIFFERS = "name_differs"
    SUBJECT_MISSING = "subject_missing"
    EXPIRED_DOCUMENT = "expired_document"
    CERTIFICATE_TOO_OLD = "certificate_too_old"
    NOT_FROM_AUTHORITY = "not_from_authority"
    TRANSLATION_NEEDED = "translation_needed"
    NUMBER_NOT_FOUND = "number_not_found"
    REGISTER_INACTIVE = "register_inactive"
    IDENTITY_UNPROVED = "identity_unproved"
    DUPLICATE_ACCOUNT = "duplicate_account"
    STUDENTS_NOT_ADMITTED = "students_not_admitted"
    NOT_A_DOCTOR = "not_a_doctor"
    # Why it was enough.
    EVIDENCE_HOLDS = "evidence_holds"
    ELECTRONIC_PROOF = "electronic_proof"
    RENEWED = "renewed"
    REGISTER_UNCHANGED = "register_unchanged"
    # What was made of somebody who may be the same person.
    NOT_THE_SAME = "not_the_same_person"
    EARLIER_ACCOUNT_CLOSED = "earlier_account_closed"
    # What the applicant did, or a reviewer with the dossier in hand.
    APPLIED = "applied"
    ANSWERED = "answered"
    OWN_WISH = "own_wish"
    TAKEN = "taken"
    VOTED = "voted"
    # Why somebody is no longer believed, or is again.
    REGISTER_SAYS_SO = "register_says_so"
    AUTHORITY_LETTER = "authority_letter"
    IMI_ALERT = "imi_alert"
    ACCOUNT_COMPROMISED = "account_compromised"
    MISCONDUCT = "misconduct"
    STRUCK_OFF = "struck_off"
    FALSE_EVIDENCE = "false_evidence"
    CLEARED = "cleared"
    MISTAKE = "mistake"
    NOT_CONFIRMED = "not_confirmed"
    REPORTED_DEAD = "reported_dead"
    MOVED = "moved"
    # What the calendar did.
    NO_ANSWER = "no_answer"
    NO_APPEAL = "no_appeal"
    SECOND_REJECTION = "second_rejection"
    REVERIFY_DATE = "reverify_date"
    CAMPAIGN = "campaign"
    # Why many are looked at again.
    REVIEWER_IN_DOUBT = "reviewer_in_doubt"
    EVIDENCE_IN_DOUBT = "evidence_in_doubt"
    SPOT_CHECK = "spot_check"


#: Why more is needed, or why an application is rejected.
SHORTCOMINGS: Final = frozenset(
    {
        Ground.UNREADABLE,
        Ground.INCOMPLETE,
        Ground.NAME_DIFFERS,
        Ground.SUBJECT_MISSING,
        Ground.EXPIRED_DOCUMENT,
        Ground.CERTIFICATE_TOO_OLD,
        Ground.NOT_FROM_AUTHORITY,
        Ground.TRANSLATION_NEEDED,
        Ground.NUMBER_NOT_FOUND,
        Ground.REGISTER_INACTIVE,
        Ground.IDENTITY_UNPROVED,
        Ground.DUPLICATE_ACCOUNT,
        Ground.STUDENTS_NOT_ADMITTED,
        Ground.NOT_A_DOCTOR,
    }
)
#: What saying something anew can answer; everything else asked for takes something new to show.
CORRECTED: Final = frozenset({Ground.NAME_DIFFERS, Ground.STUDENTS_NOT_ADMITTED, Ground.DUPLICATE_ACCOUNT})
#: Why the evidence was enough.
ENOUGH: Final = frozenset({Ground.EVIDENCE_HOLDS, Ground.ELECTRONIC_PROOF})
#: How a reviewer explains approving somebody whom the instance may know already.
EXPLAINED: Final = frozenset({Ground.NOT_THE_SAME, Ground.EARLIER_ACCOUNT_CLOSED})
#: Why a cohort is looked at again.
DOUBTS: Final = frozenset(
    {Ground.REVIEWER_IN_DOUBT, Ground.EVIDENCE_IN_DOUBT, Ground.AUTHORITY_LETTER, Ground.SPOT_CHECK}
)

_WARNINGS: Final = frozenset(
    {
        Ground.REGISTER_SAYS_SO,
        Ground.AUTHORITY_LETTER,
        Ground.IMI_ALERT,
        Ground.ACCOUNT_COMPROMISED,
        Ground.MISCONDUCT,
    }
)

_LIFTING: Final = frozenset({Ground.CLEARED, Ground.MISTAKE, Ground.NOT_CONFIRMED})

#: The reasons that may stand with a move, by the state it leads to.
_TO: Final[Mapping[State, frozenset[Ground]]] = MappingProxyType(
    {
        State.SUBMITTED: frozenset({Ground.APPLIED}),
        State.IN_REVIEW: frozenset({Ground.TAKEN}),
        State.SECOND_REVIEW: frozenset({Ground.VOTED}),
        State.NEEDS_INFO: SHORTCOMINGS,
        State.APPROVED: ENOUGH,
        State.REJECTED: SHORTCOMINGS,
        State.APPEALED: frozenset({Ground.OWN_WISH}),
        State.REVERIFY_DUE: frozenset({Ground.REVERIFY_DATE, Ground.CAMPAIGN}),
        State.EXPIRED: frozenset({Ground.REVERIFY_DATE}),
        State.SUSPENDED: _WARNINGS,
        State.CLOSED: frozenset({Ground.NO_APPEAL, Ground.SECOND_REJECTION}),
        State.REVOKED: (_WARNINGS - {Ground.ACCOUNT_COMPROMISED}) | {Ground.STRUCK_OFF, Ground.FALSE_EVIDENCE},
        State.WITHDRAWN: frozenset({Ground.OWN_WISH}),
        State.DECEASED: frozenset({Ground.REPORTED_DEAD}),
        State.MOVED: frozenset({Ground.MOVED}),
    }
)
#: Where it also matters from where the move comes.
_FROM: Final[Mapping[tuple[State, State], frozenset[Ground]]] = MappingProxyType(
    {
        (State.NEEDS_INFO, State.SUBMITTED): frozenset({Ground.ANSWERED}),
        (State.NEEDS_INFO, State.CLOSED): frozenset({Ground.NO_ANSWER}),
        (State.REVERIFY_DUE, State.APPROVED): frozenset({Ground.RENEWED, Ground.REGISTER_UNCHANGED}),
        (State.SUSPENDED, State.APPROVED): _LIFTING,
    }
)


def grounds_for(here: State, to: State) -> frozenset[Ground]:
    """Return the reasons that may stand with this move; none where there is no such move."""
    if to not in MOVES[here]:
        return frozenset()
    return _FROM.get((here, to), _TO[to])

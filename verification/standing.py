"""May this doctor do this, today? `may` is the one question every door asks, for local and remote doctors alike.

What a role may do is a table. Whatever is missing, unknown, not begun or past its end opens nothing. What an account
may do for itself, verified or not, hangs on its dossier alone: `may_own`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from verification.dossier import Assurance, Country, Role
from verification.issuers import SKEW
from verification.moves import FINAL, MOVES, State


class Action(StrEnum):
    """What a doctor may ask to do."""

    READ = "read"
    FOLLOW = "follow"
    FLAG = "flag"
    COMMENT = "comment"
    LIKE = "like"
    EDIT = "edit"
    WITHDRAW = "withdraw"
    POST = "post"
    RECOMMEND = "recommend"
    VOTE = "vote"
    REVIEW = "review"


class StandingState(StrEnum):
    """Where a doctor stands with the issuer; every state but active opens nothing."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"


class WhyNot(StrEnum):
    """Why a door stays closed; those that are also reasons of a check have the same spelling."""

    NO_CREDENTIAL = "no_credential"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    ROLE_NOT_ALLOWED = "role_not_allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a verified doctor, as far as a door needs it."""

    name: str
    role: Role
    country: Country
    specialties: tuple[str, ...]
    assurance: Assurance
    valid_from: datetime
    valid_until: datetime
    state: StandingState


@dataclass(frozen=True, slots=True)
class Policy:
    """What an instance decides about roles: the rights of students, per country; none where none are named."""

    student_rights: Mapping[Country, frozenset[Action]] = field(default_factory=dict)


# Following and reporting belong to reading; thanking and mending one's own words belong to commenting.
_READING: Final = frozenset({Action.READ, Action.FOLLOW, Action.FLAG})
_COMMENTING: Final = frozenset({Action.COMMENT, Action.LIKE, Action.EDIT, Action.WITHDRAW})
_POSTING: Final = frozenset({Action.POST, Action.RECOMMEND, Action.VOTE})

#: The rights of each role. A student's are the country's to give, so none stand here.
RIGHTS: Final[Mapping[Role, frozenset[Action]]] = MappingProxyType(
    {
        Role.SPECIALIST: frozenset(Action),
        Role.GENERALIST: frozenset(Action),
        Role.RESIDENT: _READING | _COMMENTING | _POSTING,
        Role.STUDENT: frozenset(),
        Role.RETIRED: _READING | _COMMENTING,
    }
)

_CLOSED: Final[Mapping[StandingState, WhyNot]] = MappingProxyType(
    {
        StandingState.REVOKED: WhyNot.REVOKED,
        StandingState.SUSPENDED: WhyNot.SUSPENDED,
        StandingState.EXPIRED: WhyNot.EXPIRED,
    }
)


def may(action: Action, standing: Standing | None, policy: Policy, now: datetime) -> bool:
    """Say whether this doctor may do this now."""
    return why_not(action, standing, policy, now) is None


def why_not(action: Action, standing: Standing | None, policy: Policy, now: datetime) -> WhyNot | None:
    """Say why this doctor may not do this now, or None where nothing stands against it."""
    if standing is None:
        return WhyNot.NO_CREDENTIAL
    if standing.state != StandingState.ACTIVE:
        return _CLOSED.get(standing.state, WhyNot.NO_CREDENTIAL)
    if standing.valid_from - now > SKEW:
        return WhyNot.NOT_YET_VALID
    if now - standing.valid_until > SKEW:
        return WhyNot.EXPIRED
    return None if action in _rights(standing, policy) else WhyNot.ROLE_NOT_ALLOWED


def _rights(standing: Standing, policy: Policy) -> frozenset[Action]:
    if standing.role == Role.STUDENT:
        return policy.student_rights.get(standing.country, frozenset())
    return RIGHTS.get(standing.role, frozenset())


# ── what hangs on the dossier ──


class OwnAct(StrEnum):
    """What an account may do for itself, and for nobody else."""

    SIGN_IN = "sign_in"
    EXPORT = "export"
    LEAVE = "leave"
    APPLY = "apply"
    ANSWER = "answer"
    APPEAL = "appeal"
    RENEW = "renew"


_OWN: Final[Mapping[State, frozenset[OwnAct]]] = MappingProxyType(
    {
        State.DRAFT: frozenset({OwnAct.APPLY}),
        State.NEEDS_INFO: frozenset({OwnAct.ANSWER}),
        State.REJECTED: frozenset({OwnAct.APPEAL}),
        State.APPROVED: frozenset({OwnAct.RENEW}),
        State.REVERIFY_DUE: frozenset({OwnAct.RENEW}),
        State.EXPIRED: frozenset({OwnAct.RENEW}),
    }
)
#: An account whose dossier has ended signs in no more; one that was refused still fetches what is its own.
_SHUT: Final = frozenset({State.REVOKED, State.WITHDRAWN, State.DECEASED, State.MOVED})


def own_acts(state: State) -> frozenset[OwnAct]:
    """Return what an account may do for itself while its dossier stands here; nothing where that is not known."""
    if state not in MOVES or state in _SHUT:
        return frozenset()
    always = {OwnAct.SIGN_IN, OwnAct.EXPORT} | ({OwnAct.LEAVE} if state not in FINAL | {State.SUSPENDED} else set())
    return _OWN.get(state, frozenset()) | always


def may_own(act: OwnAct, state: State) -> bool:
    """Say whether an account may do this for itself."""
    return act in own_acts(state)


_STANDS: Final[Mapping[State, StandingState]] = MappingProxyType(
    {
        State.APPROVED: StandingState.ACTIVE,
        State.REVERIFY_DUE: StandingState.ACTIVE,
        State.SUSPENDED: StandingState.SUSPENDED,
        State.REVOKED: StandingState.REVOKED,
        State.WITHDRAWN: StandingState.REVOKED,
        State.DECEASED: StandingState.REVOKED,
        State.MOVED: StandingState.REVOKED,
    }
)


def standing_state(state: State, *, approved_before: bool) -> StandingState | None:
    """Say where a doctor of this instance stands; None for somebody who was never verified.

    Whoever was verified before and applies again, or has run out, is expired until the new decision.
    """
    if state in _STANDS:
        return _STANDS[state]
    return StandingState.EXPIRED if approved_before else None

"""The one question every door asks: may this doctor do this, today?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.verification.helpers import FR, NOW
from verification.dossier import Assurance, Country, Role
from verification.standing import RIGHTS, Action, Policy, Standing, StandingState, WhyNot, may, why_not
from verification.verdicts import EFFECTS, REFETCH_FIRST, Effect, Reason, Refused

SKEW = timedelta(seconds=300)
SECOND = timedelta(seconds=1)
NO_STUDENTS = Policy()
ADA = Standing(
    name="Dr Ada Beispiel",
    role=Role.SPECIALIST,
    country=FR,
    specialties=("cardiology",),
    assurance=Assurance.HIGH,
    valid_from=NOW,
    valid_until=NOW + timedelta(days=90),
    state=StandingState.ACTIVE,
)


def rights(role: Any, policy: Policy = NO_STUDENTS) -> set[Action]:
    """Everything a doctor of this role may do now."""
    return {action for action in Action if may(action, replace(ADA, role=role), policy, NOW)}


def test_each_role_has_its_rights() -> None:
    """Specialists and generalists all; residents read, comment and post; the retired read and comment."""
    reading = {Action.READ, Action.FOLLOW, Action.FLAG}
    commenting = {Action.COMMENT, Action.LIKE, Action.EDIT, Action.WITHDRAW}
    posting = {Action.POST, Action.RECOMMEND, Action.VOTE}

    assert set(Action) == rights(Role.SPECIALIST) == rights(Role.GENERALIST)
    assert reading | commenting | posting == rights(Role.RESIDENT)
    assert reading | commenting == rights(Role.RETIRED)
    assert set() == rights(Role.STUDENT)
    assert set(Role) == RIGHTS.keys()


def test_a_student_has_exactly_the_rights_the_countrys_policy_names() -> None:
    """And in another country, or once it is turned off, none."""
    policy = Policy({FR: frozenset({Action.READ})})
    abroad = replace(ADA, role=Role.STUDENT, country=Country("DE"))

    assert {Action.READ} == rights(Role.STUDENT, policy)
    assert not may(Action.READ, abroad, policy, NOW)
    assert WhyNot.ROLE_NOT_ALLOWED == why_not(Action.READ, replace(ADA, role=Role.STUDENT), NO_STUDENTS, NOW)


def test_a_policy_gives_rights_to_students_alone() -> None:
    """It cannot give the retired what their role does not."""
    policy = Policy({FR: frozenset(Action)})

    assert set(Action) == rights(Role.STUDENT, policy)
    assert rights(Role.RETIRED) == rights(Role.RETIRED, policy)


@pytest.mark.parametrize("action", list(Action))
def test_without_a_standing_every_door_is_closed(action: Action) -> None:
    """Nobody is a doctor until it is shown."""
    assert WhyNot.NO_CREDENTIAL == why_not(action, None, NO_STUDENTS, NOW)
    assert not may(action, None, NO_STUDENTS, NOW)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (NOW - SKEW - SECOND, WhyNot.NOT_YET_VALID),
        (NOW - SKEW, None),
        (NOW + timedelta(days=90) + SKEW, None),
        (NOW + timedelta(days=90) + SKEW + SECOND, WhyNot.EXPIRED),
    ],
)
def test_a_standing_opens_doors_within_its_time_only(now: Any, reason: WhyNot | None) -> None:
    """Expired opens nothing at all, not even reading."""
    assert {reason} == {why_not(action, ADA, NO_STUDENTS, now) for action in Action}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (StandingState.SUSPENDED, WhyNot.SUSPENDED),
        (StandingState.REVOKED, WhyNot.REVOKED),
        ("unheard-of", WhyNot.NO_CREDENTIAL),
    ],
)
def test_only_an_active_standing_opens_a_door(state: Any, reason: WhyNot) -> None:
    """An unknown state is as good as none."""
    assert {reason} == {why_not(action, replace(ADA, state=state), NO_STUDENTS, NOW) for action in Action}


def test_an_unknown_action_or_role_is_a_closed_door() -> None:
    """What is not in the table is not allowed."""
    unknown: Any = "delete-everything"
    professor: Any = "professor"

    assert not may(unknown, ADA, NO_STUDENTS, NOW)
    assert set() == rights(professor)


def test_a_reason_of_the_door_is_spelled_like_the_reason_of_a_check() -> None:
    """One word, one meaning: only the role is a matter of the door alone."""
    assert {"role_not_allowed"} == {reason.value for reason in WhyNot} - {reason.value for reason in Reason}


def test_every_reason_has_its_effects() -> None:
    """The table names all codes, and accepts on two of them alone."""
    assert set(Reason) == EFFECTS.keys()
    assert {Reason.OK, Reason.STATUS_SOFT_STALE} == {code for code in Reason if Effect.ACCEPT in EFFECTS[code]}
    assert {Reason.EXPIRED, Reason.CREDENTIAL_ROLLBACK} == REFETCH_FIRST


def test_a_refusal_has_the_effect_of_the_table() -> None:
    """Refused is final but for the expired federation list, after which everybody comes back."""
    for reason in Reason:
        if Effect.REFUSE in EFFECTS[reason]:
            assert Effect.REFUSE == Refused(reason).effect
    assert Effect.RETRY == Refused(Reason.FEDERATION_LIST_EXPIRED).effect

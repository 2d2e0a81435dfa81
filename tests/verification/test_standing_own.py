"""What an account may do for itself, and where a dossier leaves its doctor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.verification.test_standing import ADA, NO_STUDENTS, NOW
from verification.moves import FINAL, MOVES, RENEWABLE, State
from verification.standing import Action, OwnAct, StandingState, WhyNot, may_own, own_acts, standing_state, why_not


def test_after_expiry_one_signs_in_renews_exports_and_leaves() -> None:
    """And nothing else: no reading, whatever the role."""
    expired = replace(ADA, state=StandingState.EXPIRED)

    assert {OwnAct.SIGN_IN, OwnAct.RENEW, OwnAct.EXPORT, OwnAct.LEAVE} == own_acts(State.EXPIRED)
    assert {WhyNot.EXPIRED} == {why_not(action, expired, NO_STUDENTS, NOW) for action in Action}


@pytest.mark.parametrize("state", list(State))
def test_an_account_does_for_itself_what_the_table_lets_the_applicant_do(state: State) -> None:
    """No button without a move, and no move without a button; nobody leaves while suspended."""
    acts = own_acts(state)

    assert (OwnAct.LEAVE in acts) is (State.WITHDRAWN in MOVES[state] and state is not State.SUSPENDED)
    assert (OwnAct.APPEAL in acts) is (State.APPEALED in MOVES[state])
    assert (bool(acts & {OwnAct.APPLY, OwnAct.ANSWER, OwnAct.RENEW}) and state not in RENEWABLE) is (
        State.SUBMITTED in MOVES[state]
    )
    assert (OwnAct.SIGN_IN in acts) is (state not in FINAL or state is State.CLOSED)
    assert (OwnAct.EXPORT in acts) is (OwnAct.SIGN_IN in acts)


def test_an_unknown_state_or_act_opens_nothing() -> None:
    """Closed until opened."""
    unknown: Any = "unheard-of"

    assert frozenset() == own_acts(unknown)
    assert not may_own(OwnAct.SIGN_IN, unknown)
    assert not may_own(unknown, State.APPROVED)
    assert standing_state(unknown, approved_before=False) is None


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("before", [True, False])
def test_only_two_states_make_a_doctor_active(state: State, before: bool) -> None:
    """In every other nothing of the network can be read."""
    standing = standing_state(state, approved_before=before)

    assert (standing is StandingState.ACTIVE) is (state in RENEWABLE)
    if standing is not None:
        opened = why_not(Action.READ, replace(ADA, state=standing), NO_STUDENTS, NOW) is None
        assert opened is (state in RENEWABLE)


def test_who_was_never_verified_has_no_standing() -> None:
    """Who was, and applies again, is expired until the decision."""
    for state in (State.DRAFT, State.SUBMITTED, State.IN_REVIEW, State.SECOND_REVIEW, State.NEEDS_INFO, State.CLOSED):
        assert standing_state(state, approved_before=False) is None
        assert StandingState.EXPIRED == standing_state(state, approved_before=True)

"""Suspending, lifting, revoking, and what takes two people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.verification.dossiers import (
    ADMIN,
    DAY,
    HOUR,
    NEAR,
    NOW,
    OTHER_ADMIN,
    OTHERS,
    REMY,
    RENE,
    RITA,
    SECOND,
    YES,
    approved,
    at_rest,
    told,
)  # fmt: skip
from verification import review
from verification.acts import EndSessions, Issue, Notice, Push, Schedule, SetBit, Stop, Whom
from verification.errors import (
    InConflict,
    NoSuchMove,
    NotAgreed,
    NotYours,
    SameInviter,
    SamePerson,
)  # fmt: skip
from verification.grounds import Ground
from verification.moves import FINAL, State
from verification.people import Actor
from verification.retention import Thing
from verification.statuslist import Purpose

# ── suspension ──


@pytest.mark.parametrize("state", [State.APPROVED, State.REVERIFY_DUE])
def test_one_administrator_suspends_in_an_emergency(state: State) -> None:
    """Bit, actor, siblings and sessions at once; the reviewers are called."""
    dossier = at_rest(state)
    outcome = review.suspend(dossier, ADMIN, Ground.IMI_ALERT, dossier.changed_at)

    assert State.SUSPENDED == outcome.dossier.state
    assert (SetBit(Purpose.SUSPENSION, True), Stop(), Push((Purpose.SUSPENSION,)), EndSessions()) == tuple(
        act for act in outcome.acts if isinstance(act, SetBit | Stop | Push | EndSessions)
    )
    assert [Notice.SUSPENDED] == told(outcome)
    assert [Notice.SECOND_NEEDED] == told(outcome, Whom.REVIEWERS)


def test_a_suspension_lasts_once_a_second_person_has_confirmed_it() -> None:
    """Somebody else, in time, and once."""
    dossier = review.suspend(approved(), ADMIN, Ground.IMI_ALERT, NOW).dossier

    with pytest.raises(SamePerson):
        review.confirm(dossier, replace(ADMIN, roles=ADMIN.roles | RITA.roles), NOW)
    with pytest.raises(NoSuchMove):
        review.confirm(dossier, RITA, NOW + 72 * HOUR)
    for by in (*OTHERS, *NEAR):
        with pytest.raises((NotYours, InConflict)):
            review.confirm(dossier, by, NOW)
    for by in (RITA, OTHER_ADMIN):
        confirmed = review.confirm(dossier, by, NOW + HOUR).dossier
        assert confirmed.emergency is not None
        assert confirmed.emergency.confirmed
        with pytest.raises(NoSuchMove):
            review.confirm(confirmed, RENE, NOW + HOUR)


def test_one_administrator_does_not_suspend_for_ever() -> None:
    """Not again within 30 days of a suspension nobody confirmed; another administrator may."""
    suspended = review.suspend(approved(), ADMIN, Ground.MISCONDUCT, NOW).dossier
    back = review.timing.tick(suspended, NOW + 72 * HOUR).dossier

    assert State.APPROVED == back.state
    with pytest.raises(SamePerson):
        review.suspend(back, ADMIN, Ground.MISCONDUCT, NOW + 73 * HOUR)
    later = NOW + 72 * HOUR + 30 * DAY
    assert State.SUSPENDED == review.suspend(back, ADMIN, Ground.MISCONDUCT, later).dossier.state
    assert State.SUSPENDED == review.suspend(back, OTHER_ADMIN, Ground.MISCONDUCT, NOW + 73 * HOUR).dossier.state


@pytest.mark.parametrize(("first", "second"), [(RITA, RENE), (ADMIN, RITA), (RITA, ADMIN)])
def test_two_people_lift_a_suspension(first: Actor, second: Actor) -> None:
    """The first proposes, the second does it: the bit is cleared and a credential issued anew."""
    suspended = review.suspend(approved(), OTHER_ADMIN, Ground.MISCONDUCT, NOW).dossier
    proposed = review.lift(suspended, first, Ground.CLEARED, NOW + HOUR)

    assert (State.SUSPENDED, 2) == (proposed.dossier.state, len(proposed.acts))

    outcome = review.lift(proposed.dossier, second, Ground.CLEARED, NOW + 2 * HOUR)

    assert State.APPROVED == outcome.dossier.state
    assert (SetBit(Purpose.SUSPENSION, False),) == outcome.having(SetBit)
    assert (Issue(), Push((Purpose.SUSPENSION,))) == (*outcome.having(Issue), *outcome.having(Push))
    assert [Notice.LIFTED] == told(outcome)
    assert NOW == outcome.dossier.approved_at


def test_a_suspension_that_outlasts_the_verification_ends_in_expiry() -> None:
    """No credential is issued to somebody who must be verified again first."""
    suspended = review.suspend(approved(), ADMIN, Ground.MISCONDUCT, NOW).dossier
    confirmed = review.confirm(suspended, RITA, NOW).dossier
    late = NOW + 3000 * DAY
    outcome = review.lift(review.lift(confirmed, RITA, Ground.CLEARED, late).dossier, RENE, Ground.CLEARED, late)

    assert State.EXPIRED == outcome.dossier.state
    assert () == outcome.having(Issue)
    assert (SetBit(Purpose.SUSPENSION, False),) == outcome.having(SetBit)
    assert [Notice.EXPIRED] == told(outcome)


# ── what takes two ──


@pytest.mark.parametrize("state", [State.APPROVED, State.REVERIFY_DUE, State.SUSPENDED])
def test_two_people_revoke(state: State) -> None:
    """Finally: bit, actor, siblings, sessions, and the evidence at once."""
    dossier = at_rest(state)
    at = dossier.changed_at
    proposed = review.revoke(dossier, ADMIN, Ground.STRUCK_OFF, at)
    outcome = review.revoke(proposed.dossier, RITA, Ground.STRUCK_OFF, at + HOUR)

    assert state == proposed.dossier.state
    assert (State.REVOKED, True) == (outcome.dossier.state, outcome.dossier.state in FINAL)
    assert (SetBit(Purpose.REVOCATION, True),) == outcome.having(SetBit)
    assert (EndSessions(),) == outcome.having(EndSessions)
    assert Schedule(thing=Thing.EVIDENCE, on=at + HOUR) in outcome.acts
    assert () == outcome.having(Issue)


def test_who_suspended_in_an_emergency_does_not_revoke_alone() -> None:
    """Neither by proposing and agreeing, nor with another administrator."""
    suspended = review.suspend(approved(), ADMIN, Ground.MISCONDUCT, NOW).dossier
    proposed = review.revoke(suspended, ADMIN, Ground.MISCONDUCT, NOW).dossier

    with pytest.raises(SamePerson):
        review.revoke(proposed, ADMIN, Ground.MISCONDUCT, NOW)
    with pytest.raises(SamePerson):
        review.revoke(proposed, replace(ADMIN, roles=ADMIN.roles | RITA.roles), Ground.MISCONDUCT, NOW)
    with pytest.raises(NotAgreed):
        review.revoke(proposed, OTHER_ADMIN, Ground.MISCONDUCT, NOW)
    assert State.REVOKED == review.revoke(proposed, RITA, Ground.MISCONDUCT, NOW).dossier.state


def test_two_mean_the_same() -> None:
    """Another reason is no agreement, and a proposal waits seven days."""
    proposed = review.revoke(approved(), RITA, Ground.STRUCK_OFF, NOW).dossier

    with pytest.raises(NotAgreed):
        review.revoke(proposed, RENE, Ground.MISCONDUCT, NOW)
    late = review.revoke(proposed, RENE, Ground.STRUCK_OFF, NOW + 7 * DAY + SECOND).dossier
    assert (State.APPROVED, [RENE.id]) == (late.state, [each.by for each in late.proposals])
    assert State.REVOKED == review.revoke(proposed, RENE, Ground.STRUCK_OFF, NOW + 7 * DAY).dossier.state


def test_a_proposal_can_be_corrected_by_who_made_it() -> None:
    """With another reason it takes the place of the first."""
    proposed = review.revoke(approved(), RITA, Ground.STRUCK_OFF, NOW).dossier
    corrected = review.revoke(proposed, RITA, Ground.FALSE_EVIDENCE, NOW).dossier

    assert [Ground.FALSE_EVIDENCE] == [each.ground for each in corrected.proposals]


@pytest.mark.parametrize("by", [*OTHERS, *NEAR])
def test_who_may_not_propose_does_not(by: Actor) -> None:
    """A proposal is half of the deed."""
    for refused in (
        lambda: review.revoke(approved(), by, Ground.STRUCK_OFF, NOW),
        lambda: review.lift(at_rest(State.SUSPENDED), by, Ground.CLEARED, NOW),
        lambda: review.report_death(approved(), by, NOW),
    ):
        with pytest.raises((NotYours, InConflict)):
            refused()


def test_a_death_is_reported_by_two_reviewers() -> None:
    """An administrator is none; nobody is written to."""
    with pytest.raises(NotYours):
        review.report_death(approved(), ADMIN, NOW)
    proposed = review.report_death(approved(), RITA, NOW).dossier
    with pytest.raises(NotYours):
        review.report_death(proposed, ADMIN, NOW)
    outcome = review.report_death(proposed, RENE, NOW)

    assert State.DECEASED == outcome.dossier.state
    assert [] == told(outcome)
    assert (SetBit(Purpose.REVOCATION, True),) == outcome.having(SetBit)


# ── whom one person chose ──


def test_two_of_one_chain_of_appointments_do_not_decide_together():
    """Nor confirm a suspension, nor propose and agree; whoever is of another chain does."""
    first = review.vote(at_rest(State.IN_REVIEW), RITA, YES, Ground.EVIDENCE_HOLDS, NOW).dossier
    near, free = replace(RENE, near=frozenset({RITA.id})), replace(RENE, near=frozenset({REMY.id}))

    with pytest.raises(SameInviter):
        review.vote(first, near, YES, Ground.EVIDENCE_HOLDS, NOW)
    assert State.APPROVED is review.vote(first, free, YES, Ground.EVIDENCE_HOLDS, NOW).dossier.state
    suspended = review.suspend(approved(), ADMIN, Ground.MISCONDUCT, NOW).dossier
    proposed = review.revoke(suspended, RITA, Ground.FALSE_EVIDENCE, NOW).dossier
    with pytest.raises(SameInviter):
        review.confirm(suspended, replace(RENE, near=frozenset({ADMIN.id})), NOW)
    with pytest.raises(SameInviter):
        review.revoke(proposed, near, Ground.FALSE_EVIDENCE, NOW)
    assert review.confirm(suspended, free, NOW).dossier.emergency.confirmed
    assert State.REVOKED is review.revoke(proposed, free, Ground.FALSE_EVIDENCE, NOW).dossier.state

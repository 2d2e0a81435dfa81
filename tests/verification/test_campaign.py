"""Campaigns: a cohort by rule, started by two, without a change abroad until the deadline."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.verification.dossiers import (
    ADMIN,
    APPLICANT,
    DAY,
    E2,
    E3,
    LEA,
    LEO,
    NOW,
    OTHERS,
    REMY,
    RENE,
    RITA,
    SECOND,
    approved,
    at_rest,
)  # fmt: skip
from verification import annexes
from verification.acts import Issue, Notify, Stop
from verification.campaign import Campaign, Cohort, Numbers, enrol, numbers, propose, start
from verification.dossier import Dossier, EvidenceClass, EvidenceKind
from verification.errors import BadGround, NoSuchMove, NotYours, SamePerson, TooLate
from verification.grounds import Ground
from verification.moves import AnnexKind, Choice, State
from verification.people import StaffRole
from verification.timing import tick

BY_RITA = Cohort(reviewers=frozenset({RITA.id}))
DOUBT = Ground.REVIEWER_IN_DOUBT


def running(cohort: Cohort = BY_RITA, within: timedelta = 30 * DAY) -> Campaign:
    """A campaign that two have started."""
    return start(propose("c-1", cohort, DOUBT, LEA, NOW, within=within), REMY, NOW)


def test_two_people_start_a_campaign() -> None:
    """A lead proposes, another reviewer starts; before that nobody is enrolled."""
    proposed = propose("c-1", BY_RITA, DOUBT, LEA, NOW)

    assert proposed.deadline is None
    with pytest.raises(NoSuchMove):
        enrol(proposed, approved(), NOW)
    assert NOW + 30 * DAY == start(proposed, REMY, NOW).deadline


def test_one_person_does_not() -> None:
    """Not the proposer again, not other roles, not whose decisions are in question; and not twice."""
    proposed = propose("c-1", BY_RITA, DOUBT, LEA, NOW)

    with pytest.raises(SamePerson):
        start(proposed, LEA, NOW)
    with pytest.raises(NotYours):
        start(proposed, RITA, NOW)
    for by in (ADMIN, APPLICANT, *OTHERS[:4]):
        with pytest.raises(NotYours):
            start(proposed, by, NOW)
        with pytest.raises(NotYours):
            propose("c-1", BY_RITA, DOUBT, by, NOW)
    with pytest.raises(NotYours):
        propose("c-1", BY_RITA, DOUBT, RENE, NOW)
    with pytest.raises(NotYours):
        propose("c-1", BY_RITA, DOUBT, replace(RITA, roles=frozenset({StaffRole.LEAD})), NOW)
    with pytest.raises(NoSuchMove):
        start(running(), LEO, NOW)
    with pytest.raises(NoSuchMove):
        start(proposed, REMY, NOW + 7 * DAY + SECOND)


@pytest.mark.parametrize("within", [timedelta(0), 7 * DAY - SECOND, 60 * DAY + SECOND])
def test_a_campaign_has_a_cohort_a_reason_and_time(within: timedelta) -> None:
    """Nobody is a cohort when nothing is named; a doubt is coded; people get a week at least."""
    with pytest.raises(NoSuchMove):
        propose("c-1", BY_RITA, DOUBT, LEA, NOW, within=within)
    with pytest.raises(NoSuchMove):
        propose("c-1", Cohort(), DOUBT, LEA, NOW)
    with pytest.raises(BadGround):
        propose("c-1", BY_RITA, Ground.OWN_WISH, LEA, NOW)


@pytest.mark.parametrize(
    ("cohort", "holds"),
    [
        (Cohort(), False),
        (Cohort(reviewers=frozenset({RITA.id})), True), (Cohort(reviewers=frozenset({REMY.id})), False),
        (Cohort(since=NOW), True), (Cohort(since=NOW + SECOND), False),
        (Cohort(before=NOW + SECOND), True), (Cohort(before=NOW), False),
        (Cohort(ranks=frozenset({EvidenceClass.E2})), True), (Cohort(ranks=frozenset({EvidenceClass.E4})), False),
        (Cohort(kinds=frozenset({EvidenceKind.DIPLOMA})), True),
        (Cohort(kinds=frozenset({EvidenceKind.STUDENT_CARD})), False),
        (Cohort(ranks=frozenset({EvidenceClass.E2}), kinds=frozenset({EvidenceKind.DIPLOMA})), False),
        (Cohort(ranks=frozenset({EvidenceClass.E3}), kinds=frozenset({EvidenceKind.DIPLOMA}), since=NOW), True),
        (Cohort(reviewers=frozenset({RITA.id}), before=NOW), False),
    ],
)  # fmt: skip
def test_a_cohort_is_a_rule(cohort: Cohort, holds: bool) -> None:
    """Every condition that is named holds, class and kind of one and the same document."""
    assert holds is cohort.holds(approved(evidence=(E2, E3)))


@pytest.mark.parametrize("state", [state for state in State if state not in (State.APPROVED, State.REVERIFY_DUE)])
def test_only_the_verified_are_looked_at_again(state: State) -> None:
    """Whoever is in review is being looked at."""
    with pytest.raises(NoSuchMove):
        enrol(running(), at_rest(state, votes=approved().votes), NOW)


def test_a_member_is_due_by_the_deadline() -> None:
    """A credential that ends then is issued; the mark stays until it has passed, and is gone a second later."""
    outcome = enrol(running(), approved(reverify_on=NOW + 700 * DAY), NOW)
    dossier = outcome.dossier

    assert (State.REVERIFY_DUE, NOW + 30 * DAY) == (dossier.state, dossier.reverify_on)
    assert (Issue(),) == outcome.having(Issue)
    assert () == outcome.having(Stop)
    assert [(DOUBT,)] == [act.grounds for act in outcome.having(Notify)]  # type: ignore[union-attr]
    assert State.REVERIFY_DUE == tick(dossier, NOW + 30 * DAY - SECOND).dossier.state
    assert State.EXPIRED == tick(dossier, NOW + 30 * DAY).dossier.state
    with pytest.raises(NoSuchMove):
        enrol(running(), dossier, NOW)


def test_a_member_is_reminded_of_what_lies_ahead_alone() -> None:
    """With 20 days left there is no reminder of 30."""
    member = enrol(running(within=20 * DAY), approved(), NOW).dossier

    assert () == tick(member, NOW + DAY).having(Notify)
    assert 1 == len(tick(member, NOW + 13 * DAY).having(Notify))


def test_nobody_is_enrolled_after_the_deadline() -> None:
    """Nor when the own verification has run out already: there would be no time left."""
    with pytest.raises(TooLate):
        enrol(running(), approved(), NOW + 30 * DAY)
    with pytest.raises(TooLate):
        enrol(running(), approved(reverify_on=NOW), NOW)


@pytest.mark.parametrize("days", [7, 30, 60])
def test_nobody_gets_longer_by_a_campaign(days: int) -> None:
    """The earlier of the two days counts."""
    soon = replace(at_rest(State.REVERIFY_DUE, votes=approved().votes), changed_at=NOW, reverify_on=NOW + 20 * DAY)

    assert NOW + min(days, 20) * DAY == enrol(running(within=days * DAY), soon, NOW).dossier.reverify_on


def renewed(dossier: Dossier) -> Dossier:
    """Verified again by two."""
    annex = annexes.new("a-1", AnnexKind.RENEWAL, (E2,), NOW + DAY)
    dossier = annexes.hand_in(dossier, APPLICANT, annex, NOW + DAY).dossier
    dossier = annexes.take(dossier, RENE, "a-1", NOW + DAY).dossier
    for by in (RENE, REMY):
        dossier = annexes.vote(dossier, by, "a-1", Choice.APPROVE, Ground.EVIDENCE_HOLDS, NOW + DAY).dossier
    return dossier


def test_the_numbers_are_right() -> None:
    """Done, open, failed; whoever was not enrolled is not counted."""
    campaign = running()
    member = enrol(campaign, approved(), NOW).dossier
    late = tick(member, NOW + 30 * DAY).dossier

    assert Numbers(done=1, open=2, failed=1) == numbers(campaign, [member, member, renewed(member), late, approved()])
    assert State.APPROVED == renewed(member).state
    assert Numbers() == numbers(propose("c-1", BY_RITA, DOUBT, LEA, NOW), [member])

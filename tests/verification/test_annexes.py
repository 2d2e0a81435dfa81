"""Renewals, certificates and names: reviewed beside a dossier that keeps its state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.verification.dossiers import (
    ADMIN,
    APPLICANT,
    DAY,
    E1,
    E2,
    E3,
    E4,
    HOLDS,
    HOUR,
    LEA,
    NEAR,
    NO,
    NOW,
    OTHERS,
    REMY,
    RENE,
    RITA,
    UNREADABLE,
    YES,
    approved,
    at_rest,
)  # fmt: skip
from verification import annexes
from verification.acts import Issue, Notice, Notify, Outcome, Push, Schedule
from verification.dossier import Dossier, Evidence, Role
from verification.errors import (
    BadGround,
    BadTerms,
    InConflict,
    NoEvidence,
    NoSuchMove,
    NotYours,
    OpenHit,
    SamePerson,
    TooLate,
    Unmoved,
)  # fmt: skip
from verification.grounds import Ground
from verification.moves import AnnexKind, AnnexState, Choice, State
from verification.people import SYSTEM, Actor
from verification.terms import Shown, weaker

LICENCE = replace(E3, matched=True)
END = NOW + 730 * DAY
DUE = at_rest(State.REVERIFY_DUE)
AT = DUE.changed_at + DAY


def found(dossier: Dossier) -> Shown:
    """What was found in its annex, for a day."""
    return Shown(evidence=dossier.annexes[0].evidence, until=NOW + DAY)


def handed_in(dossier: Dossier, kind: AnnexKind, *evidence: Evidence, **days: Any) -> Dossier:
    """A dossier with an annex that a reviewer has taken."""
    at = max(dossier.changed_at, NOW)
    annex = annexes.new("a-1", kind, evidence, at, **days)
    return annexes.take(annexes.hand_in(dossier, APPLICANT, annex, at).dossier, RITA, "a-1", at).dossier


def by_two(dossier: Dossier, choice: Choice, ground: Ground, at: Any = None) -> Outcome:
    """Both say the same."""
    at = at or max(dossier.changed_at, NOW)
    first = annexes.vote(dossier, RITA, "a-1", choice, ground, at).dossier
    return annexes.vote(first, RENE, "a-1", choice, ground, at)


# ── renewals ──


@pytest.mark.parametrize("dossier", [approved(), DUE], ids=["before it is due", "when it is due"])
def test_a_renewal_verifies_for_another_period(dossier: Dossier) -> None:
    """The dossier keeps its state until then; the credential is issued anew, and the evidence has its own end."""
    taken = handed_in(dossier, AnnexKind.RENEWAL, E2)

    assert dossier.state == taken.state

    outcome = by_two(taken, YES, HOLDS, AT)

    assert (State.APPROVED, AT, AT.replace(year=AT.year + 2)) == (
        outcome.dossier.state, outcome.dossier.verified_at, outcome.dossier.reverify_on,
    )  # fmt: skip
    assert [Issue(), Push()] == [act for act in outcome.acts if isinstance(act, Issue | Push)]
    assert [(AT + 30 * DAY, "a-1")] == [(act.on, act.annex) for act in outcome.having(Schedule)]  # type: ignore[union-attr]
    assert [Notice.RENEWED] == [act.notice for act in outcome.having(Notify)]  # type: ignore[union-attr]


def test_a_refused_renewal_changes_nothing_but_itself() -> None:
    """The doctor reads why, and goes on until the day."""
    outcome = by_two(handed_in(DUE, AnnexKind.RENEWAL, E2), NO, UNREADABLE)

    assert (State.REVERIFY_DUE, END) == (outcome.dossier.state, outcome.dossier.reverify_on)
    assert () == outcome.having(Issue)
    assert [AnnexState.REFUSED] == [each.state for each in outcome.dossier.annexes]
    assert [(UNREADABLE,)] == [act.grounds for act in outcome.having(Notify)]  # type: ignore[union-attr]


def test_a_resident_renews_with_a_new_end_of_training() -> None:
    """The day that was stated with the renewal counts."""
    resident = replace(DUE, role=Role.RESIDENT, training_ends=END)
    later = handed_in(resident, AnnexKind.RENEWAL, E3, training_ends=END + 100 * DAY)
    over = handed_in(resident, AnnexKind.RENEWAL, E3, training_ends=NOW)

    assert END + 100 * DAY == by_two(later, YES, HOLDS, END - DAY).dossier.reverify_on
    with pytest.raises(BadTerms):
        by_two(over, YES, HOLDS)


def test_the_days_of_the_countrys_profile_reach_the_dossier() -> None:
    """For a renewal and for a certificate."""
    for kind, role in ((AnnexKind.RENEWAL, Role.SPECIALIST), (AnnexKind.SPECIALIST, Role.GENERALIST)):
        taken = handed_in(approved(role=role), kind, E1)
        after = annexes.vote(taken, RITA, "a-1", YES, HOLDS, NOW, found=found(taken)).dossier
        assert NOW + DAY == after.reverify_on


def test_the_first_vote_leaves_an_annex_as_it_was_claimed() -> None:
    """What two found counts with the decision: the weaker class and the earlier day."""
    taken = handed_in(approved(role=Role.RESIDENT, training_ends=END), AnnexKind.RENEWAL, E3, training_ends=END)
    better = Shown(evidence=(replace(E3, rank=E2.rank, matched=True),), training_ends=END - 9 * DAY)
    weaker_one = Shown(evidence=(replace(E3, rank=E4.rank),), training_ends=END - 7 * DAY)

    first = annexes.vote(taken, RITA, "a-1", YES, HOLDS, NOW, found=better).dossier
    second = annexes.vote(first, RENE, "a-1", YES, HOLDS, NOW, found=weaker(better, weaker_one)).dossier

    assert ((E3,), END) == (first.annexes[0].evidence, first.annexes[0].training_ends)
    assert (replace(E3, rank=E4.rank),) == second.annexes[0].evidence
    assert END - 9 * DAY == second.training_ends


@pytest.mark.parametrize("state", [AnnexState.SUBMITTED, AnnexState.ACCEPTED, AnnexState.REFUSED])
def test_an_annex_is_looked_at_while_it_is_reviewed(state: AnnexState) -> None:
    """And by nobody who has voted on it."""
    taken = handed_in(approved(), AnnexKind.RENEWAL, E2)
    rested = replace(taken, annexes=(replace(taken.annexes[0], state=state),))
    voted_on = annexes.vote(taken, RITA, "a-1", YES, HOLDS, NOW).dossier

    assert None is annexes.require_looking(taken, RITA, "a-1", NOW)
    assert None is annexes.require_looking(voted_on, RENE, "a-1", NOW)
    for dossier, by in ((rested, RITA), (voted_on, RITA), (taken, OTHERS[0])):
        with pytest.raises(Unmoved):
            annexes.require_looking(dossier, by, "a-1", NOW)


# ── who decides ──


def test_one_is_enough_on_electronic_proof_or_for_a_certificate_the_register_knows() -> None:
    """And for nothing else."""
    for kind, evidence, alone in (
        (AnnexKind.RENEWAL, E1, True),
        (AnnexKind.RENEWAL, LICENCE, False),
        (AnnexKind.NAME, LICENCE, False),
        (AnnexKind.NAME, E1, True),
        (AnnexKind.SPECIALIST, LICENCE, True),
        (AnnexKind.SPECIALIST, E3, False),
    ):
        taken = handed_in(approved(role=Role.RESIDENT, training_ends=END), kind, evidence)
        after = annexes.vote(taken, RITA, "a-1", YES, HOLDS, NOW).dossier
        assert (AnnexState.ACCEPTED if alone else AnnexState.SECOND_REVIEW) == after.annexes[0].state


@pytest.mark.parametrize("evidence", [E1, LICENCE, E2])
def test_nobody_refuses_alone(evidence: Evidence) -> None:
    """A refusal takes two, whatever the evidence."""
    taken = handed_in(approved(role=Role.GENERALIST), AnnexKind.SPECIALIST, evidence)

    assert AnnexState.SECOND_REVIEW == annexes.vote(taken, RITA, "a-1", NO, UNREADABLE, NOW).dossier.annexes[0].state


@pytest.mark.parametrize("by", [*OTHERS, ADMIN, *NEAR, APPLICANT, SYSTEM])
def test_who_does_not_review_dossiers_does_not_review_annexes(by: Actor) -> None:
    """Nobody of another role or country, nobody near, nobody for himself."""
    taken = handed_in(approved(), AnnexKind.NAME, E3)

    with pytest.raises((NotYours, InConflict)):
        annexes.vote(taken, by, "a-1", YES, HOLDS, NOW)
    assert () == annexes.visible_votes(taken, "a-1", by)
    fresh = annexes.hand_in(approved(), APPLICANT, annexes.new("a-2", AnnexKind.NAME, (E3,), NOW), NOW).dossier
    with pytest.raises((NotYours, InConflict)):
        annexes.take(fresh, by, "a-2", NOW)


def test_two_are_two_and_the_second_is_blind() -> None:
    """As with an application."""
    first = annexes.vote(handed_in(approved(), AnnexKind.NAME, E3), RITA, "a-1", YES, HOLDS, NOW).dossier

    with pytest.raises(SamePerson):
        annexes.vote(first, RITA, "a-1", YES, HOLDS, NOW)
    assert () == annexes.visible_votes(first, "a-1", RENE)
    assert 1 == len(annexes.visible_votes(first, "a-1", RITA))


def test_the_lead_decides_where_two_disagree() -> None:
    """A third reviewer does not, and the annex waits."""
    first = annexes.vote(handed_in(approved(), AnnexKind.NAME, E3), RITA, "a-1", YES, HOLDS, NOW).dossier
    split = annexes.vote(first, RENE, "a-1", NO, UNREADABLE, NOW)

    assert AnnexState.SECOND_REVIEW == split.dossier.annexes[0].state
    assert [Notice.DISAGREEMENT] == [act.notice for act in split.having(Notify)]  # type: ignore[union-attr]
    with pytest.raises(NotYours):
        annexes.vote(split.dossier, REMY, "a-1", YES, HOLDS, NOW)
    for choice, ground, state in ((YES, HOLDS, AnnexState.ACCEPTED), (NO, UNREADABLE, AnnexState.REFUSED)):
        assert state == annexes.vote(split.dossier, LEA, "a-1", choice, ground, NOW).dossier.annexes[0].state


def test_a_vote_takes_a_reason_of_its_kind() -> None:
    """No approval for a shortcoming."""
    with pytest.raises(BadGround):
        annexes.vote(handed_in(approved(), AnnexKind.NAME, E3), RITA, "a-1", YES, UNREADABLE, NOW)


# ── certificates and names ──


def test_a_resident_becomes_a_specialist() -> None:
    """By a new credential in the place of the old one, with a specialist's time."""
    resident = approved(role=Role.RESIDENT, training_ends=END)
    outcome = annexes.vote(handed_in(resident, AnnexKind.SPECIALIST, E2), RITA, "a-1", YES, HOLDS, NOW)
    outcome = annexes.vote(outcome.dossier, RENE, "a-1", YES, HOLDS, NOW) if not outcome.having(Issue) else outcome

    assert (Role.SPECIALIST, NOW.replace(year=NOW.year + 2)) == (outcome.dossier.role, outcome.dossier.reverify_on)
    assert (Issue(),) == outcome.having(Issue)


def test_a_specialist_adds_a_further_specialty() -> None:
    """By its name: a new credential, and the day on which everything is looked at again does not move."""
    before = approved()
    further = annexes.new("a-1", AnnexKind.SPECIALIST, (E3,), NOW, specialty="geriatrics")
    handed = annexes.hand_in(before, APPLICANT, further, NOW).dossier
    outcome = by_two(annexes.take(handed, RITA, "a-1", NOW).dossier, YES, HOLDS)

    assert (Role.SPECIALIST, before.reverify_on, before.verified_at) == (
        outcome.dossier.role, outcome.dossier.reverify_on, outcome.dossier.verified_at,
    )  # fmt: skip
    assert "geriatrics" == outcome.dossier.annexes[0].specialty
    assert (Issue(),) == outcome.having(Issue)


def test_whoever_has_retired_becomes_no_specialist() -> None:
    """With a named specialty or without: working again is no annex. A new name is."""
    retired = approved(role=Role.RETIRED)

    for specialty in ("", "geriatrics"):
        with pytest.raises(NoSuchMove):
            annexes.hand_in(
                retired, APPLICANT, annexes.new("a-1", AnnexKind.SPECIALIST, (E3,), NOW, specialty=specialty), NOW
            )
    assert annexes.hand_in(retired, APPLICANT, annexes.new("a-1", AnnexKind.NAME, (E3,), NOW), NOW).acts


def test_a_certificate_does_not_put_off_a_verification_that_is_due() -> None:
    """The role is new, the day is not."""
    outcome = by_two(handed_in(replace(DUE, role=Role.RESIDENT), AnnexKind.SPECIALIST, E3), YES, HOLDS)

    assert (State.REVERIFY_DUE, Role.SPECIALIST, END) == (
        outcome.dossier.state, outcome.dossier.role, outcome.dossier.reverify_on,
    )  # fmt: skip


def test_a_new_name_is_a_new_credential() -> None:
    """And nothing else changes."""
    before = approved()
    outcome = by_two(handed_in(before, AnnexKind.NAME, E3), YES, HOLDS)

    assert (Issue(),) == outcome.having(Issue)
    assert replace(before, annexes=outcome.dossier.annexes) == outcome.dossier


# ── what is no annex ──


@pytest.mark.parametrize("state", [state for state in State if state not in (State.APPROVED, State.REVERIFY_DUE)])
def test_there_is_something_to_add_to(state: State) -> None:
    """Whoever is not verified, or is suspended, applies or waits."""
    with pytest.raises(NoSuchMove):
        annexes.hand_in(at_rest(state), APPLICANT, annexes.new("a-1", AnnexKind.RENEWAL, (E2,), NOW), NOW)


@pytest.mark.parametrize(
    ("kind", "evidence"), [(AnnexKind.RENEWAL, ()), (AnnexKind.NAME, (E4,)), (AnnexKind.SPECIALIST, (E4,))]
)
def test_an_annex_shows_something_that_counts(kind: AnnexKind, evidence: tuple[Evidence, ...]) -> None:
    """A card makes no specialist and no new name."""
    with pytest.raises(NoEvidence):
        annexes.hand_in(approved(role=Role.RESIDENT), APPLICANT, annexes.new("a-1", kind, evidence, NOW), NOW)


def test_one_of_a_kind_is_open_at_a_time() -> None:
    """A specialist needs no certificate, and another's dossier takes none."""
    taken = handed_in(approved(), AnnexKind.RENEWAL, E2)

    with pytest.raises(NoSuchMove):
        annexes.hand_in(taken, APPLICANT, annexes.new("a-2", AnnexKind.RENEWAL, (E2,), NOW), NOW)
    with pytest.raises(NoSuchMove):
        annexes.hand_in(approved(), APPLICANT, annexes.new("a-2", AnnexKind.SPECIALIST, (E2,), NOW), NOW)
    with pytest.raises(NotYours):
        annexes.hand_in(approved(), RITA, annexes.new("a-2", AnnexKind.RENEWAL, (E2,), NOW), NOW)
    assert 2 == len(
        annexes.hand_in(taken, APPLICANT, annexes.new("a-2", AnnexKind.NAME, (E3,), NOW), NOW).dossier.annexes
    )


def test_votes_that_came_with_an_annex_do_not_count() -> None:
    """What the applicant hands in is fresh, whatever it says of itself."""
    decided = by_two(handed_in(approved(), AnnexKind.NAME, E3), YES, HOLDS).dossier.annexes[0]
    handed = annexes.hand_in(approved(), APPLICANT, decided, NOW).dossier.annexes[0]

    assert (AnnexState.SUBMITTED, ()) == (handed.state, handed.votes)


def test_annexes_rest_while_a_doctor_is_suspended() -> None:
    """Nobody decides on them, and they are still there afterwards."""
    taken = replace(handed_in(approved(), AnnexKind.NAME, E3), state=State.SUSPENDED)

    with pytest.raises(NoSuchMove):
        annexes.vote(taken, RITA, "a-1", YES, HOLDS, NOW)


def test_after_the_day_no_annex_is_decided() -> None:
    """Also where nobody has marked the dossier as expired yet: the calendar comes first."""
    taken = handed_in(DUE, AnnexKind.RENEWAL, E2)

    with pytest.raises(TooLate):
        annexes.vote(taken, RITA, "a-1", YES, HOLDS, END)
    first = annexes.vote(taken, RITA, "a-1", YES, HOLDS, END - DAY).dossier
    with pytest.raises(TooLate):
        annexes.vote(first, RENE, "a-1", NO, UNREADABLE, END)
    with pytest.raises(TooLate):
        annexes.hand_in(DUE, APPLICANT, annexes.new("a-2", AnnexKind.NAME, (E3,), END), END)


def test_an_annex_can_be_taken_back() -> None:
    """By the applicant, before it is decided."""
    taken = handed_in(approved(), AnnexKind.NAME, E3)
    back = annexes.take_back(taken, APPLICANT, "a-1", NOW + HOUR).dossier

    assert AnnexState.REFUSED == back.annexes[0].state
    with pytest.raises(NoSuchMove):
        annexes.take_back(back, APPLICANT, "a-1", NOW + HOUR)
    with pytest.raises(Unmoved):
        annexes.take_back(taken, RITA, "a-1", NOW + HOUR)
    with pytest.raises(NoSuchMove):
        annexes.take_back(taken, APPLICANT, "a-9", NOW + HOUR)


# ── somebody who may be the same person ──


@pytest.mark.parametrize(
    ("kind", "evidence"), [(AnnexKind.RENEWAL, E1), (AnnexKind.SPECIALIST, LICENCE)], ids=["electronic", "delta"]
)
def test_with_an_open_hit_nobody_accepts_alone(kind: AnnexKind, evidence: Evidence) -> None:
    """Without one, one reviewer is enough for this; with one, two are, and each says what was made of it."""
    dossier = handed_in(approved(role=Role.GENERALIST), kind, evidence)
    hit = replace(dossier, open_hit=True)
    explained = {"hit": Ground.NOT_THE_SAME}
    alone = annexes.vote(dossier, RITA, "a-1", YES, HOLDS, NOW).dossier
    first = annexes.vote(hit, RITA, "a-1", YES, HOLDS, NOW, **explained).dossier
    second = annexes.vote(first, RENE, "a-1", YES, HOLDS, NOW, **explained).dossier

    assert [AnnexState.ACCEPTED, AnnexState.SECOND_REVIEW, AnnexState.ACCEPTED] == [
        each.annexes[0].state for each in (alone, first, second)
    ]
    for before, by in ((hit, RITA), (first, RENE)):
        with pytest.raises(OpenHit):
            annexes.vote(before, by, "a-1", YES, HOLDS, NOW)
        with pytest.raises(BadGround):
            annexes.vote(before, by, "a-1", YES, HOLDS, NOW, hit=UNREADABLE)


def test_a_hit_after_the_first_vote_is_not_passed_over() -> None:
    """The first has said nothing of it: the second cannot accept, and can refuse."""
    first = annexes.vote(handed_in(approved(), AnnexKind.RENEWAL, E2), RITA, "a-1", YES, HOLDS, NOW).dossier
    found = replace(first, open_hit=True)

    with pytest.raises(OpenHit):
        annexes.vote(found, RENE, "a-1", YES, HOLDS, NOW, hit=Ground.NOT_THE_SAME)
    refused = annexes.vote(found, RENE, "a-1", NO, UNREADABLE, NOW).dossier
    assert AnnexState.SECOND_REVIEW is refused.annexes[0].state

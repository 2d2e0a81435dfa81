"""What a decision rests on: own findings, whoever was heard, who may decide again, open a dossier, and leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.verification.dossiers import (
    ADMIN,
    APPLICANT,
    DAY,
    DRAFT,
    E2,
    E3,
    GERMAN,
    HOLDS,
    LEA,
    NEAR,
    NO,
    NOW,
    REMY,
    RENE,
    RITA,
    UNREADABLE,
    YES,
    at_rest,
    in_second_review,
    staff,
    told,
    voted,
)  # fmt: skip
from verification import review, terms
from verification.acts import Notice, Whom
from verification.dossier import Annex, Dossier, Proposal, Role
from verification.errors import (
    DecidedBefore,
    LeaveInstead,
    LeavingHeld,
    NoSuchMove,
    NotAgreed,
    NothingNew,
    NotYours,
    SamePerson,
)  # fmt: skip
from verification.grounds import CORRECTED, SHORTCOMINGS, Ground
from verification.moves import AnnexKind, AnnexState, Choice, State
from verification.people import StaffRole
from verification.terms import Shown

# ── what a vote rests on ──


def test_what_was_found_counts_with_the_decision_and_not_before() -> None:
    """A first vote leaves classes and days as the applicant claims them."""
    claimed = at_rest(State.IN_REVIEW, evidence=(E3,), training_ends=NOW + 90 * DAY, role=Role.RESIDENT)
    best = Shown(evidence=(replace(E3, rank=E2.rank, matched=True),), training_ends=NOW + 50 * DAY, followed=True)
    other = Shown(evidence=(replace(E3, rank=E3.rank),), training_ends=NOW + 70 * DAY, until=NOW + 60 * DAY)

    first = review.vote(claimed, RITA, YES, HOLDS, NOW, found=best).dossier
    after = review.vote(first, RENE, YES, HOLDS, NOW, found=terms.weaker(best, other)).dossier

    assert (claimed.evidence, claimed.training_ends, False) == (first.evidence, first.training_ends, first.followed)
    assert ((E3,), NOW + 50 * DAY, False) == (after.evidence, after.training_ends, after.followed)
    assert NOW + 50 * DAY == after.reverify_on


def test_the_weaker_of_two_is_the_same_whoever_voted_first() -> None:
    """A piece that one of them did not look at counts little."""
    one = Shown(evidence=(E2, E3), training_ends=NOW, until=NOW + DAY)
    other = Shown(evidence=(replace(E2, rank=E3.rank),), year_ends=NOW, followed=True)
    wanted = {"e-0002": "E3", "e-0003": "E4"}

    assert wanted == {each.id: each.rank for each in terms.weaker(one, other).evidence}
    assert (NOW, NOW, NOW + DAY, False) == (
        terms.weaker(one, other).training_ends, terms.weaker(one, other).year_ends,
        terms.weaker(one, other).until, terms.weaker(one, other).followed,
    )  # fmt: skip
    assert one == terms.weaker(one)


@pytest.mark.parametrize("state", [state for state in State if state not in (State.IN_REVIEW, State.SECOND_REVIEW)])
def test_what_was_found_can_be_changed_in_review_alone(state: State) -> None:
    """And not after the own vote of this round."""
    for dossier, by in ((at_rest(state), RITA), (in_second_review(), RITA), (at_rest(State.IN_REVIEW), GERMAN)):
        with pytest.raises((NoSuchMove, SamePerson, NotYours)):
            review.require_looking(dossier, by)
    assert None is review.require_looking(at_rest(State.IN_REVIEW), RITA)
    assert None is review.require_looking(in_second_review(), RENE)


# ── a question after a vote ──


def asked_after(choice: Choice) -> Dossier:
    """Rita has voted, René has asked, and the applicant has given something new."""
    asked = review.ask(in_second_review(choice), RENE, Ground.INCOMPLETE, NOW).dossier
    given = review.answer(asked, APPLICANT, (replace(E3, at=NOW),), NOW).dossier
    return review.take(given, RENE, NOW).dossier


def test_two_do_not_approve_over_a_vote_to_reject_that_a_question_set_aside() -> None:
    """Whoever cast it, or a lead, is heard first: leads are told when the answer comes, and once more then."""
    asked = review.ask(in_second_review(NO), RENE, Ground.INCOMPLETE, NOW).dossier
    given = review.answer(asked, APPLICANT, (E3,), NOW)
    both = review.vote(review.vote(asked_after(NO), RENE, YES, HOLDS, NOW).dossier, REMY, YES, HOLDS, NOW)

    assert [Notice.SET_ASIDE] == told(given, Whom.LEADS)
    assert (State.SECOND_REVIEW, [Notice.DISAGREEMENT]) == (both.dossier.state, told(both, Whom.LEADS))
    assert State.APPROVED == review.vote(both.dossier, RITA, YES, HOLDS, NOW).dossier.state
    assert State.APPROVED == review.vote(both.dossier, LEA, YES, HOLDS, NOW).dossier.state
    assert State.SECOND_REVIEW == review.vote(both.dossier, RITA, NO, UNREADABLE, NOW).dossier.state
    with pytest.raises(NotYours):
        review.vote(both.dossier, staff(30, StaffRole.REVIEWER), YES, HOLDS, NOW)
    with pytest.raises(NotAgreed):
        both.dossier.move(State.APPROVED, at=NOW, by=REMY, ground=HOLDS)


def test_a_question_after_a_vote_to_approve_leaves_two_to_decide() -> None:
    """And so does one whose author votes again, or a lead among the two."""
    approving = review.vote(review.vote(asked_after(YES), RENE, YES, HOLDS, NOW).dossier, REMY, YES, HOLDS, NOW)
    again = review.vote(review.vote(asked_after(NO), RITA, YES, HOLDS, NOW).dossier, REMY, YES, HOLDS, NOW)
    with_lead = review.vote(review.vote(asked_after(NO), LEA, YES, HOLDS, NOW).dossier, REMY, YES, HOLDS, NOW)
    against = review.vote(review.vote(asked_after(NO), RENE, NO, UNREADABLE, NOW).dossier, REMY, NO, UNREADABLE, NOW)

    assert [State.APPROVED] * 3 == [each.dossier.state for each in (approving, again, with_lead)]
    assert State.REJECTED == against.dossier.state


def test_whoever_votes_after_a_question_sees_the_vote_it_set_aside() -> None:
    """Once the own is cast, and not before."""
    turned = asked_after(NO)
    after = review.vote(turned, RENE, YES, HOLDS, NOW).dossier

    assert () == review.visible_votes(turned, RENE)
    assert [RITA.id, RENE.id] == [each.reviewer for each in review.visible_votes(after, RENE)]
    assert () == review.visible_votes(after, REMY)


@pytest.mark.parametrize("ground", sorted(SHORTCOMINGS))
def test_an_answer_brings_something_new_or_corrects_what_was_said(ground: Ground) -> None:
    """Nothing is an answer only to what saying it anew can mend."""
    asked = review.ask(at_rest(State.IN_REVIEW), RITA, ground, NOW).dossier

    assert State.SUBMITTED == review.answer(asked, APPLICANT, (E3,), NOW).dossier.state
    if ground in CORRECTED:
        assert State.SUBMITTED == review.answer(asked, APPLICANT, (), NOW).dossier.state
        return
    with pytest.raises(NothingNew):
        review.answer(asked, APPLICANT, (), NOW)


# ── who opens a dossier, and who has decided before ──


@pytest.mark.parametrize("state", list(State))
def test_a_dossier_is_open_while_there_is_something_to_do(state: State) -> None:
    """Afterwards to whoever voted on it and to leads; a draft and another country's to nobody."""
    dossier = at_rest(state)
    mine = replace(dossier, votes=(voted(RITA, YES, turn=dossier.round),))
    busy = state in (
        State.SUBMITTED, State.IN_REVIEW, State.SECOND_REVIEW, State.NEEDS_INFO, State.APPEALED, State.SUSPENDED,
    )  # fmt: skip

    assert busy is review.opens(dossier, RITA, NOW)
    assert (state is not State.DRAFT) is review.opens(mine, RITA, NOW)
    assert (state is not State.DRAFT) is review.opens(dossier, LEA, NOW)
    assert (state is not State.DRAFT) is review.opens(dossier, RITA, NOW, wanted=True)
    assert {False} == {review.opens(mine, by, NOW, wanted=True) for by in (GERMAN, ADMIN, APPLICANT, NEAR[1])}


def test_an_open_annex_or_proposal_opens_a_dossier() -> None:
    """Until it is decided, and for as long as somebody can agree."""
    annex = Annex(id="a-1", kind=AnnexKind.RENEWAL, state=AnnexState.SUBMITTED, evidence=(E2,), changed_at=NOW, submitted_at=NOW)  # fmt: skip
    proposal = Proposal(to=State.REVOKED, by=RENE.id, reviewer=True, ground=Ground.MISCONDUCT, at=NOW)
    dossier = at_rest(State.APPROVED)

    assert review.opens(replace(dossier, annexes=(annex,)), RITA, NOW)
    assert not review.opens(replace(dossier, annexes=(replace(annex, state=AnnexState.REFUSED),)), RITA, NOW)
    assert review.opens(replace(dossier, proposals=(proposal,)), RITA, NOW + 7 * DAY)
    assert not review.opens(replace(dossier, proposals=(proposal,)), RITA, NOW + 8 * DAY)


def test_whoever_decided_an_earlier_application_does_not_decide_the_next() -> None:
    """As in an appeal; once somebody else has approved, it is over."""
    again = at_rest(State.SUBMITTED, decided_before=frozenset({RITA.id}))

    assert () == review.queue((again,), RITA)
    with pytest.raises(DecidedBefore):
        review.take(again, RITA, NOW)
    taken = review.take(again, RENE, NOW).dossier
    with pytest.raises(DecidedBefore):
        review.vote(taken, RITA, YES, HOLDS, NOW)
    assert frozenset() == at_rest(State.APPROVED, decided_before=frozenset({RITA.id})).deciders()


# ── leaving ──


def test_the_death_of_a_draft_is_nobodys_to_report() -> None:
    """Nobody but the applicant knows of a draft."""
    with pytest.raises(NoSuchMove):
        review.report_death(DRAFT, RITA, NOW)
    assert State.SUBMITTED == review.report_death(at_rest(State.SUBMITTED), RITA, NOW).dossier.state


@pytest.mark.parametrize("state", [State.APPROVED, State.REVERIFY_DUE, State.EXPIRED, State.SUBMITTED])
def test_whoever_was_verified_takes_nothing_back_but_leaves(state: State) -> None:
    """Also with an application after the verification ran out; and nobody leaves who never was verified."""
    dossier = replace(at_rest(state), approved_at=NOW)
    never = replace(at_rest(State.SUBMITTED), approved_at=None)

    with pytest.raises(LeaveInstead):
        review.withdraw(dossier, APPLICANT, dossier.changed_at + DAY)
    with pytest.raises(NoSuchMove):
        review.leave(never, APPLICANT, NOW + DAY)
    with pytest.raises(NotYours):
        review.leave(dossier, RITA, dossier.changed_at + DAY)


def test_nobody_moves_abroad_while_a_revocation_is_proposed() -> None:
    """A week later the proposal has run out, and the way is free."""
    proposed = review.revoke(at_rest(State.APPROVED), RITA, Ground.STRUCK_OFF, NOW).dossier
    with pytest.raises(LeavingHeld):
        review.depart(proposed, NOW + DAY)

    assert State.MOVED == review.depart(proposed, NOW + 8 * DAY).dossier.state


def test_a_suspended_doctor_is_revoked_and_cannot_leave_before() -> None:
    """Whoever is suspended stays where the second person finds them."""
    suspended = review.confirm(at_rest(State.SUSPENDED), RITA, NOW).dossier
    proposed = review.revoke(suspended, RITA, Ground.MISCONDUCT, NOW).dossier

    for dossier in (suspended, proposed):
        with pytest.raises(LeavingHeld):
            review.leave(dossier, APPLICANT, NOW + DAY)
        with pytest.raises(LeavingHeld):
            review.depart(dossier, NOW + DAY)
    assert State.REVOKED == review.revoke(proposed, RENE, Ground.MISCONDUCT, NOW + DAY).dossier.state

"""Reviewing: who says what, who sees what, and what follows from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.verification.dossiers import (
    ADMIN,
    APPLICANT,
    DAY,
    DE,
    DRAFT,
    E1,
    E2,
    E3,
    GERMAN,
    HOLDS,
    HOUR,
    LEA,
    LEO,
    NEAR,
    NO,
    NOW,
    OTHERS,
    REMY,
    RENE,
    RITA,
    SECOND,
    UNREADABLE,
    YES,
    approved,
    at_rest,
    in_second_review,
    recorded,
    rejected,
    staff,
    told,
)  # fmt: skip
from verification import review
from verification.acts import EndSessions, Issue, Notice, Notify, Push, Schedule, SetBit, Whom
from verification.dossier import Role
from verification.errors import (
    BadGround,
    BadTerms,
    DecidedBefore,
    InConflict,
    NoEvidence,
    NoSuchMove,
    NotYours,
    OpenHit,
    SamePerson,
    TooLate,
)  # fmt: skip
from verification.grounds import SHORTCOMINGS, Ground
from verification.moves import FINAL, State
from verification.people import Actor, StaffRole
from verification.retention import Thing
from verification.statuslist import Purpose
from verification.terms import shown_in

# ── from the draft to the decision ──


def test_two_who_agree_approve() -> None:
    """The credential, the push, the date of destruction and the mail are one outcome."""
    outcome = review.submit(DRAFT, APPLICANT, NOW)
    outcome = review.take(outcome.dossier, RITA, NOW)
    outcome = review.vote(outcome.dossier, RITA, YES, HOLDS, NOW)

    assert State.SECOND_REVIEW == outcome.dossier.state
    assert [] == told(outcome)

    outcome = review.vote(outcome.dossier, RENE, YES, HOLDS, NOW + HOUR)

    assert (State.APPROVED, NOW + HOUR) == (outcome.dossier.state, outcome.dossier.verified_at)
    assert (Issue(), Push()) == (*outcome.having(Issue), *outcome.having(Push))
    assert [Notice.APPROVED] == told(outcome)
    assert (Schedule(thing=Thing.EVIDENCE, on=NOW + HOUR + 30 * DAY),) == outcome.having(Schedule)
    assert () == outcome.having(SetBit)
    assert [("vote.cast", "staff-2", None), ("dossier.approved", "staff-2", "evidence_holds")] == recorded(outcome)


def test_one_is_enough_on_electronic_proof() -> None:
    """The authority's own system is the other pair of eyes."""
    outcome = review.vote(at_rest(State.IN_REVIEW, evidence=(E1,)), RITA, YES, Ground.ELECTRONIC_PROOF, NOW)

    assert State.APPROVED == outcome.dossier.state


@pytest.mark.parametrize(
    "changes",
    [
        {"evidence": (E2, E3)},
        {"evidence": (replace(E1, automatic=False),)},
        {"evidence": (E1,), "open_hit": True},
    ],
    ids=["no E1", "E1 that a person read", "somebody who may be the same person"],
)
def test_otherwise_one_is_not_enough(changes: dict[str, object]) -> None:
    """Everything else goes on to a second reviewer, and no credential is issued."""
    outcome = review.vote(at_rest(State.IN_REVIEW, **changes), RITA, YES, HOLDS, NOW, hit=Ground.NOT_THE_SAME)

    assert State.SECOND_REVIEW == outcome.dossier.state
    assert () == outcome.having(Issue)


def test_one_never_rejects_alone() -> None:
    """Not even where everything was proved electronically."""
    outcome = review.vote(at_rest(State.IN_REVIEW, evidence=(E1,)), RITA, NO, UNREADABLE, NOW)

    assert State.SECOND_REVIEW == outcome.dossier.state


def test_two_who_agree_reject() -> None:
    """The applicant reads both reasons, may appeal, and nothing of the evidence is told."""
    outcome = review.vote(in_second_review(NO), RENE, NO, Ground.INCOMPLETE, NOW)
    mails = [act for act in outcome.acts if isinstance(act, Notify)]

    assert State.REJECTED == outcome.dossier.state
    assert [Notify(whom=Whom.APPLICANT, notice=Notice.REJECTED, grounds=(UNREADABLE, Ground.INCOMPLETE))] == mails
    assert () == (*outcome.having(Issue), *outcome.having(Push))


def test_the_same_person_does_not_vote_twice() -> None:
    """Not with the same word, not with another, not as lead."""
    for by in (RITA, replace(RITA, roles=frozenset({StaffRole.LEAD, StaffRole.REVIEWER}))):
        for choice, ground in ((YES, HOLDS), (NO, UNREADABLE)):
            with pytest.raises(SamePerson):
                review.vote(in_second_review(), by, choice, ground, NOW)


@pytest.mark.parametrize("by", [*OTHERS, ADMIN, *NEAR])
def test_who_must_not_vote_does_not(by: Actor) -> None:
    """Administrators, moderators, other countries' reviewers, the applicant and whoever is near."""
    with pytest.raises((NotYours, InConflict)):
        review.vote(at_rest(State.IN_REVIEW), by, YES, HOLDS, NOW)
    with pytest.raises((NotYours, InConflict)):
        review.take(at_rest(State.SUBMITTED), by, NOW)


@pytest.mark.parametrize("state", [state for state in State if state not in (State.IN_REVIEW, State.SECOND_REVIEW)])
def test_there_is_a_time_for_votes(state: State) -> None:
    """Before a dossier is taken and after it is decided nobody votes."""
    with pytest.raises(NoSuchMove):
        review.vote(at_rest(state), RITA, YES, HOLDS, NOW)


def test_a_vote_takes_a_reason_of_its_kind() -> None:
    """No approval for a shortcoming, no rejection for good evidence."""
    with pytest.raises(BadGround):
        review.vote(at_rest(State.IN_REVIEW), RITA, YES, UNREADABLE, NOW)
    with pytest.raises(BadGround):
        review.vote(at_rest(State.IN_REVIEW), RITA, NO, HOLDS, NOW)
    with pytest.raises(BadGround):
        review.vote(at_rest(State.IN_REVIEW, open_hit=True), RITA, YES, HOLDS, NOW, hit=Ground.OWN_WISH)


def test_somebody_known_already_is_explained_by_both() -> None:
    """Or is not approved; rejecting needs no explanation."""
    dossier = at_rest(State.IN_REVIEW, open_hit=True)
    first = review.vote(dossier, RITA, YES, HOLDS, NOW, hit=Ground.NOT_THE_SAME).dossier

    with pytest.raises(OpenHit):
        review.vote(dossier, RITA, YES, HOLDS, NOW)
    with pytest.raises(OpenHit):
        review.vote(first, RENE, YES, HOLDS, NOW)
    assert State.SECOND_REVIEW == review.vote(dossier, RITA, NO, UNREADABLE, NOW).dossier.state
    decided = review.vote(first, RENE, YES, HOLDS, NOW, hit=Ground.EARLIER_ACCOUNT_CLOSED).dossier
    assert (State.APPROVED, False) == (decided.state, decided.open_hit)


# ── who sees which vote ──


def test_the_second_reviewer_is_blind_to_the_first_vote() -> None:
    """Until the own vote is cast; the first always sees the own."""
    dossier = in_second_review()

    assert () == review.visible_votes(dossier, RENE)
    assert dossier.votes == review.visible_votes(dossier, RITA)

    after = review.vote(dossier, RENE, NO, UNREADABLE, NOW).dossier

    assert after.votes == review.visible_votes(after, RENE) == review.visible_votes(after, RITA)
    assert () == review.visible_votes(after, REMY)


def test_a_vote_of_an_earlier_round_is_hidden_too() -> None:
    """A question in between does not lift the blind."""
    asked = review.ask(in_second_review(), RENE, UNREADABLE, NOW).dossier
    again = review.take(review.answer(asked, APPLICANT, (E3,), NOW).dossier, RENE, NOW).dossier

    assert 2 == again.round
    assert () == review.visible_votes(again, RENE)
    assert State.SECOND_REVIEW == review.vote(again, RITA, YES, HOLDS, NOW).dossier.state


@pytest.mark.parametrize("by", [*OTHERS, ADMIN, *NEAR])
def test_votes_are_for_reviewers_alone(by: Actor) -> None:
    """Also after the decision."""
    assert () == review.visible_votes(approved(), by)
    assert 2 == len(review.visible_votes(approved(), REMY))


def test_the_record_does_not_tell_a_vote() -> None:
    """What it was stands in the vote, which is hidden while it must be."""
    outcome = review.vote(at_rest(State.IN_REVIEW), RITA, NO, UNREADABLE, NOW)

    assert [("vote.cast", "staff-1", None), ("dossier.second_review", "staff-1", "voted")] == recorded(outcome)


# ── disagreement ──


def test_the_lead_decides_between_two_who_disagree() -> None:
    """The leads are told; the lead's word is the third vote."""
    outcome = review.vote(in_second_review(YES), RENE, NO, UNREADABLE, NOW)

    assert State.SECOND_REVIEW == outcome.dossier.state
    assert [Notice.DISAGREEMENT] == told(outcome, Whom.LEADS)
    assert [] == told(outcome)
    assert State.APPROVED == review.decide(outcome.dossier, LEA, YES, HOLDS, NOW).dossier.state
    assert State.REJECTED == review.decide(outcome.dossier, LEA, NO, UNREADABLE, NOW).dossier.state


def test_nobody_else_decides_between_them() -> None:
    """Not a third reviewer, not a lead who is one of the two, not a lead where nobody disagrees."""
    split = review.vote(in_second_review(YES), RENE, NO, UNREADABLE, NOW).dossier
    by_lead = review.vote(in_second_review(YES), LEA, NO, UNREADABLE, NOW).dossier

    with pytest.raises(NotYours):
        review.vote(split, REMY, YES, HOLDS, NOW)
    with pytest.raises(NotYours):
        review.decide(split, REMY, YES, HOLDS, NOW)
    with pytest.raises(SamePerson):
        review.decide(by_lead, LEA, YES, HOLDS, NOW)
    with pytest.raises(NotYours):
        review.decide(in_second_review(), LEA, YES, HOLDS, NOW)
    assert State.APPROVED == review.decide(by_lead, LEO, YES, HOLDS, NOW).dossier.state


# ── questions ──


@pytest.mark.parametrize("ground", sorted(SHORTCOMINGS))
def test_a_question_is_one_of_the_fixed_reasons(ground: Ground) -> None:
    """The applicant is told which, and the dossier goes on where it was."""
    outcome = review.ask(at_rest(State.IN_REVIEW), RITA, ground, NOW)
    back = review.answer(outcome.dossier, APPLICANT, (E3,), NOW)

    assert (Notify(whom=Whom.APPLICANT, notice=Notice.MORE_NEEDED, grounds=(ground,)),) == outcome.having(Notify)
    assert (State.SUBMITTED, (E2, E3)) == (back.dossier.state, back.dossier.evidence)


def test_nothing_else_is_asked_or_answered() -> None:
    """No free reason, no answer without a question, no answer by somebody else."""
    with pytest.raises(BadGround):
        review.ask(at_rest(State.IN_REVIEW), RITA, Ground.STRUCK_OFF, NOW)
    with pytest.raises(NoSuchMove):
        review.answer(at_rest(State.SUBMITTED), APPLICANT, (E3,), NOW)
    with pytest.raises(NotYours):
        review.answer(at_rest(State.NEEDS_INFO), RITA, (E3,), NOW)


# ── rejection and appeal ──


def test_an_appeal_is_judged_by_two_others() -> None:
    """Who decided before neither takes it nor votes, nor sees it in the queue."""
    appealed = review.appeal(rejected(), APPLICANT, NOW + 30 * DAY)
    dossier = appealed.dossier

    assert (State.APPEALED, NOW + 30 * DAY) == (dossier.state, dossier.appealed_at)
    assert [Notice.APPEAL_RECEIVED] == told(appealed) == told(appealed, Whom.LEADS)
    for by in (RITA, RENE):
        assert () == review.queue((dossier,), by)
        with pytest.raises(DecidedBefore):
            review.take(dossier, by, NOW + 31 * DAY)
    taken = review.take(dossier, REMY, NOW + 31 * DAY).dossier
    first = review.vote(taken, REMY, YES, HOLDS, NOW + 31 * DAY).dossier
    with pytest.raises(DecidedBefore):
        review.vote(first, RITA, YES, HOLDS, NOW + 31 * DAY)
    decided = review.vote(first, LEA, YES, HOLDS, NOW + 32 * DAY).dossier
    assert (State.APPROVED, None) == (decided.state, decided.appealed_at)


def test_a_second_rejection_closes() -> None:
    """Both moves are recorded, and there is no third time."""
    dossier = review.appeal(rejected(), APPLICANT, NOW + DAY).dossier
    dossier = review.take(dossier, REMY, NOW + DAY).dossier
    dossier = review.vote(dossier, REMY, NO, UNREADABLE, NOW + DAY).dossier
    outcome = review.vote(dossier, LEA, NO, UNREADABLE, NOW + 2 * DAY)

    assert State.CLOSED == outcome.dossier.state
    assert ["vote.cast", "dossier.rejected", "dossier.closed"] == [act for act, _, _ in recorded(outcome)]
    assert [Notice.REJECTED_AGAIN] == told(outcome)
    with pytest.raises(NoSuchMove):
        review.appeal(outcome.dossier, APPLICANT, NOW + 2 * DAY)


def test_an_appeal_has_its_time() -> None:
    """Thirty days; and only the applicant appeals."""
    with pytest.raises(TooLate):
        review.appeal(rejected(), APPLICANT, NOW + 30 * DAY + SECOND)
    with pytest.raises(NotYours):
        review.appeal(rejected(), RITA, NOW)


# ── the queue ──


def test_the_queue_is_the_own_countrys_oldest_first() -> None:
    """And holds what can be taken, of nobody near."""
    young = at_rest(State.SUBMITTED, changed_at=NOW + DAY)
    old = at_rest(State.SUBMITTED)
    german = replace(old, country=DE)
    busy = [at_rest(state) for state in State if state not in (State.SUBMITTED, State.APPEALED)]

    assert (old, young) == review.queue((young, german, old, *busy), RITA)
    assert (german,) == review.queue((young, german, old), GERMAN)
    for by in (ADMIN, *NEAR, *(each for each in OTHERS if each is not GERMAN)):
        assert () == review.queue((young, german, old), by)


# ── leaving, moving, retiring ──


@pytest.mark.parametrize("state", [state for state in State if state not in FINAL | {State.SUSPENDED}])
def test_leaving_destroys_the_evidence_at_once(state: State) -> None:
    """And revokes what was ever issued; nothing is revoked for somebody who never was verified."""
    dossier = at_rest(state)
    goes = review.leave if dossier.approved_at else review.withdraw
    outcome = goes(dossier, APPLICANT, dossier.changed_at + DAY)

    assert State.WITHDRAWN == outcome.dossier.state
    assert Schedule(thing=Thing.EVIDENCE, on=dossier.changed_at + DAY) in outcome.acts
    assert bool(dossier.approved_at) == bool(outcome.having(SetBit))
    assert (EndSessions(),) == outcome.having(EndSessions)


def test_a_doctor_moves_when_the_new_home_has_taken_over() -> None:
    """Revoked with its own reason."""
    outcome = review.depart(approved(), NOW + DAY)

    assert [("dossier.moved", "system", "moved")] == recorded(outcome)
    assert (SetBit(Purpose.REVOCATION, True),) == outcome.having(SetBit)


def test_a_doctor_retires_by_the_own_wish() -> None:
    """Reading and commenting, for 36 months from the last look; the credential says so."""
    outcome = review.retire(approved(), APPLICANT, NOW + DAY)

    assert (Role.RETIRED, NOW.replace(year=2029)) == (outcome.dossier.role, outcome.dossier.reverify_on)
    assert (Issue(),) == outcome.having(Issue)
    with pytest.raises(NotYours):
        review.retire(approved(), RITA, NOW)


def test_nobody_retires_out_of_an_expiry() -> None:
    """Not even where nobody has marked it yet."""
    with pytest.raises(TooLate):
        review.retire(approved(), APPLICANT, NOW + 730 * DAY)
    with pytest.raises(NoSuchMove):
        review.retire(at_rest(State.EXPIRED), APPLICANT, NOW + 731 * DAY)


@pytest.mark.parametrize("role", [Role.STUDENT, Role.RESIDENT, Role.RETIRED])
def test_retiring_is_no_way_to_more(role: Role) -> None:
    """A student's card does not become 36 months of reading."""
    with pytest.raises(NoSuchMove):
        review.retire(approved(role=role), APPLICANT, NOW)


def test_retiring_does_not_put_off_a_verification_that_is_due() -> None:
    """The day stands."""
    due = at_rest(State.REVERIFY_DUE)

    assert due.reverify_on == review.retire(due, APPLICANT, due.changed_at).dossier.reverify_on


# ── renewing while expired ──


def test_an_expired_doctor_applies_anew() -> None:
    """The whole review again, blind again, with new evidence alone; then a credential."""
    expired = at_rest(State.EXPIRED, evidence=(E2,), votes=approved().votes)
    at = expired.changed_at + DAY
    outcome = review.renew_expired(expired, APPLICANT, (replace(E2, at=at),), at)

    assert State.SUBMITTED == outcome.dossier.state
    assert () == outcome.having(Issue)
    with pytest.raises(NoEvidence):
        review.renew_expired(expired, APPLICANT, (), at)
    with pytest.raises(NoEvidence):
        review.renew_expired(expired, APPLICANT, (E2,), at)
    with pytest.raises(NoSuchMove):
        review.renew_expired(approved(), APPLICANT, (replace(E2, at=at),), at)
    taken = review.take(outcome.dossier, RITA, at).dossier
    assert () == taken.votes_now()
    again = review.vote(review.vote(taken, RITA, YES, HOLDS, at).dossier, RENE, YES, HOLDS, at)
    assert (State.APPROVED, at) == (again.dossier.state, again.dossier.verified_at)
    assert (Issue(),) == again.having(Issue)


def test_nobody_is_approved_whose_time_is_over_or_unknown() -> None:
    """A resident states the end of the training, and it lies ahead."""
    for ends in (None, NOW):
        dossier = in_second_review(role=Role.RESIDENT, training_ends=ends)
        with pytest.raises(BadTerms):
            review.vote(dossier, RENE, YES, HOLDS, NOW)


def test_the_days_of_the_countrys_profile_reach_the_dossier() -> None:
    """By vote and by the lead's decision."""
    split = review.vote(in_second_review(), RENE, NO, UNREADABLE, NOW).dossier

    for decided in (
        review.vote(in_second_review(), RENE, YES, HOLDS, NOW, found=shown_in(in_second_review(), NOW + DAY)),
        review.decide(split, LEA, YES, HOLDS, NOW, found=shown_in(split, NOW + DAY)),
    ):
        assert NOW + DAY == decided.dossier.reverify_on


def test_a_reviewer_of_two_countries_judges_both() -> None:
    """And one of none judges nothing."""
    both = staff(30, StaffRole.REVIEWER, countries=frozenset({DRAFT.country, DE}))

    assert State.IN_REVIEW == review.take(at_rest(State.SUBMITTED, country=DE), both, NOW).dossier.state
    with pytest.raises(NotYours):
        review.take(at_rest(State.SUBMITTED), replace(both, countries=frozenset()), NOW)

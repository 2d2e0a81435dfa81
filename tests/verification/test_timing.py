"""What the calendar does, to the second, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.verification.dossiers import (
    ADMIN,
    APPLICANT,
    DAY,
    E2,
    E4,
    HOUR,
    NOW,
    RENE,
    RITA,
    SECOND,
    approved,
    at_rest,
    rejected,
)  # fmt: skip
from verification import annexes, review
from verification.acts import Issue, Notice, Notify, Outcome, SetBit, Stop, Whom
from verification.dossier import Dossier, Emergency, EvidenceKind, Role
from verification.errors import NoSuchMove, TooLate
from verification.grounds import Ground
from verification.moves import FINAL, AnnexKind, State
from verification.timing import Due, Timed, due, register_unchanged, tick

END = NOW + 730 * DAY
QUIET = FINAL | {State.DRAFT, State.SUBMITTED, State.IN_REVIEW, State.SECOND_REVIEW, State.EXPIRED}


def told(outcome: Outcome) -> list[Notice]:
    """What somebody is told."""
    return [act.notice for act in outcome.acts if isinstance(act, Notify)]


@pytest.mark.parametrize(
    ("dossier", "what", "at", "to"),
    [
        (at_rest(State.NEEDS_INFO, reminded=2), Timed.CLOSE, NOW + 30 * DAY, State.CLOSED),
        (at_rest(State.REJECTED), Timed.CLOSE, NOW + 30 * DAY, State.CLOSED),
        (approved(reverify_on=END), Timed.REVERIFY, END - 60 * DAY, State.REVERIFY_DUE),
        (at_rest(State.REVERIFY_DUE, reminded=2), Timed.EXPIRE, END, State.EXPIRED),
        (at_rest(State.SUSPENDED), Timed.LIFT, NOW + 72 * HOUR, State.APPROVED),
    ],
)
def test_each_timed_move_comes_on_time(dossier: Dossier, what: Timed, at: datetime, to: State) -> None:
    """Announced before, done at its second, and not a second before."""
    assert Due(at, what) == due(dossier, dossier.changed_at)
    assert dossier == tick(dossier, at - SECOND).dossier
    assert to == tick(dossier, at).dossier.state


@pytest.mark.parametrize("state", sorted(QUIET))
def test_nothing_happens_by_itself_elsewhere(state: State) -> None:
    """However long one waits."""
    assert due(at_rest(state), NOW) is None
    assert Outcome(at_rest(state), ()) == tick(at_rest(state), NOW + 9999 * DAY)


def test_a_confirmed_suspension_does_not_lift_itself() -> None:
    """Two people have to."""
    held = at_rest(State.SUSPENDED, emergency=Emergency(by=ADMIN.id, at=NOW, until=NOW + 72 * HOUR, confirmed=True))

    assert due(held, NOW) is None
    assert State.SUSPENDED == tick(held, NOW + 999 * DAY).dossier.state


def test_a_suspension_that_lifts_itself_issues_anew() -> None:
    """The bit is cleared."""
    outcome = tick(at_rest(State.SUSPENDED), NOW + 72 * HOUR)

    assert 1 == len(outcome.having(Issue)) == len(outcome.having(SetBit))
    assert [Notice.LIFTED] == told(outcome)


@pytest.mark.parametrize(("days", "notice"), [(60, Notice.REVERIFY_DUE), (30, Notice.REVERIFY_REMINDER), (7, Notice.REVERIFY_REMINDER)])  # fmt: skip
def test_a_doctor_is_reminded_60_30_and_7_days_before(days: int, notice: Notice) -> None:
    """Once each, and with the day."""
    dossier = tick(approved(reverify_on=END), END - days * DAY - SECOND).dossier
    outcome = tick(dossier, END - days * DAY)

    assert (Notify(whom=Whom.APPLICANT, notice=notice, until=END),) == outcome.having(Notify)
    assert [] == told(tick(outcome.dossier, END - days * DAY))


@pytest.mark.parametrize("days", [10, 20])
def test_an_applicant_is_reminded_twice_of_a_question(days: int) -> None:
    """After 10 and 20 days, and then the dossier is closed."""
    dossier = tick(at_rest(State.NEEDS_INFO), NOW + days * DAY - SECOND).dossier

    assert [Notice.ANSWER_REMINDER] == told(tick(dossier, NOW + days * DAY))
    assert [Notice.CLOSED] == told(tick(dossier, NOW + 30 * DAY))


def test_a_late_worker_says_the_last_thing_once() -> None:
    """No mail for what is past, whatever was missed."""
    assert [Notice.REVERIFY_REMINDER] == told(tick(at_rest(State.REVERIFY_DUE), END - HOUR))
    assert [Notice.EXPIRED] == told(tick(approved(reverify_on=END), END + 99 * DAY))
    assert State.EXPIRED == tick(approved(reverify_on=END), END + 99 * DAY).dossier.state


def test_expiry_stops_the_credential_and_sets_no_bit() -> None:
    """It ends by itself on that day; siblings answer `expired`."""
    outcome = tick(at_rest(State.REVERIFY_DUE), END)

    assert (Stop(),) == outcome.having(Stop)
    assert () == outcome.having(SetBit)


def test_becoming_due_again_changes_nothing_for_siblings() -> None:
    """No credential, no bit, no message."""
    outcome = tick(approved(reverify_on=END), END - 60 * DAY)

    assert ["Record", "Notify"] == [type(act).__name__ for act in outcome.acts]


@pytest.mark.parametrize("state", [State.APPEALED, State.IN_REVIEW, State.SECOND_REVIEW])
def test_an_appeal_without_an_answer_is_told_to_the_leads(state: State) -> None:
    """After 14 days, once; an application of the first instance is not."""
    appealed = review.appeal(rejected(), APPLICANT, NOW).dossier
    dossier = replace(appealed, state=state)

    assert [] == told(tick(dossier, NOW + 14 * DAY - SECOND))
    outcome = tick(dossier, NOW + 14 * DAY)
    assert (Notify(whom=Whom.LEADS, notice=Notice.APPEAL_OVERDUE),) == outcome.having(Notify)
    assert [] == told(tick(outcome.dossier, NOW + 15 * DAY))
    assert [] == told(tick(at_rest(state, appealed_at=None), NOW + 15 * DAY))


def test_a_renewal_in_hand_at_expiry_stays_in_the_queue() -> None:
    """As an application, with its own evidence, blind again; nothing of the doctor's work is lost."""
    fresh = replace(E2, id="e-0009", at=END - 20 * DAY)
    annex = annexes.new("a-1", AnnexKind.RENEWAL, (fresh,), END - 20 * DAY)
    dossier = annexes.hand_in(at_rest(State.REVERIFY_DUE), APPLICANT, annex, END - 20 * DAY).dossier
    outcome = tick(dossier, END)

    assert (State.SUBMITTED, (fresh,), ()) == (outcome.dossier.state, outcome.dossier.evidence, outcome.dossier.annexes)
    assert END - 20 * DAY == outcome.dossier.submitted_at
    assert (Stop(),) == outcome.having(Stop)
    assert (outcome.dossier,) == review.queue((outcome.dossier,), RITA)


# ── registers ──


@pytest.mark.parametrize("state", [State.APPROVED, State.REVERIFY_DUE])
def test_a_register_that_knows_the_doctor_verifies_silently(state: State) -> None:
    """For at most 12 months more, without a mail."""
    dossier = at_rest(state, followed=True)
    at = END - 50 * DAY
    outcome = register_unchanged(dossier, at)

    assert (State.APPROVED, at) == (outcome.dossier.state, outcome.dossier.verified_at)
    assert at.replace(year=at.year + 1) == outcome.dossier.reverify_on
    assert [] == told(outcome)
    assert 1 == len(outcome.having(Issue))


@pytest.mark.parametrize(
    "dossier",
    [
        at_rest(State.REVERIFY_DUE),
        at_rest(State.REVERIFY_DUE, followed=True, campaign="c-1"),
        *(at_rest(state, followed=True) for state in State if state not in (State.APPROVED, State.REVERIFY_DUE)),
    ],
)
def test_a_register_does_nothing_else(dossier: Dossier) -> None:
    """It does not approve, reinstate, wake the expired, or settle a doubt."""
    with pytest.raises(NoSuchMove):
        register_unchanged(dossier, dossier.changed_at + DAY)


def test_a_register_does_not_prolong_a_training() -> None:
    """A resident's stated end stays, and past it the register changes nothing."""
    resident = at_rest(State.REVERIFY_DUE, followed=True, role=Role.RESIDENT, training_ends=END)

    assert END == register_unchanged(resident, END - DAY).dossier.reverify_on
    assert State.REVERIFY_DUE == register_unchanged(resident, END - DAY).dossier.state
    over = replace(resident, reverify_on=END + DAY)
    assert Outcome(over, ()) == register_unchanged(over, END)
    with pytest.raises(TooLate):
        register_unchanged(resident, END)


def test_a_students_card_is_renewed_like_everything() -> None:
    """The day of the academic year counts (made up here), and its end is announced like every other."""
    card = replace(E4, kind=EvidenceKind.STUDENT_CARD)
    year = NOW + timedelta(days=200)
    dossier = at_rest(State.SECOND_REVIEW, role=Role.STUDENT, evidence=(card,), year_ends=year)
    first = review.Vote(reviewer=RITA.id, round=1, choice=review.Choice.APPROVE, ground=Ground.EVIDENCE_HOLDS, at=NOW)
    verified = review.vote(replace(dossier, votes=(first,)), RENE, review.Choice.APPROVE, Ground.EVIDENCE_HOLDS, NOW)

    assert year + 60 * DAY == verified.dossier.reverify_on
    assert Due(year, Timed.REVERIFY) == due(verified.dossier, NOW)

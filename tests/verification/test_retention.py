"""Retention: every row of the table, and not a day earlier."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.verification.dossiers import APPLICANT, DAY, E2, LEA, NOW, REMY, RITA, approved, at_rest, rejected
from verification import review
from verification.acts import Schedule
from verification.dossier import Annex
from verification.grounds import Ground
from verification.moves import AnnexKind, AnnexState, Choice, State
from verification.retention import TABLE, WORDS, Thing, annex_evidence_on, destroy_on, segment_destroyed_on
from verification.timing import tick

LEFT = (State.REVOKED, State.WITHDRAWN, State.DECEASED, State.MOVED)
MEMBER = (State.APPROVED, State.REVERIFY_DUE, State.SUSPENDED, State.EXPIRED)
AT_WORK = (State.SUBMITTED, State.IN_REVIEW, State.SECOND_REVIEW, State.NEEDS_INFO, State.APPEALED)
NEVER = timedelta.max


def after(thing: Thing, state: State) -> timedelta:
    """How long after the change, or the approval, the thing goes."""
    dossier = replace(at_rest(state), changed_at=NOW)
    on = destroy_on(thing, dossier)
    return NEVER if on is None else on - NOW


@pytest.mark.parametrize(
    ("states", "evidence", "facts"),
    [
        (MEMBER, 30 * DAY, NEVER), ((State.REJECTED,), 60 * DAY, NEVER), ((State.DRAFT,), 30 * DAY, 30 * DAY),
        ((State.CLOSED,), 30 * DAY, 30 * DAY), (LEFT, 0 * DAY, 0 * DAY), (AT_WORK, NEVER, NEVER),
    ],
)  # fmt: skip
def test_evidence_and_facts_go_after_their_time(
    states: tuple[State, ...], evidence: timedelta, facts: timedelta
) -> None:
    """While reviewers are at work nothing goes; when a doctor leaves, all of it at once."""
    assert {evidence} == {after(Thing.EVIDENCE, state) for state in states}
    assert {facts} == {after(Thing.FACTS, state) for state in states}


@pytest.mark.parametrize("state", list(State))
def test_a_decision_stays_three_years_after_the_end(state: State) -> None:
    """And as long as there is no end."""
    ended = state in (*LEFT, State.CLOSED)

    assert (NOW.replace(year=NOW.year + 3) - NOW if ended else NEVER) == after(Thing.DECISION, state)


def test_three_years_after_a_leap_day_is_not_a_day_earlier() -> None:
    """The first of March."""
    gone = at_rest(State.WITHDRAWN, changed_at=datetime(2028, 2, 29, 12, tzinfo=UTC))

    assert datetime(2031, 3, 1, 12, tzinfo=UTC) == destroy_on(Thing.DECISION, gone)


def test_every_state_is_thought_of() -> None:
    """Each thing has at most one row for a state, and words."""
    for thing in Thing:
        states = [state for row in TABLE if row.thing is thing for state in row.states]
        assert len(states) == len(set(states))
    assert set(Thing) == WORDS.keys()
    assert {*LEFT, *MEMBER, *AT_WORK, State.REJECTED, State.DRAFT, State.CLOSED} == set(State)


def test_a_suspension_does_not_keep_evidence_longer() -> None:
    """The period runs from the approval, whatever comes after it."""
    assert NOW + 30 * DAY == destroy_on(Thing.EVIDENCE, at_rest(State.SUSPENDED, changed_at=NOW + 20 * DAY))


def test_an_appeal_keeps_the_evidence_until_its_answer() -> None:
    """And then thirty days; without one it goes sixty days after the rejection."""
    first = rejected()
    appealed = review.appeal(first, APPLICANT, NOW + 29 * DAY).dossier
    taken = review.take(appealed, REMY, NOW + 30 * DAY).dossier
    voted = review.vote(taken, REMY, Choice.REJECT, Ground.UNREADABLE, NOW + 40 * DAY).dossier
    again = review.vote(voted, LEA, Choice.REJECT, Ground.UNREADABLE, NOW + 41 * DAY).dossier
    alone = tick(first, NOW + 30 * DAY).dossier

    assert NOW + 60 * DAY == destroy_on(Thing.EVIDENCE, first) == destroy_on(Thing.EVIDENCE, alone)
    assert {None} == {destroy_on(Thing.EVIDENCE, each) for each in (appealed, taken, voted)}
    assert NOW + 71 * DAY == destroy_on(Thing.EVIDENCE, again)


@pytest.mark.parametrize("state", list(AnnexState))
def test_the_evidence_of_an_annex_goes_a_month_after_its_decision(state: AnnexState) -> None:
    """Not before, and at once when the doctor leaves."""
    annex = Annex(id="a-1", kind=AnnexKind.NAME, state=state, evidence=(E2,), changed_at=NOW, submitted_at=NOW)
    decided = state in (AnnexState.ACCEPTED, AnnexState.REFUSED)
    gone = at_rest(State.WITHDRAWN, changed_at=NOW + DAY)

    assert (NOW + 30 * DAY if decided else None) == annex_evidence_on(annex, approved())
    assert NOW + DAY == annex_evidence_on(annex, gone)


def test_leaving_schedules_what_annexes_hold_as_well() -> None:
    """One act for the dossier's evidence, one for each annex."""
    annex = Annex(id="a-1", kind=AnnexKind.NAME, state=AnnexState.IN_REVIEW, evidence=(E2,), changed_at=NOW, submitted_at=NOW)  # fmt: skip
    outcome = review.leave(approved(annexes=(annex,)), APPLICANT, NOW + DAY)

    assert [AnnexState.REFUSED] == [each.state for each in outcome.dossier.annexes]
    assert {(None, NOW + DAY), ("a-1", NOW + DAY)} == {
        (act.annex, act.on) for act in outcome.acts if isinstance(act, Schedule) and act.thing is Thing.EVIDENCE
    }


@pytest.mark.parametrize(("month", "gone"), [((2026, 11), (2027, 12)), ((2026, 12), (2028, 1)), ((2026, 1), (2027, 2))])
def test_a_months_segment_of_the_audit_log_stays_twelve_months(month: tuple[int, int], gone: tuple[int, int]) -> None:
    """Counted from the month's end."""
    assert datetime(*gone, 1, tzinfo=UTC) == segment_destroyed_on(*month)


def test_a_reviewer_cannot_stretch_a_period() -> None:
    """Asking again and again keeps the evidence only as long as the review goes on."""
    asked = review.ask(at_rest(State.IN_REVIEW), RITA, Ground.UNREADABLE, NOW).dossier
    closed = tick(asked, NOW + 30 * DAY).dossier

    assert NOW + 60 * DAY == destroy_on(Thing.EVIDENCE, closed)

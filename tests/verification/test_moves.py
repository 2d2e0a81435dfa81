"""The table of a dossier's life: every pair of states, every way, and who is kept out of each."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tests.verification.dossiers import (
    ADMIN,
    APPLICANT,
    DAY,
    E1,
    E2,
    HOUR,
    LEA,
    MOVERS,
    NEAR,
    NOW,
    OTHERS,
    RENE,
    RITA,
    SECOND,
    at_rest,
    ground_for,
    voted,
)  # fmt: skip
from verification.dossier import Annex, Dossier, Proposal
from verification.errors import (
    BadGround,
    InConflict,
    LeavingHeld,
    NoEvidence,
    NoSuchMove,
    NotAgreed,
    NotYours,
    OpenHit,
    TooSoon,
    Unmoved,
)
from verification.grounds import DOUBTS, EXPLAINED, Ground, grounds_for
from verification.moves import ANNEX_MOVES, FINAL, MOVES, RENEWABLE, AnnexKind, AnnexState, Choice, State, Way
from verification.people import SYSTEM, Actor

#: The table once more, by hand: what stands here and what the code does must be changed together.
NEXT = {
    "draft": "submitted withdrawn deceased",
    "submitted": "in_review withdrawn deceased",
    "in_review": "second_review needs_info approved withdrawn deceased",
    "second_review": "approved rejected needs_info withdrawn deceased",
    "needs_info": "submitted closed withdrawn deceased",
    "rejected": "appealed closed withdrawn deceased",
    "appealed": "in_review withdrawn deceased",
    "approved": "reverify_due suspended revoked moved withdrawn deceased",
    "reverify_due": "approved expired suspended revoked moved withdrawn deceased",
    "expired": "submitted withdrawn deceased",
    "suspended": "approved revoked withdrawn deceased",
    "closed": "", "revoked": "", "withdrawn": "", "deceased": "", "moved": "",
}  # fmt: skip
PAIRS = [(here, to) for here in State for to in State]
WAYS = [(here, to, way) for here, moves in MOVES.items() for to, ways in moves.items() for way in ways]
#: In the table like every way out, and closed for as long as the state lasts: a suspension is decided first.
HELD = (State.SUSPENDED, State.WITHDRAWN)
#: Reasons that stand with something else than a move.
BESIDE = EXPLAINED | DOUBTS
EVERYBODY = [*MOVERS.values(), *NEAR, *OTHERS]


def ready(here: State, to: State, way: Way) -> tuple[Dossier, datetime]:
    """A dossier on which this way is open, and when."""
    dossier = at_rest(here)
    at = {
        (State.NEEDS_INFO, State.CLOSED): NOW + 30 * DAY, (State.REJECTED, State.CLOSED): NOW + 30 * DAY,
        (State.APPROVED, State.REVERIFY_DUE): NOW + 670 * DAY, (State.REVERIFY_DUE, State.EXPIRED): NOW + 730 * DAY,
        (State.SUSPENDED, State.APPROVED): NOW + 72 * HOUR,
    }.get((here, to), dossier.changed_at + HOUR)  # fmt: skip
    choice = Choice.REJECT if to is State.REJECTED else Choice.APPROVE
    other = Choice.APPROVE if choice is Choice.REJECT else Choice.REJECT
    votes = {
        Way.VOTES: (voted(RITA, choice), voted(RENE, choice)),
        Way.LEAD: (voted(RITA, choice), voted(RENE, other), voted(LEA, choice)),
        Way.ELECTRONIC: (voted(RITA, choice),),
        Way.REVIEWER: (voted(RITA, choice),) if to is State.SECOND_REVIEW else (),
    }.get(way, ())  # fmt: skip
    turned = tuple(replace(vote, round=dossier.round) for vote in votes)
    proposal = Proposal(to=to, by=RITA.id, reviewer=True, ground=ground_for(here, to), at=dossier.changed_at)
    annex = Annex(id="a-1", kind=AnnexKind.RENEWAL, state=AnnexState.ACCEPTED, evidence=(E2,), changed_at=at, submitted_at=NOW)  # fmt: skip
    changes: dict[str, Any] = {"votes": turned}
    changes |= {"proposals": (proposal,)} if way in (Way.REVIEWERS, Way.PEOPLE) else {}
    changes |= {"annexes": (annex,)} if way is Way.RENEWAL else {}
    changes |= {"evidence": (E1,)} if way is Way.ELECTRONIC else {}
    changes |= {"followed": True} if way is Way.SYSTEM and (here, to) == (State.REVERIFY_DUE, State.APPROVED) else {}
    return replace(dossier, **changes), at


def test_the_table_is_the_one_that_was_agreed() -> None:
    """Nothing more and nothing less, and every state has its row."""
    assert {here: set(line.split()) for here, line in NEXT.items()} == {
        here.value: {to.value for to in moves} for here, moves in MOVES.items()
    }
    assert set(State) == MOVES.keys()
    assert set(Ground) == {ground for here, to in PAIRS for ground in grounds_for(here, to)} | BESIDE


@pytest.mark.parametrize(("here", "to"), PAIRS)
def test_only_the_moves_of_the_table_are_made(here: State, to: State) -> None:
    """A move outside the table is refused to everybody, whatever the dossier holds and whenever it is asked for."""
    if to in MOVES[here]:
        way = MOVES[here][to][0]
        dossier, at = ready(here, to, way)
        if (here, to) == HELD:
            with pytest.raises(LeavingHeld):
                dossier.move(to, at=at, by=MOVERS[way], ground=ground_for(here, to))
            return

        assert to == dossier.move(to, at=at, by=MOVERS[way], ground=ground_for(here, to)).state
        return
    for by in EVERYBODY:
        for ground in Ground:
            with pytest.raises(NoSuchMove):
                at_rest(here).move(to, at=NOW + 9999 * DAY, by=by, ground=ground)


@pytest.mark.parametrize(("here", "to", "way"), [each for each in WAYS if each[:2] != HELD])
def test_each_way_is_open_to_whom_it_is_for(here: State, to: State, way: Way) -> None:
    """And leaves a trace of the time; what was proposed is over."""
    dossier, at = ready(here, to, way)
    moved = dossier.move(to, at=at, by=MOVERS[way], ground=ground_for(here, to))

    assert (to, at, ()) == (moved.state, moved.changed_at, moved.proposals)


@pytest.mark.parametrize(("here", "to", "way"), WAYS)
def test_each_way_is_closed_to_everybody_else(here: State, to: State, way: Way) -> None:
    """Other roles, other countries, other applicants, and whoever stands near."""
    dossier, at = ready(here, to, way)
    for by in [*OTHERS, *([] if way is Way.EMERGENCY else NEAR)]:
        with pytest.raises(Unmoved):
            dossier.move(to, at=at, by=by, ground=ground_for(here, to))


@pytest.mark.parametrize(("here", "to", "way"), [each for each in WAYS if each[2] not in (Way.APPLICANT, Way.SYSTEM)])
def test_what_people_decide_neither_applicant_nor_system_does(here: State, to: State, way: Way) -> None:
    """Unless the table names another way for them."""
    dossier, at = ready(here, to, way)
    ways = MOVES[here][to]
    for by, own in ((APPLICANT, Way.APPLICANT), (SYSTEM, Way.SYSTEM)):
        if own not in ways:
            with pytest.raises(Unmoved):
                dossier.move(to, at=at, by=by, ground=ground_for(here, to))


@pytest.mark.parametrize("actor", NEAR, ids=["the applicant", "inviter", "invited", "colleague"])
def test_nobody_near_reviews(actor: Actor) -> None:
    """The refusal says why."""
    with pytest.raises(InConflict) as caught:
        at_rest(State.SUBMITTED).move(State.IN_REVIEW, at=NOW, by=actor, ground=Ground.TAKEN)

    assert "conflict_of_interest" == caught.value.code


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_final_state_is_never_left(state: State) -> None:
    """There are five, and none has a way out."""
    assert {} == dict(MOVES[state])
    assert {"closed", "revoked", "withdrawn", "deceased", "moved"} == {each.value for each in FINAL}


@pytest.mark.parametrize("state", [state for state in State if state not in FINAL])
def test_everybody_may_leave_and_everybody_may_die(state: State) -> None:
    """From every state that is not final."""
    assert {State.WITHDRAWN, State.DECEASED} <= MOVES[state].keys()


@pytest.mark.parametrize(("here", "to", "way"), [each for each in WAYS if each[2] in (Way.VOTES, Way.LEAD, Way.ELECTRONIC, Way.REVIEWERS, Way.PEOPLE)])  # fmt: skip
def test_one_person_is_never_two(here: State, to: State, way: Way) -> None:
    """Whoever spoke first does not speak second, with whatever roles."""
    dossier, at = ready(here, to, way)
    first = replace(RITA, roles=RITA.roles | LEA.roles | ADMIN.roles)
    only = tuple(vote for vote in dossier.votes if vote.reviewer == first.id)
    if way is not Way.ELECTRONIC:
        with pytest.raises(Unmoved):
            replace(dossier, votes=only).move(to, at=at, by=first, ground=ground_for(here, to))


@pytest.mark.parametrize("to", [State.APPROVED, State.REJECTED])
def test_a_decision_follows_the_votes(to: State) -> None:
    """Votes for one thing do not carry the other, and a vote of an earlier round counts nothing."""
    dossier, at = ready(State.SECOND_REVIEW, to, Way.VOTES)
    other = State.REJECTED if to is State.APPROVED else State.APPROVED

    with pytest.raises(NotAgreed):
        dossier.move(other, at=at, by=RENE, ground=ground_for(State.SECOND_REVIEW, other))
    with pytest.raises(NotAgreed):
        replace(dossier, round=2).move(to, at=at, by=RENE, ground=ground_for(State.SECOND_REVIEW, to))


@pytest.mark.parametrize(
    ("here", "to"),
    [
        (State.NEEDS_INFO, State.CLOSED), (State.REJECTED, State.CLOSED), (State.APPROVED, State.REVERIFY_DUE),
        (State.REVERIFY_DUE, State.EXPIRED), (State.SUSPENDED, State.APPROVED),
    ],
)  # fmt: skip
def test_the_system_does_nothing_a_second_too_soon(here: State, to: State) -> None:
    """Its own moves are bound by the calendar."""
    dossier, at = ready(here, to, Way.SYSTEM)

    assert to == dossier.move(to, at=at, by=SYSTEM, ground=ground_for(here, to)).state
    with pytest.raises(TooSoon):
        dossier.move(to, at=at - SECOND, by=SYSTEM, ground=ground_for(here, to))


def test_time_does_not_run_backwards() -> None:
    """A move cannot be dated before the last."""
    with pytest.raises(TooSoon):
        at_rest(State.SUBMITTED).move(State.IN_REVIEW, at=NOW - SECOND, by=RITA, ground=Ground.TAKEN)


@pytest.mark.parametrize(("here", "to"), [(here, to) for here, moves in MOVES.items() for to in moves])
def test_a_move_takes_a_reason_that_belongs_to_it(here: State, to: State) -> None:
    """Every other code is refused."""
    dossier, at = ready(here, to, MOVES[here][to][0])
    for ground in set(Ground) - grounds_for(here, to):
        with pytest.raises(BadGround):
            dossier.move(to, at=at, by=MOVERS[MOVES[here][to][0]], ground=ground)


@pytest.mark.parametrize(("here", "to"), [(State.DRAFT, State.SUBMITTED), (State.SUBMITTED, State.IN_REVIEW)])
def test_without_evidence_nothing_begins(here: State, to: State) -> None:
    """A diploma, a registration or a student card: there is no other way in."""
    way = MOVES[here][to][0]
    with pytest.raises(NoEvidence):
        replace(at_rest(here), evidence=()).move(to, at=NOW, by=MOVERS[way], ground=ground_for(here, to))


def test_after_expiry_only_new_evidence_counts() -> None:
    """What was part of the last verification is no reason for the next."""
    dossier, at = ready(State.EXPIRED, State.SUBMITTED, Way.APPLICANT)

    with pytest.raises(NoEvidence):
        replace(dossier, evidence=(E2,)).move(State.SUBMITTED, at=at, by=APPLICANT, ground=Ground.APPLIED)


def test_a_proposal_waits_seven_days() -> None:
    """Then it has to be made again."""
    dossier, _ = ready(State.APPROVED, State.REVOKED, Way.PEOPLE)
    ground = ground_for(State.APPROVED, State.REVOKED)
    last = dossier.proposals[0].at + 7 * DAY

    assert State.REVOKED == dossier.move(State.REVOKED, at=last, by=ADMIN, ground=ground).state
    with pytest.raises(NotAgreed):
        dossier.move(State.REVOKED, at=last + SECOND, by=ADMIN, ground=ground)


@pytest.mark.parametrize(
    ("here", "way"), [(State.IN_REVIEW, Way.ELECTRONIC), (State.SECOND_REVIEW, Way.VOTES), (State.SECOND_REVIEW, Way.LEAD)]
)  # fmt: skip
def test_somebody_who_may_be_known_already_is_explained_before_approval(here: State, way: Way) -> None:
    """By everybody who approves; and one alone does not do it."""
    dossier, at = ready(here, State.APPROVED, way)
    explained = tuple(replace(vote, hit=Ground.NOT_THE_SAME) for vote in dossier.votes)
    partly = (*explained[:-1], dossier.votes[-1])
    for votes in (dossier.votes, partly, explained):
        hit = replace(dossier, open_hit=True, votes=votes)
        if votes is explained and way is not Way.ELECTRONIC:
            assert State.APPROVED == hit.move(State.APPROVED, at=at, by=MOVERS[way], ground=Ground.EVIDENCE_HOLDS).state
            continue
        with pytest.raises((OpenHit, NotAgreed)):
            hit.move(State.APPROVED, at=at, by=MOVERS[way], ground=Ground.EVIDENCE_HOLDS)


@pytest.mark.parametrize("state", [State.APPROVED, State.REVERIFY_DUE, State.SUSPENDED])
def test_nobody_leaves_before_a_suspension_or_a_revocation_is_decided(state: State) -> None:
    """For as long as a second person can agree with the proposal; a proposal of something else holds nobody."""
    dossier, at = ready(state, State.REVOKED, Way.PEOPLE)
    last = dossier.proposals[0].at + 7 * DAY
    dead = replace(dossier, proposals=(replace(dossier.proposals[0], to=State.DECEASED),))
    leaves = {"by": APPLICANT, "ground": Ground.OWN_WISH}

    for moment in (at, last):
        with pytest.raises(LeavingHeld):
            dossier.move(State.WITHDRAWN, at=moment, **leaves)
    if state is not State.SUSPENDED:
        assert State.WITHDRAWN == dossier.move(State.WITHDRAWN, at=last + SECOND, **leaves).state
        assert State.WITHDRAWN == dead.move(State.WITHDRAWN, at=at, **leaves).state


def test_a_move_says_who_is_meant() -> None:
    """Somebody of the right role hears that a second is missing; somebody else that it is not theirs."""
    dossier, at = ready(State.SECOND_REVIEW, State.APPROVED, Way.VOTES)
    alone = replace(dossier, votes=dossier.votes[1:])

    with pytest.raises(NotAgreed):
        alone.move(State.APPROVED, at=at, by=RENE, ground=Ground.EVIDENCE_HOLDS)
    with pytest.raises(NotYours):
        alone.move(State.APPROVED, at=at, by=OTHERS[0], ground=Ground.EVIDENCE_HOLDS)


def test_a_credential_goes_with_two_states() -> None:
    """Approved, and approved but due again."""
    assert {State.APPROVED, State.REVERIFY_DUE} == RENEWABLE
    assert {True} == {at_rest(state).renewable for state in RENEWABLE}
    assert {False} == {at_rest(state).renewable for state in set(State) - RENEWABLE}


def test_an_annex_has_its_own_small_life() -> None:
    """Five states, two of them final, and no way back."""
    assert {here: set(moves) for here, moves in ANNEX_MOVES.items()} == {
        AnnexState.SUBMITTED: {AnnexState.IN_REVIEW, AnnexState.REFUSED},
        AnnexState.IN_REVIEW: {AnnexState.SECOND_REVIEW, AnnexState.ACCEPTED, AnnexState.REFUSED},
        AnnexState.SECOND_REVIEW: {AnnexState.ACCEPTED, AnnexState.REFUSED},
        AnnexState.ACCEPTED: set(),
        AnnexState.REFUSED: set(),
    }

"""Whatever people and the calendar do with a dossier, in whatever order: what always holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.verification.dossiers import (
    ADMIN,
    APPLICANT,
    DRAFT,
    E1,
    E2,
    E3,
    LEA,
    LEO,
    NEAR,
    NOW,
    OTHER_ADMIN,
    OTHERS,
    REMY,
    RENE,
    RITA,
    at_rest,
)  # fmt: skip
from verification import annexes, campaign, review, timing
from verification.acts import Issue, Outcome, Push, Record, Schedule, SetBit, Stop
from verification.audit import START, Entry, Head, append
from verification.campaign import Cohort
from verification.dossier import Dossier, Role
from verification.errors import NotAllowed
from verification.grounds import Ground
from verification.moves import FINAL, MOVES, RENEWABLE, AnnexKind, Choice, State
from verification.people import Actor
from verification.retention import Thing, destroy_on
from verification.statuslist import Purpose

PEOPLE = [APPLICANT, RITA, RENE, REMY, LEA, LEO, ADMIN, OTHER_ADMIN, *NEAR, *OTHERS]
REASONS = [Ground.EVIDENCE_HOLDS, Ground.UNREADABLE, Ground.CLEARED, Ground.STRUCK_OFF, Ground.MISCONDUCT]
Deed = Callable[[Dossier, Actor, Ground, Choice, datetime], Outcome]
CAMPAIGN = campaign.start(campaign.propose("c-1", Cohort(since=NOW), Ground.SPOT_CHECK, LEA, NOW), LEO, NOW)


def fresh(now: datetime) -> Any:
    """Something shown just now."""
    return (replace(E2, id=f"e-{int(now.timestamp())}", at=now),)


def hand_in(dossier: Dossier, by: Actor, now: datetime) -> Outcome:
    """A renewal."""
    return annexes.hand_in(dossier, by, annexes.new(f"a-{now.timestamp()}", AnnexKind.RENEWAL, fresh(now), now), now)


def last(dossier: Dossier) -> str:
    """The annex handed in last."""
    return dossier.annexes[-1].id if dossier.annexes else "a-0"


DEEDS: dict[str, Deed] = {
    "submit": lambda d, by, g, c, now: review.submit(d, by, now),
    "take": lambda d, by, g, c, now: review.take(d, by, now),
    "ask": lambda d, by, g, c, now: review.ask(d, by, g, now),
    "answer": lambda d, by, g, c, now: review.answer(d, by, fresh(now), now),
    "vote": lambda d, by, g, c, now: review.vote(d, by, c, g, now, hit=Ground.NOT_THE_SAME),
    "decide": lambda d, by, g, c, now: review.decide(d, by, c, g, now, hit=Ground.NOT_THE_SAME),
    "appeal": lambda d, by, g, c, now: review.appeal(d, by, now),
    "suspend": lambda d, by, g, c, now: review.suspend(d, by, g, now),
    "confirm": lambda d, by, g, c, now: review.confirm(d, by, now),
    "lift": lambda d, by, g, c, now: review.lift(d, by, g, now),
    "revoke": lambda d, by, g, c, now: review.revoke(d, by, g, now),
    "death": lambda d, by, g, c, now: review.report_death(d, by, now),
    "withdraw": lambda d, by, g, c, now: review.withdraw(d, by, now),
    "leave": lambda d, by, g, c, now: review.leave(d, by, now),
    "depart": lambda d, by, g, c, now: review.depart(d, now),
    "retire": lambda d, by, g, c, now: review.retire(d, by, now),
    "renew": lambda d, by, g, c, now: review.renew_expired(d, by, fresh(now), now),
    "hand in": lambda d, by, g, c, now: hand_in(d, by, now),
    "take annex": lambda d, by, g, c, now: annexes.take(d, by, last(d), now),
    "vote annex": lambda d, by, g, c, now: annexes.vote(d, by, last(d), c, g, now),
    "take back": lambda d, by, g, c, now: annexes.take_back(d, by, last(d), now),
    "register": lambda d, by, g, c, now: timing.register_unchanged(d, now),
    "enrol": lambda d, by, g, c, now: campaign.enrol(CAMPAIGN, d, now),
    "tick": lambda d, by, g, c, now: timing.tick(d, now),
}


@dataclass
class World:
    """What an instance would have in its rows after carrying every act out."""

    credential: bool = False
    bits: dict[Purpose, bool] = field(default_factory=lambda: dict.fromkeys(Purpose, False))
    evidence_until: datetime | None = None
    head: Head = START

    def carry_out(self, outcome: Outcome, now: datetime) -> None:
        """Everything the outcome asks for."""
        touched = [act for act in outcome.acts if isinstance(act, Issue | Stop | SetBit)]
        assert bool(touched) is any(isinstance(act, Push) for act in outcome.acts)
        for act in outcome.acts:
            match act:
                case Issue():
                    assert outcome.dossier.reverify_on is not None
                    assert outcome.dossier.reverify_on > now
                    self.credential = True
                case Stop():
                    self.credential = False
                case SetBit(purpose, value):
                    self.bits[purpose] = value
                case Schedule(thing=Thing.EVIDENCE, annex=None):
                    self.evidence_until = act.on
                case Record():
                    entry = Entry(n=self.head.sequence + 1, act=act.act, at=act.at, by=act.by, dossier=act.dossier, reason=act.reason)  # fmt: skip
                    self.head = append(self.head, entry)


def begun(state: State) -> tuple[Dossier, World]:
    """A dossier in this state, and the rows it would have."""
    dossier = at_rest(state)
    world = World(credential=state in RENEWABLE, evidence_until=destroy_on(Thing.EVIDENCE, dossier))
    world.bits[Purpose.SUSPENSION] = state is State.SUSPENDED
    return dossier, world


steps = st.lists(
    st.tuples(
        st.sampled_from(sorted(DEEDS)), st.sampled_from(PEOPLE), st.sampled_from(REASONS), st.sampled_from(Choice),
        st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=20), timedelta(days=400)]),
    ),
    min_size=1, max_size=25,
)  # fmt: skip
starts = st.sampled_from([state for state in State if state not in FINAL])


def check(before: Dossier, after: Dossier, world: World) -> None:
    """What always holds."""
    assert world.credential is (after.state in RENEWABLE)
    assert world.bits[Purpose.REVOCATION] is (after.state in FINAL and after.approved_at is not None)
    assert not (after.state in RENEWABLE and any(world.bits.values()))
    assert after.state is not State.SUSPENDED or world.bits[Purpose.SUSPENSION]
    assert world.evidence_until == destroy_on(Thing.EVIDENCE, after)
    assert not (before.state in FINAL and before != after)
    assert after.round >= before.round
    assert before.votes == after.votes[: len(before.votes)]
    seats = [(vote.round, vote.reviewer) for vote in after.votes]
    assert len(seats) == len(set(seats))


@given(start=starts, plan=steps)
@settings(max_examples=examples(400), deadline=None)
def test_whatever_is_done_in_whatever_order(start: State, plan: list[Any]) -> None:
    """A credential exists and is renewable if and only if the state is approved or due; a final state is never left."""
    dossier, world = begun(start)
    now = dossier.changed_at
    for name, by, ground, choice, later in plan:
        now += later
        try:
            outcome = DEEDS[name](dossier, by, ground, choice, now)
        except NotAllowed:
            continue
        world.carry_out(outcome, now)
        check(dossier, outcome.dossier, world)
        dossier = outcome.dossier


# Random people rarely agree: this walk knows who is needed, and asks them in a random order of events.
sensible = st.lists(st.sampled_from(sorted(DEEDS)), min_size=1, max_size=40)


@given(start=starts, names=sensible, choices=st.lists(st.sampled_from(Choice), min_size=40, max_size=40), electronic=st.booleans())  # fmt: skip
@settings(max_examples=examples(400), deadline=None)
def test_also_where_everybody_agrees(start: State, names: list[str], choices: list[Choice], electronic: bool) -> None:
    """The same, where for each deed the first person and the first reason are found that may do it."""
    dossier, world = begun(start)
    dossier = replace(dossier, evidence=(*dossier.evidence, E1) if electronic else dossier.evidence)
    now = dossier.changed_at
    for name, choice in zip(names, choices, strict=False):
        now += timedelta(days=1)
        outcome = first_that_works(name, dossier, choice, now)
        if outcome is None:
            continue
        world.carry_out(outcome, now)
        check(dossier, outcome.dossier, world)
        approvals(dossier, outcome.dossier)
        dossier = outcome.dossier


def first_that_works(name: str, dossier: Dossier, choice: Choice, now: datetime) -> Outcome | None:
    """Ask everybody with every reason."""
    for by in PEOPLE:
        for ground in REASONS:
            try:
                return DEEDS[name](dossier, by, ground, choice, now)
            except NotAllowed:
                continue
    return None


def approvals(before: Dossier, after: Dossier) -> None:
    """Nobody is approved out of a review by fewer than two, but on electronic proof."""
    if before.state in (State.IN_REVIEW, State.SECOND_REVIEW) and after.state is State.APPROVED:
        people = {vote.reviewer for vote in after.votes_now() if vote.choice is Choice.APPROVE}
        assert len(people) >= 2 or (before.state is State.IN_REVIEW and before.electronic)


def test_the_walk_reaches_every_state() -> None:
    """What is tested at random can be reached by people alone, from a draft."""
    reached, waiting = {State.DRAFT}, [State.DRAFT]
    while waiting:
        for to in MOVES[waiting.pop()]:
            if to not in reached:
                reached.add(to)
                waiting.append(to)

    assert set(State) == reached
    assert (Role.SPECIALIST, (E2,)) == (DRAFT.role, DRAFT.evidence)
    assert E3 not in DRAFT.evidence

"""What holds for every vote, on an application and on an annex alike; whose turn it is, each of the two says itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from verification.dossier import Dossier, Vote
from verification.errors import BadGround, OpenHit
from verification.grounds import ENOUGH, EXPLAINED, SHORTCOMINGS, Ground
from verification.moves import Choice
from verification.people import Actor, StaffRole
from verification.terms import Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """What a reviewer wants to say, before it is a vote.

    `hit` explains somebody who may be the same person; `found` is what a decision that comes of it rests on.
    """

    by: Actor
    choice: Choice
    ground: Ground
    at: datetime
    hit: Ground | None = None
    found: Shown | None = None

    @property
    def approves(self) -> bool:
        """Whether it is for the applicant."""
        return self.choice is Choice.APPROVE

    def cast(self, turn: int) -> Vote:
        """The vote, in this round."""
        return Vote(
            reviewer=self.by.id,
            round=turn,
            choice=self.choice,
            ground=self.ground,
            at=self.at,
            hit=self.hit,
            lead=StaffRole.LEAD in self.by.roles,
        )


def has_voted(votes: Iterable[Vote], by: Actor) -> bool:
    """Whether one of these votes is this person's."""
    return any(vote.reviewer == by.id for vote in votes)


def require_reasoned(dossier: Dossier, said: Ballot) -> None:
    """Raise BadGround where a reason does not go with the vote, OpenHit where a word on the same person is missing."""
    fitting = said.ground in (ENOUGH if said.approves else SHORTCOMINGS)
    if not fitting or (said.hit is not None and said.hit not in EXPLAINED):
        raise BadGround("not a reason for this vote")
    if said.approves and dossier.open_hit and said.hit is None:
        raise OpenHit("an open hit is not explained")


def reasons(votes: Iterable[Vote]) -> tuple[Ground, ...]:
    """Every reason that was given against it, each once."""
    return tuple(dict.fromkeys(vote.ground for vote in votes if vote.choice is Choice.REJECT))

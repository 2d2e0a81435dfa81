"""Renewals, specialist certificates and changes of name: reviewed like an application, beside it.

The dossier keeps its state, and so the doctor goes on working, while an annex goes its own small way (`ANNEX_MOVES`).
What is accepted changes the dossier's role or day, and means a new credential. Only the annex's own evidence is looked
at. While a dossier is suspended or has run out, its annexes rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from verification import terms
from verification.acts import Act, Notice, Outcome, Whom, outcome, record, step, tell
from verification.dossier import (
    Annex,
    Dossier,
    Evidence,
    EvidenceClass,
    Role,
    Vote,
    proved_electronically,
)
from verification.errors import NoEvidence, NoSuchMove, NotAgreed, NotYours, SamePerson, Unmoved
from verification.grounds import Ground
from verification.moves import ANNEX_MOVES, AnnexKind, AnnexState, Choice, State, Way
from verification.people import Actor, Part, StaffRole, require_other
from verification.voting import Ballot, has_voted, reasons, require_reasoned
from verification.ways import (
    alone_agrees,
    disagreed,
    lead_decides,
    require_applicant,
    require_explained,
    require_reviewer,
    require_running,
    two_agree,
)

_CHOICE: Final = {AnnexState.ACCEPTED: Choice.APPROVE, AnnexState.REFUSED: Choice.REJECT}
#: A name is changed, and a specialist made, on an authority's word; a degree or a card is not enough.
_AUTHORITY: Final = frozenset({EvidenceClass.E1, EvidenceClass.E2, EvidenceClass.E3})


# ── the applicant ──


def hand_in(dossier: Dossier, by: Actor, annex: Annex, now: datetime) -> Outcome:
    """Hand an annex in; raise NoSuchMove where another of its kind is open, or there is nothing to add to."""
    require_applicant(dossier, by)
    require_running(dossier, now)
    _require_possible(dossier, annex)
    fresh = replace(annex, state=AnnexState.SUBMITTED, changed_at=now, submitted_at=now, votes=())
    after = replace(dossier, annexes=(*dossier.annexes, fresh))
    entry = record(after, "annex.submitted", at=now, by=by.id, reason=Ground.APPLIED)
    return outcome(dossier, after, entry, tell(Notice.ANNEX_RECEIVED))


def _require_possible(dossier: Dossier, annex: Annex) -> None:
    taken = any(each.id == annex.id or (each.open and each.kind is annex.kind) for each in dossier.annexes)
    if taken or (annex.kind is AnnexKind.SPECIALIST and not _can_specialise(dossier, annex)):
        raise NoSuchMove("no such annex now")
    by_authority = any(each.rank in _AUTHORITY for each in annex.evidence)
    if not annex.evidence or (annex.kind is not AnnexKind.RENEWAL and not by_authority):
        raise NoEvidence("nothing was shown that counts for this")


def _can_specialise(dossier: Dossier, annex: Annex) -> bool:
    """A specialist adds a further specialty, by its name; whoever has retired adds none."""
    return dossier.role is not Role.RETIRED and (dossier.role is not Role.SPECIALIST or bool(annex.specialty))


def take_back(dossier: Dossier, by: Actor, annex_id: str, now: datetime) -> Outcome:
    """Let go of an annex that is not decided."""
    annex = _annex(dossier, annex_id)
    after = _with(dossier, _move(dossier, annex, AnnexState.REFUSED, by, now))
    return outcome(dossier, after, record(after, "annex.refused", at=now, by=by.id, reason=Ground.OWN_WISH))


# ── reviewers ──


def take(dossier: Dossier, by: Actor, annex_id: str, now: datetime) -> Outcome:
    """Begin to review an annex."""
    annex = _annex(dossier, annex_id)
    after = _with(dossier, _move(dossier, annex, AnnexState.IN_REVIEW, by, now))
    return outcome(dossier, after, record(after, "annex.in_review", at=now, by=by.id, reason=Ground.TAKEN))


def visible_votes(dossier: Dossier, annex_id: str, reviewer: Actor) -> tuple[Vote, ...]:
    """The votes on an annex this person may see: all once the own is cast or it is decided, else none."""
    annex = _annex(dossier, annex_id)
    try:
        require_reviewer(dossier, reviewer)
    except Unmoved:
        return ()
    return annex.votes if has_voted(annex.votes, reviewer) or not annex.open else ()


def vote(
    dossier: Dossier,
    by: Actor,
    annex_id: str,
    choice: Choice,
    ground: Ground,
    now: datetime,
    *,
    hit: Ground | None = None,
    found: terms.Shown | None = None,
) -> Outcome:
    """Say what a reviewer thinks of an annex, once; the lead, where two have disagreed, decides by it.

    `hit` explains somebody who may be the same person; where there is one, nobody accepts alone or without a word.
    `found` is what those who accept have found, by the weakest of them, and until when the country's profile allows the
    role that comes of it; the annex rests on it from the decision on, and not before. Whoever accepts a renewal
    has found every day that the role needs: BadTerms otherwise.
    """
    annex = _annex(dossier, annex_id)
    said = Ballot(by=by, choice=choice, ground=ground, at=now, hit=hit, found=found)
    require_running(dossier, now)
    _require_voter(dossier, annex, said)
    after = _voted(dossier, replace(annex, votes=(*annex.votes, said.cast(1))), said)
    return Outcome(after.dossier, (record(dossier, "vote.cast", at=now, by=by.id), *after.acts))


def _voted(dossier: Dossier, kept: Annex, said: Ballot) -> Outcome:
    """What a vote that is in the annex comes to."""
    counted = _found(kept, said.found)
    if said.approves and kept.kind is AnnexKind.RENEWAL and said.found is not None:
        terms.reverify_on(dossier.role, _shown(dossier, counted, said.found.until), said.at)
    to = _next(dossier, counted, said.by, said.choice)
    if to is None:
        return outcome(dossier, _with(dossier, kept), tell(Notice.DISAGREEMENT, whom=Whom.LEADS))
    if to is AnnexState.ACCEPTED:
        return _accepted(dossier, _move(dossier, counted, to, said.by, said.at), said)
    moved = _move(dossier, kept, to, said.by, said.at)
    after = _with(dossier, moved)
    if to is AnnexState.SECOND_REVIEW:
        return outcome(dossier, after, record(after, "annex.second_review", at=said.at, by=said.by.id))
    entry = record(after, "annex.refused", at=said.at, by=said.by.id, reason=said.ground)
    return outcome(dossier, after, entry, tell(Notice.ANNEX_REFUSED, *reasons(moved.votes)))


def require_looking(dossier: Dossier, by: Actor, annex_id: str, now: datetime) -> None:
    """Raise unless what this person finds in an annex can still be what a vote on it rests on."""
    require_running(dossier, now)
    _require_looking(dossier, _annex(dossier, annex_id), by)


def _require_looking(dossier: Dossier, annex: Annex, by: Actor) -> None:
    if annex.state not in (AnnexState.IN_REVIEW, AnnexState.SECOND_REVIEW):
        raise NoSuchMove("not in review")
    require_reviewer(dossier, by)
    if has_voted(annex.votes, by):
        raise SamePerson("has voted on this")


def _found(annex: Annex, found: terms.Shown | None) -> Annex:
    """The annex as it rests on what was found."""
    if found is None:
        return annex
    return replace(annex, evidence=found.evidence, training_ends=found.training_ends, year_ends=found.year_ends)


def _require_voter(dossier: Dossier, annex: Annex, said: Ballot) -> None:
    _require_looking(dossier, annex, said.by)
    require_other(said.by, (vote.reviewer for vote in annex.votes))
    if disagreed(annex.votes) and StaffRole.LEAD not in said.by.roles:
        raise NotYours("two have disagreed: the lead decides")
    require_reasoned(dossier, said)


def _next(dossier: Dossier, annex: Annex, by: Actor, choice: Choice) -> AnnexState | None:
    """Where this vote leads; None where two disagree now."""
    to = AnnexState.ACCEPTED if choice is Choice.APPROVE else AnnexState.REFUSED
    if annex.state is AnnexState.IN_REVIEW:
        proved = proved_electronically(annex.evidence) or _is_delta(annex)
        alone = to is AnnexState.ACCEPTED and proved and not dossier.open_hit
        return to if alone else AnnexState.SECOND_REVIEW
    return to if two_agree(annex.votes, by, choice) or lead_decides(annex.votes, by, choice) else None


def _accepted(dossier: Dossier, annex: Annex, said: Ballot) -> Outcome:
    after, now = _with(dossier, annex), said.at
    acts: tuple[Act, ...] = (record(dossier, "annex.accepted", at=now, by=said.by.id, reason=said.ground),)
    shown = _shown(dossier, annex, said.found.until if said.found is not None else None)
    if annex.kind is AnnexKind.SPECIALIST:
        after = _specialist(after, shown, now)
    if annex.kind is AnnexKind.RENEWAL:
        after, more = _renewed(after, shown, said.by, now)
        acts += more
    notice = Notice.RENEWED if annex.kind is AnnexKind.RENEWAL else Notice.ANNEX_ACCEPTED
    return outcome(dossier, after, *acts, tell(notice, until=after.reverify_on))


def _shown(dossier: Dossier, annex: Annex, until: datetime | None) -> terms.Shown:
    """What the verification rests on with this annex."""
    return terms.Shown(
        evidence=annex.evidence,
        training_ends=annex.training_ends or dossier.training_ends,
        year_ends=annex.year_ends or dossier.year_ends,
        followed=dossier.followed,
        until=until,
    )


def _specialist(dossier: Dossier, shown: terms.Shown, now: datetime) -> Dossier:
    """A new role. A verification that is due all the same stays due: only the certificate was looked at.

    So it is with a further specialty: the day on which a specialist is verified again does not move.
    """
    if dossier.role is Role.SPECIALIST:
        return dossier
    if dossier.state is State.REVERIFY_DUE:
        return replace(dossier, role=Role.SPECIALIST)
    ends = terms.reverify_on(Role.SPECIALIST, shown, now)
    return replace(dossier, role=Role.SPECIALIST, verified_at=now, reverify_on=ends)


def _renewed(dossier: Dossier, shown: terms.Shown, by: Actor, now: datetime) -> tuple[Dossier, tuple[Act, ...]]:
    ends = terms.reverify_on(dossier.role, shown, now)
    acts: tuple[Act, ...] = ()
    if dossier.state is State.REVERIFY_DUE:
        dossier, entry = step(dossier, State.APPROVED, at=now, by=by, ground=Ground.RENEWED)
        acts = (entry,)
    dossier = replace(dossier, training_ends=shown.training_ends, year_ends=shown.year_ends)
    return replace(dossier, verified_at=now, reverify_on=ends), acts


# ── the table ──


def _annex(dossier: Dossier, annex_id: str) -> Annex:
    found = next((each for each in dossier.annexes if each.id == annex_id), None)
    if found is None:
        raise NoSuchMove("no such annex")
    return found


def _with(dossier: Dossier, annex: Annex) -> Dossier:
    return replace(dossier, annexes=tuple(annex if each.id == annex.id else each for each in dossier.annexes))


def _is_delta(annex: Annex) -> bool:
    """A specialist certificate that authority and register agree on."""
    ranks = any(each.rank in _AUTHORITY for each in annex.evidence)
    return annex.kind is AnnexKind.SPECIALIST and ranks and any(each.matched for each in annex.evidence)


def _move(dossier: Dossier, annex: Annex, to: AnnexState, by: Actor, now: datetime) -> Annex:
    """Return the annex in its next state; raise an Unmoved where no way is open."""
    require_running(dossier, now)
    if to is AnnexState.ACCEPTED:
        _require_each_explained(dossier, annex)
    ways = ANNEX_MOVES[annex.state].get(to, ())
    if not ways or now < annex.changed_at:
        raise NoSuchMove("no such move of an annex")
    refusals: list[Unmoved] = []
    for way in ways:
        try:
            _WAYS[way](dossier, annex, to, by)
        except Unmoved as refusal:
            refusals.append(refusal)
        else:
            return replace(annex, state=to, changed_at=now)
    raise refusals[0]


def _require_each_explained(dossier: Dossier, annex: Annex) -> None:
    """Where somebody may be the same person, two have to accept, and each of them with a word on it."""
    require_explained(dossier, annex.votes)
    if dossier.open_hit and len(annex.votes) < 2:
        raise NotAgreed("a second reviewer is needed")


def _agreeing(holds: Callable[[Annex, AnnexState, Actor], bool]) -> Callable[[Dossier, Annex, AnnexState, Actor], None]:
    """A way of reviewers on which this must hold."""

    def way(dossier: Dossier, annex: Annex, to: AnnexState, by: Actor) -> None:
        require_reviewer(dossier, by)
        if not holds(annex, to, by):
            raise NotAgreed("a second reviewer is needed")

    return way


def _by_applicant(dossier: Dossier, annex: Annex, to: AnnexState, by: Actor) -> None:
    require_applicant(dossier, by)


def _by_system(dossier: Dossier, annex: Annex, to: AnnexState, by: Actor) -> None:
    if by.part is not Part.SYSTEM:
        raise NotYours("not the system")


def _opens(annex: Annex, to: AnnexState, by: Actor) -> bool:
    return to is AnnexState.IN_REVIEW or has_voted(annex.votes, by)


def _electronic(annex: Annex, to: AnnexState, by: Actor) -> bool:
    return proved_electronically(annex.evidence) and alone_agrees(annex.votes, by, _CHOICE[to])


def _delta(annex: Annex, to: AnnexState, by: Actor) -> bool:
    return _is_delta(annex) and alone_agrees(annex.votes, by, _CHOICE[to])


def _two(annex: Annex, to: AnnexState, by: Actor) -> bool:
    return two_agree(annex.votes, by, _CHOICE[to])


def _lead(annex: Annex, to: AnnexState, by: Actor) -> bool:
    return StaffRole.LEAD in by.roles and lead_decides(annex.votes, by, _CHOICE[to])


_WAYS: Final[Mapping[Way, Callable[[Dossier, Annex, AnnexState, Actor], None]]] = {
    Way.REVIEWER: _agreeing(_opens),
    Way.ELECTRONIC: _agreeing(_electronic),
    Way.DELTA: _agreeing(_delta),
    Way.VOTES: _agreeing(_two),
    Way.LEAD: _agreeing(_lead),
    Way.APPLICANT: _by_applicant,
    Way.SYSTEM: _by_system,
}


def new(
    annex_id: str,
    kind: AnnexKind,
    evidence: tuple[Evidence, ...],
    now: datetime,
    *,
    training_ends: datetime | None = None,
    year_ends: datetime | None = None,
    specialty: str = "",
) -> Annex:
    """An annex to hand in, with the days that are stated in it and the specialty it is about."""
    return Annex(
        id=annex_id,
        kind=kind,
        state=AnnexState.SUBMITTED,
        evidence=evidence,
        changed_at=now,
        submitted_at=now,
        training_ends=training_ends,
        year_ends=year_ends,
        specialty=specialty,
    )

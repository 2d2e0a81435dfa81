"""What the review desk shows of a dossier, beside what it rests on; `desk_queue` has the lists.

Whoever calls has asked whether this person may see it (`dossiers.open_to`). Nothing of the network is in here, and
`held`, which administrators see, has nothing of an applicant but the handle they asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from instance.services.dossiers.pieces import Grade, kind_of
from instance.services.dossiers.values import (
    Earlier,
    File,
    Findings,
    HistoryLine,
    RegisterAnswer,
    ShownPiece,
)
from instance.services.errors import Missing
from verification import annexes, review
from verification.dossier import Annex, Dossier, Proposal, Vote
from verification.errors import NotAllowed
from verification.grounds import Ground, grounds_for
from verification.moves import OPEN, AnnexState, State
from verification.people import Actor, StaffRole
from verification.ways import PROPOSAL, awaited, disagreed, unheard

if TYPE_CHECKING:
    from instance.evidence import EvidenceFile
    from instance.wiring import Node

#: What the history has words of its own for; moves of the dossier are said by the state they led to.
ACTS: Final = (
    "vote.cast", "evidence.viewed", "evidence.erased", "facts.erased", "decision.erased", "export.made",
    "register.changed",
    "register.unchanged", "register.looked_at", "dossier.opened", "findings.kept", "dossier.retired",
    "dossier.suspension_confirmed",
    "proposal.approved", "proposal.revoked", "proposal.deceased",
    "campaign.enrolled", "annex.submitted", "annex.in_review", "annex.second_review", "annex.accepted", "annex.refused",
)  # fmt: skip
OPENED: Final = "dossier.opened"
FOUND: Final = "findings.kept"
_REVIEWING: Final = frozenset({State.IN_REVIEW, State.SECOND_REVIEW})


# ── a dossier ──


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceView:
    """One thing that was shown: the claim, its files that may be looked at, what the register and this reviewer say."""

    shown: ShownPiece
    kind: str
    files: Sequence[EvidenceFile]
    answer: RegisterAnswer | None
    found: Findings
    looked: bool
    #: Whether what it was shown for is not decided yet.
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnexView:
    """An annex that is not decided, with what this reviewer may know of it and do about it."""

    annex: Annex
    name: str
    pieces: Sequence[PieceView]
    votes: Sequence[Vote]
    grade: Grade | None
    offers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierView:
    """Everything one reviewer may see of a dossier, and what may be done about it."""

    file: File
    pieces: Sequence[PieceView]
    annexes: Sequence[AnnexView]
    votes: Sequence[Vote]
    #: None where no policy says what the evidence is worth: then nobody is asked to vote.
    grade: Grade | None
    offers: frozenset[str]
    #: The reasons that may be given for what is offered, by act.
    reasons: Mapping[str, Sequence[str]]
    proposals: Sequence[Proposal]
    tasks: Sequence[Mapping[str, object]]
    history: Sequence[HistoryLine]
    linked: frozenset[str]
    #: What came of each possible duplicate, by its dossier.
    outcomes: Mapping[str, Sequence[HistoryLine]]
    earlier: Sequence[Earlier]


async def dossier(node: Node, file: File, actor: Actor) -> DossierView:
    """Put a dossier together for a reviewer who may judge it."""
    kept = {each.id: each for each in await node.evidence.files(file.dossier.id)}
    visible = visible_files(file)
    waiting = [each for each in file.dossier.annexes if each.open]

    async def looked_at(pieces: Iterable[ShownPiece]) -> list[PieceView]:
        return [await _piece(node, file, actor, piece, kept, visible) for piece in pieces]

    two = accepted(file.dossier, actor, node.clock())
    tasks, earlier = await node.store.all("dossiers.tasks", dossier=file.dossier.id), await node.dossiers.earlier(file)
    return DossierView(
        file=file, pieces=await looked_at(file.counting()),
        annexes=[await _annex(node, file, actor, each, await looked_at(file.counting(each.id))) for each in waiting],
        votes=review.visible_votes(file.dossier, actor), grade=await _worth(node, file, actor),
        offers=await _open(node, file, offers(file.dossier, actor) | set(two)), reasons=two,
        proposals=proposals(file.dossier, node.clock()),
        tasks=[row for row in tasks if row["closed_at"] is None],
        history=_told(await node.dossiers.history(file.dossier.id), actor),
        linked=await _linked(node, file, earlier, actor),
        outcomes={hit.dossier: await node.dossiers.reading.outcomes(hit.dossier) for hit in file.hits},
        earlier=earlier,
    )  # fmt: skip


async def _piece(
    node: Node, file: File, actor: Actor, piece: ShownPiece, kept: Mapping[str, EvidenceFile], visible: frozenset[str]
) -> PieceView:
    answer = None if piece.number is None else await node.dossiers.register_answer(file.dossier.id, piece.id)
    return PieceView(
        shown=piece, kind=kind_of(piece.proof).value, answer=answer, looked=actor.id in piece.findings,
        open=piece.annex in reviewed(file.dossier),
        files=[kept[each] for each in piece.files if each in kept and each in visible],
        found=piece.findings.get(actor.id, Findings()),
    )  # fmt: skip


async def _annex(node: Node, file: File, actor: Actor, annex: Annex, pieces: Sequence[PieceView]) -> AnnexView:
    return AnnexView(
        annex=annex, name=file.annex_names.get(annex.id, ""), pieces=pieces,
        votes=annexes.visible_votes(file.dossier, annex.id, actor),
        grade=await _worth(node, file, actor, annex.id),
        offers=await _open(node, file, _annex_offers(file.dossier, annex, actor)),
    )  # fmt: skip


async def _worth(node: Node, file: File, actor: Actor, annex: str = "") -> Grade | None:
    """What the evidence is worth; None in a country that is closed."""
    if await node.dossiers.open_policy(file.dossier.country) is None:
        return None
    return await node.dossiers.worth(file.dossier.id, actor, annex)


async def _open(node: Node, file: File, offered: frozenset[str]) -> frozenset[str]:
    """The same without votes in a country that is closed: nothing says what would prove a role."""
    policy = await node.dossiers.open_policy(file.dossier.country)
    return offered if policy is not None else offered - {"vote", "decide"}


async def _linked(node: Node, file: File, earlier: Sequence[Earlier], actor: Actor) -> frozenset[str]:
    """The dossiers of possible duplicates, and earlier ones of the account, that this reviewer may open."""
    others = {hit.dossier for hit in file.hits} | {each.dossier for each in earlier}
    return frozenset([each for each in others if await node.dossiers.is_open_to(each, actor)])


def _told(lines: Sequence[HistoryLine], actor: Actor) -> list[HistoryLine]:
    """The history as a reviewer may read it; all of it stands in the audit log.

    Of openings by one person that follow each other the last; and the own findings alone: who kept none before a vote
    has not approved.
    """
    lines = [line for line in lines if line.act != FOUND or line.by == actor.id.lower()]
    ends = [*((line.act, line.by) for line in lines[1:]), ("", "")]
    return [line for line, end in zip(lines, ends, strict=False) if line.act != OPENED or (line.act, line.by) != end]


def since(lines: Sequence[HistoryLine], known: int) -> list[HistoryLine]:
    """What has changed since an entry: that somebody looked, or took the own data away, changes nothing."""
    nothing = (OPENED, FOUND, "evidence.viewed", "export.made")
    return [line for line in lines if line.n > known and line.act not in nothing]


def visible_files(file: File) -> frozenset[str]:
    """The files a review needs now: of an application while it is looked at, of an annex until it is decided."""
    now = reviewed(file.dossier)
    return frozenset(id for piece in file.pieces if piece.counts and piece.annex in now for id in piece.files)


def reviewed(dossier: Dossier) -> frozenset[str]:
    """What of a dossier is not decided: annexes by id, the application by an empty one."""
    application = {""} if dossier.state in OPEN else set()
    return frozenset({each.id for each in dossier.annexes if each.open} | application)


async def people(node: Node) -> Mapping[str, str]:
    """What members of staff, also those who have left, are called here, by id in small letters."""
    return {row["id"].lower(): row["login"] for row in await node.store.all("desk.people")}


def offers(dossier: Dossier, actor: Actor) -> frozenset[str]:
    """What this reviewer can do now without a second person: take, ask, vote, decide."""
    state, votes = dossier.state, dossier.votes_now()
    voted = any(vote.reviewer == actor.id for vote in votes)
    found = {"take"} if state in (State.SUBMITTED, State.APPEALED) else set()
    if state in _REVIEWING:
        heard = not unheard(dossier) or awaited(dossier, actor)
        found |= {"ask"} | (_vote_offers(votes, actor, voted=voted) if heard else set())
    return frozenset(found)


def _vote_offers(votes: tuple[Vote, ...], actor: Actor, *, voted: bool) -> set[str]:
    if voted or not actor.near.isdisjoint(vote.reviewer for vote in votes):
        return set()
    if not disagreed(votes):
        return {"vote"}
    return {"decide"} if StaffRole.LEAD in actor.roles else set()


def accepted(dossier: Dossier, actor: Actor, now: datetime) -> Mapping[str, Sequence[str]]:
    """Of what takes two, and of an emergency, what this person would not be refused now, with the reasons for it.

    The rule that refuses is asked itself, so that nobody is offered in vain what another person must do.
    """
    reasoned = {
        "suspend": (State.SUSPENDED, review.suspend), "lift": (State.APPROVED, review.lift),
        "revoke": (State.REVOKED, review.revoke),
    }  # fmt: skip
    found: dict[str, Sequence[str]] = {
        act: [each.value for each in Ground if each in grounds_for(dossier.state, to)
              and _moves(partial(does, dossier, actor, each, now))]
        for act, (to, does) in reasoned.items()
    }  # fmt: skip
    bare = {"confirm": review.confirm, "death": review.report_death}
    return {act: grounds for act, grounds in found.items() if grounds} | {
        act: () for act, does in bare.items() if _moves(partial(does, dossier, actor, now))
    }


def _moves(act: Callable[[], object]) -> bool:
    try:
        act()
    except NotAllowed:
        return False
    return True


def _annex_offers(dossier: Dossier, annex: Annex, actor: Actor) -> frozenset[str]:
    if not dossier.renewable:
        return frozenset()
    if annex.state is AnnexState.SUBMITTED:
        return frozenset({"take"})
    voted = any(vote.reviewer == actor.id for vote in annex.votes)
    return frozenset(_vote_offers(annex.votes, actor, voted=voted))


def proposals(dossier: Dossier, now: datetime) -> tuple[Proposal, ...]:
    """What somebody proposed and a second person can still agree with."""
    return tuple(each for each in dossier.proposals if now <= each.at + PROPOSAL)


def proposed(waiting: Iterable[Proposal]) -> Mapping[str, str]:
    """The reason that was proposed, by act: whoever agrees gives the same."""
    acts = {State.APPROVED: "lift", State.REVOKED: "revoke"}
    return {acts[each.to]: each.ground.value for each in waiting if each.to in acts}


def in_order(grounds: Iterable[Ground]) -> list[str]:
    """Codes as they stand in the list of all reasons."""
    wanted = set(grounds)
    return [each.value for each in Ground if each in wanted]


def act_of(line: HistoryLine) -> str:
    """What the history calls an entry: one of ACTS, `state.` with a state of the dossier, or `other`."""
    state = line.act.removeprefix("dossier.")
    if line.act in ACTS:
        return line.act
    return f"state.{state}" if state in set(State) else "other"


# ── what administrators see ──


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A doctor by handle, as an administrator sees one: where the dossier stands, and what waits for a second."""

    dossier: str
    handle: str
    state: State
    version: int
    until: datetime | None
    #: What is offered, with the reasons that may be given for it.
    reasons: Mapping[str, Sequence[str]]
    proposals: Sequence[Proposal]


async def held(node: Node, actor: Actor, handle: str) -> Held:
    """A doctor of this instance who has a dossier; raise Missing for any other."""
    row = await node.store.one("dossiers.of_doctor", doctor=f"{node.origin}/doctors/{handle}")
    if row is None:
        raise Missing
    return await held_of(node, actor, row["id"])


async def held_of(node: Node, actor: Actor, dossier_id: str) -> Held:
    """The same, by the dossier."""
    file = await node.dossiers.file(dossier_id)
    found, emergency = file.dossier, file.dossier.emergency
    allowed = accepted(found, actor, node.clock())
    waits = found.state is State.SUSPENDED and emergency is not None and not emergency.confirmed
    return Held(
        dossier=found.id, handle=(file.doctor or "").rpartition("/")[2], state=found.state, version=file.version,
        until=emergency.until if waits and emergency is not None else None, reasons=allowed,
        # A death is said by two reviewers: an administrator has no part in it.
        proposals=[each for each in proposals(found, node.clock()) if each.to is not State.DECEASED],
    )  # fmt: skip

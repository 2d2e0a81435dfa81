"""Rows to dossiers and back: what is read is what was saved, member by member."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from instance.services.dossiers.numbers import Numbers
from instance.services.dossiers.values import Claim, File, Findings, Hit, Said, ShownPiece
from instance.services.errors import Missing, Rejected
from instance.storage.store import Reader, Row, Transaction
from instance.times import from_ms, to_ms
from verification import timing
from verification.dossier import (
    Annex,
    Country,
    Dossier,
    DossierId,
    Emergency,
    Evidence,
    EvidenceClass,
    EvidenceKind,
    Proposal,
    Role,
    Vote,
)
from verification.errors import NotAllowed
from verification.grounds import Ground
from verification.moves import AnnexKind, AnnexState, Choice, State
from verification.people import DoctorId, SiteId, StaffId
from verification.registers import numbers as register_numbers
from verification.registers.numbers import Check, Number, NumberKind

CODES: Final = ("changed_meanwhile",)
#: The place of a piece that counted once.
_FORMER: Final = -1
_IN_REVIEW: Final = frozenset({State.IN_REVIEW, State.SECOND_REVIEW, State.SUBMITTED, State.APPEALED})
_COMES: Final = frozenset({State.SUBMITTED, State.APPEALED})
_DECIDED: Final = frozenset({State.APPROVED, State.REJECTED, State.CLOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is saved beside the dossier: the assurance its evidence gives, and who has it in hand."""

    assurance: str
    taken_by: str


# ── reading ──


async def require(rows: Reader, dossier_id: str) -> Row:
    """Return the row of a dossier; raise Missing where there is none."""
    row = await rows.one("dossiers.one", id=dossier_id)
    if row is None:
        raise Missing()
    return row


async def load(rows: Reader, row: Row, numbers: Numbers, kinds: Mapping[str, NumberKind]) -> File:
    """Read everything that hangs on a dossier's row. The secret of `numbers` need not be there."""
    shown = await rows.all("dossiers.pieces", dossier=row["id"])
    found = _findings(await rows.all("dossiers.findings", dossier=row["id"]))
    values = {each["id"]: await numbers.value(rows, each["id"]) for each in shown if each["number_kind"]}
    annexes = await rows.all("dossiers.annexes", dossier=row["id"])
    files: dict[str, list[str]] = defaultdict(list)
    for each in await rows.all("dossiers.files", dossier=row["id"]):
        files[each["piece"]].append(each["file"])
    return File(
        dossier=await value_of(rows, row, shown, annexes), version=row["version"], account=row["account"],
        doctor=row["doctor"], said=_said(row), assurance=row["assurance"], taken_by=row["taken_by"],
        hits=await hits_of(rows, row["id"]),
        pieces=tuple(
            _piece(each, values.get(each["id"]), found[each["id"]], kinds, files[each["id"]]) for each in shown
        ),
        annex_names={each["id"]: each["name"] for each in annexes if each["name"]},
        handed_at=_time(row["handed_at"]),
        decided_at=_time(row["decided_at"]), created_at=from_ms(row["created_at"]),
    )  # fmt: skip


async def value_of(
    rows: Reader, row: Row, shown: Iterable[Row] | None = None, annexes: Iterable[Row] | None = None
) -> Dossier:
    """The dossier as the medical room knows it."""
    shown = await rows.all("dossiers.pieces", dossier=row["id"]) if shown is None else shown
    annexes = await rows.all("dossiers.annexes", dossier=row["id"]) if annexes is None else annexes
    votes = await rows.all("dossiers.votes", dossier=row["id"])
    proposals = await rows.all("dossiers.proposals", dossier=row["id"])
    evidence: dict[str, list[Evidence]] = defaultdict(list)
    for each in shown:
        if each["place"] is not None and each["place"] != _FORMER:
            evidence[each["annex"]].append(_evidence(each))
    said: dict[str, list[Vote]] = defaultdict(list)
    for each in votes:
        said[each["annex"]].append(_vote(each))
    return Dossier(
        id=DossierId(row["id"]), doctor=DoctorId(row["account"]), country=Country(row["country"]),
        role=Role(row["role"]), state=State(row["state"]), changed_at=from_ms(row["changed_at"]),
        evidence=tuple(evidence[""]), votes=tuple(said[""]), round=row["round"],
        sites=frozenset(SiteId(each) for each in json.loads(row["sites"])),
        proposals=tuple(map(_proposal, proposals)),
        annexes=tuple(_annex(each, evidence[each["id"]], said[each["id"]]) for each in annexes),
        submitted_at=_time(row["submitted_at"]), approved_at=_time(row["approved_at"]),
        verified_at=_time(row["verified_at"]), reverify_on=_time(row["reverify_on"]),
        appealed_at=_time(row["appealed_at"]), appeal_round=row["appeal_round"], emergency=_emergency(row),
        training_ends=_time(row["training_ends"]), year_ends=_time(row["year_ends"]), followed=bool(row["followed"]),
        open_hit=bool(row["open_hit"]), campaign=row["campaign"], reminded=row["reminded"],
        asked=None if row["asked"] is None else Ground(row["asked"]),
        decided_before=frozenset(StaffId(each) for each in json.loads(row["decided_before"])),
    )  # fmt: skip


async def hits_of(rows: Reader, dossier_id: str) -> tuple[Hit, ...]:
    """Who may be the same person under another account: the same number, the same file, or name and birth date."""
    found: list[Hit] = []
    for same in ("number", "file", "person"):
        for row in await rows.all(f"dossiers.same_{same}", dossier=dossier_id):
            found.append(Hit(dossier=row["id"], state=State(row["state"]), same=same))
    return tuple(found)


def _said(row: Row) -> Said:
    lists = {name: tuple(json.loads(row[name])) for name in ("specialties", "languages")}
    return Said(name=row["name"], handle=row["handle"], email=row["email"], **lists)


def _evidence(row: Row) -> Evidence:
    return Evidence(
        id=row["id"], kind=EvidenceKind(row["kind"]), rank=EvidenceClass(row["rank"]), at=from_ms(row["at"]),
        automatic=bool(row["automatic"]), matched=bool(row["matched"]), number=row["number_kind"],
    )  # fmt: skip


def _vote(row: Row) -> Vote:
    return Vote(
        reviewer=StaffId(row["reviewer"]), round=row["round"], choice=Choice(row["choice"]),
        ground=Ground(row["ground"]), at=from_ms(row["at"]), hit=None if row["hit"] is None else Ground(row["hit"]),
        lead=bool(row["lead"]),
    )  # fmt: skip


def _proposal(row: Row) -> Proposal:
    return Proposal(
        to=State(row["to_state"]), by=StaffId(row["by_whom"]), reviewer=bool(row["reviewer"]),
        ground=Ground(row["ground"]), at=from_ms(row["at"]),
    )  # fmt: skip


def _annex(row: Row, evidence: list[Evidence], votes: list[Vote]) -> Annex:
    return Annex(
        id=row["id"], kind=AnnexKind(row["kind"]), state=AnnexState(row["state"]), evidence=tuple(evidence),
        changed_at=from_ms(row["changed_at"]), submitted_at=from_ms(row["submitted_at"]), votes=tuple(votes),
        training_ends=_time(row["training_ends"]), year_ends=_time(row["year_ends"]), specialty=row["specialty"],
    )  # fmt: skip


def _emergency(row: Row) -> Emergency | None:
    if row["emergency_by"] is None:
        return None
    return Emergency(
        by=StaffId(row["emergency_by"]), at=from_ms(row["emergency_at"]), until=from_ms(row["emergency_until"]),
        confirmed=bool(row["emergency_confirmed"]),
    )  # fmt: skip


def _piece(
    row: Row, number: str | None, found: Mapping[str, Findings], kinds: Mapping[str, NumberKind], files: list[str]
) -> ShownPiece:
    claim = msgspec.json.decode(row["claim"], type=Claim)
    place = row["place"]
    return ShownPiece(
        id=row["id"], annex=row["annex"], proof=claim.proof, claim=claim, rank=EvidenceClass(row["rank"]),
        automatic=bool(row["automatic"]), matched=bool(row["matched"]), at=from_ms(row["at"]),
        number=None if number is None else _number(row, number, kinds), waiting=place is None,
        counts=place is not None and place != _FORMER, findings=found, files=tuple(files),
    )  # fmt: skip


def _number(row: Row, value: str, kinds: Mapping[str, NumberKind]) -> Number:
    """The number, with what its check digit says; a kind that a profile has dropped says nothing."""
    try:
        return register_numbers.read(row["number_kind"], value, kinds)
    except NotAllowed:
        return Number(row["number_kind"], row["number_system"], value, Check.NONE)


def _findings(rows: Iterable[Row]) -> dict[str, dict[str, Findings]]:
    found: dict[str, dict[str, Findings]] = defaultdict(dict)
    for row in rows:
        found[row["piece"]][row["reviewer"]] = msgspec.json.decode(row["facts"], type=Findings)
    return found


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


# ── saving ──


async def save(tx: Transaction, file: File, after: Dossier, beside: Beside, now: datetime) -> None:
    """Save a dossier in the place of the one that was read; raise Rejected where somebody else was faster."""
    before = file.dossier
    moments = {
        "handed_at": _handed(file, after, now), "decided_at": _decided(file, after, now),
        "due_at": _ms(_due(after, now)),
    }  # fmt: skip
    saved = await tx.run(
        "dossiers.save", id=after.id, version=file.version, assurance=beside.assurance, taken_by=beside.taken_by,
        **moments, **_columns(after),
    )  # fmt: skip
    if not saved:
        raise Rejected("changed_meanwhile", status=409)
    await _save_annexes(tx, before, after)
    await _save_votes(tx, before, after)
    await _save_evidence(tx, before, after)
    if before.proposals != after.proposals:
        await tx.run("dossiers.drop_proposals", dossier=after.id)
        await tx.many("dossiers.add_proposal", [_proposal_row(after, each) for each in after.proposals])


def _columns(dossier: Dossier) -> dict[str, Any]:
    emergency = dossier.emergency
    times = {
        name: _ms(getattr(dossier, name))
        for name in (
            "submitted_at", "approved_at", "verified_at", "reverify_on", "appealed_at", "training_ends", "year_ends",
        )
    }  # fmt: skip
    return {
        "country": dossier.country, "role": dossier.role.value, "state": dossier.state.value,
        "changed_at": to_ms(dossier.changed_at), "sites": json.dumps(sorted(dossier.sites)), "round": dossier.round,
        "appeal_round": dossier.appeal_round, "emergency_by": None if emergency is None else emergency.by,
        "emergency_at": None if emergency is None else to_ms(emergency.at),
        "emergency_until": None if emergency is None else to_ms(emergency.until),
        "emergency_confirmed": int(emergency is not None and emergency.confirmed),
        "followed": int(dossier.followed), "open_hit": int(dossier.open_hit), "campaign": dossier.campaign,
        "reminded": dossier.reminded, "asked": None if dossier.asked is None else dossier.asked.value, **times,
    }  # fmt: skip


def _due(dossier: Dossier, now: datetime) -> datetime | None:
    coming = timing.due(dossier, now)
    return None if coming is None else coming.at


def _handed(file: File, after: Dossier, now: datetime) -> int | None:
    """Since when it is the desk's turn."""
    came = after.state in _COMES and file.dossier.state is not after.state
    return to_ms(now) if came else _ms(file.handed_at)


def _decided(file: File, after: Dossier, now: datetime) -> int | None:
    """When an application was last decided; a renewal beside it is none."""
    if file.dossier.state in _IN_REVIEW and after.state in _DECIDED:
        return to_ms(now)
    return _ms(file.decided_at)


async def _save_annexes(tx: Transaction, before: Dossier, after: Dossier) -> None:
    kept = {each.id for each in after.annexes}
    for gone in before.annexes:
        if gone.id not in kept:
            await tx.run("dossiers.drop_annex", dossier=after.id, id=gone.id)
            await tx.run("dossiers.drop_annex_votes", dossier=after.id, annex=gone.id)
    for place, each in enumerate(after.annexes):
        await tx.run(
            "dossiers.put_annex", dossier=after.id, id=each.id, place=place, kind=each.kind.value,
            state=each.state.value, changed_at=to_ms(each.changed_at), submitted_at=to_ms(each.submitted_at),
            training_ends=_ms(each.training_ends), year_ends=_ms(each.year_ends), specialty=each.specialty,
        )  # fmt: skip


async def _save_votes(tx: Transaction, before: Dossier, after: Dossier) -> None:
    """Add what was said since; votes are never changed, and one who has spoken in a round is refused by the table."""
    known = {each.id: each.votes for each in before.annexes}
    for annex, old, new in [
        ("", before.votes, after.votes),
        *((each.id, known.get(each.id, ()), each.votes) for each in after.annexes),
    ]:
        added = [(place, vote) for place, vote in enumerate(new) if vote not in old]
        await tx.many("dossiers.add_vote", [_vote_row(after, annex, place, vote) for place, vote in added])


def _vote_row(dossier: Dossier, annex: str, place: int, vote: Vote) -> dict[str, Any]:
    return {
        "dossier": dossier.id, "annex": annex, "round": vote.round, "reviewer": vote.reviewer, "place": place,
        "choice": vote.choice.value, "ground": vote.ground.value, "hit": None if vote.hit is None else vote.hit.value,
        "at": to_ms(vote.at), "lead": int(vote.lead),
    }  # fmt: skip


def _proposal_row(dossier: Dossier, proposal: Proposal) -> dict[str, Any]:
    return {
        "dossier": dossier.id, "to_state": proposal.to.value, "by_whom": proposal.by,
        "reviewer": int(proposal.reviewer), "ground": proposal.ground.value, "at": to_ms(proposal.at),
    }  # fmt: skip


async def _save_evidence(tx: Transaction, before: Dossier, after: Dossier) -> None:
    was, is_now = _places(before), _places(after)
    for id in was.keys() - is_now.keys():
        await tx.run("dossiers.unplace_piece", id=id, dossier=after.id)
    for id, (annex, place, evidence) in is_now.items():
        if was.get(id) != (annex, place, evidence):
            placed = await tx.run(
                "dossiers.place_piece", id=id, dossier=after.id, annex=annex, place=place, rank=evidence.rank.value,
                automatic=int(evidence.automatic), matched=int(evidence.matched), at=to_ms(evidence.at),
            )  # fmt: skip
            if not placed:  # taken back meanwhile
                raise Rejected("changed_meanwhile", status=409)


def _places(dossier: Dossier) -> dict[str, tuple[str, int, Evidence]]:
    shown: list[tuple[str, tuple[Evidence, ...]]] = [
        ("", dossier.evidence),
        *((each.id, each.evidence) for each in dossier.annexes),
    ]
    return {each.id: (annex, place, each) for annex, pieces in shown for place, each in enumerate(pieces)}


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)

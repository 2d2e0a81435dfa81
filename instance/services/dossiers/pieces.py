"""What is shown: claims of applicants, findings of reviewers, and what both are worth to the medical room.

At the beginning a piece has the class it would have if everything claimed held. Nobody is approved on that: a vote to
approve counts on what this reviewer found, and raises Rejected where that does not carry the role.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from instance.services.dossiers.values import Claim, File, Findings, ShownPiece, Stated
from instance.services.errors import Rejected
from verification import assessment, evidence
from verification.assessment import Assessment, lower
from verification.countries import CountryPolicy, Proof
from verification.dossier import Annex, Assurance, Dossier, Evidence, EvidenceClass, EvidenceKind, Role
from verification.errors import NotAllowed
from verification.evidence import (
    PROOFS,
    Control,
    Diploma,
    Piece,
    RegisterMatch,
    Registration,
    StudentCard,
)
from verification.registers import numbers
from verification.registers.numbers import KINDS, Number
from verification.terms import STRONG, Shown, end_of, end_of_year, weaker

CODES: Final = (
    "proof_not_accepted", "number_missing", "number_shape", "role_not_proved", "bad_claim", "day_impossible",
)  # fmt: skip
#: The days that claims and findings hold.
_DAYS: Final = ("issued_on", "valid_until", "training_ends")


@dataclass(frozen=True, slots=True)
class Grade:
    """What a reviewer's findings make of the evidence: graded pieces, and what they are worth together."""

    evidence: tuple[Evidence, ...]
    worth: Assessment

    def require(self, role: Role) -> tuple[Assurance, datetime]:
        """Return the assurance, and until when at the latest; raise Rejected where the role is not carried."""
        if role not in self.worth.verify_again_after or self.worth.assurance is None:
            raise Rejected("role_not_proved", "findings")
        return self.worth.assurance, self.worth.verify_again_after[role]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a decision rests on, and how sure it is."""

    shown: Shown
    assurance: Assurance


def kind_of(proof: Proof) -> EvidenceKind:
    """Of which kind of evidence a proof is."""
    return next(kind for kind, proofs in PROOFS.items() if proof in proofs)


def read_number(claim: Claim, policy: CountryPolicy) -> Number | None:
    """Return the number that is claimed; raise Rejected for one that cannot be, or is missing where it is all."""
    if not claim.number.strip():
        if claim.proof is Proof.REGISTER_NUMBER:
            raise Rejected("number_missing", "number")
        return None
    if claim.number_kind not in policy.kinds:
        raise Rejected("number_shape", "number")
    try:
        return numbers.read(claim.number_kind, claim.number, {**KINDS, **policy.kinds})
    except NotAllowed:
        raise Rejected("number_shape", "number") from None


def check_claim(claim: Claim, policy: CountryPolicy, now: datetime) -> None:
    """Raise Rejected for a proof that is of no use in this country, and for a day or year that cannot be."""
    supports = claim.proof in (Proof.NAME_CHANGE_DEED, Proof.SUPPORTING_LOGIN)
    if not supports and not any(policy.accepts(role, claim.proof) for role in Role):
        raise Rejected("proof_not_accepted", "proof")
    if claim.year_ends is not None and not evidence.can_be_academic_year(claim.year_ends, now):
        raise Rejected("bad_claim", "year_ends")
    check_days(claim, now)


def check_days(said: Stated, now: datetime) -> None:
    """Raise Rejected at the first day or year that can stand in no document."""
    if said.year_ends is not None and not evidence.can_be_academic_year(said.year_ends, now):
        raise Rejected("day_impossible", "year_ends")
    for name in _DAYS:
        day: date | None = getattr(said, name)
        if day is not None and not evidence.can_be_day(day, now):
            raise Rejected("day_impossible", name)


def new_evidence(id: str, claim: Claim, policy: CountryPolicy, number: Number | None, now: datetime) -> Evidence:
    """What the dossier remembers of it, with the class it has if the claim holds."""
    hoped = _piece(claim, number, _hoped(claim))
    found = evidence.rank(hoped, policy, matched=False, now=now)
    rank = found if isinstance(found, EvidenceClass) else EvidenceClass.E4
    automatic = claim.answer is not None and claim.proof is Proof.ELECTRONIC_IDENTITY
    kind, number_kind = kind_of(claim.proof), "" if number is None else number.kind
    return Evidence(id=id, kind=kind, rank=rank, at=now, automatic=automatic, number=number_kind)


def stated(pieces: Iterable[ShownPiece], policy: CountryPolicy) -> tuple[datetime | None, datetime | None]:
    """The end of training and of the academic year that were stated, the latest of each."""
    return _days([piece.claim for piece in pieces], policy)


def _days(said: Iterable[Stated], policy: CountryPolicy) -> tuple[datetime | None, datetime | None]:
    said = tuple(said)
    training = [end_of(each.training_ends) for each in said if each.training_ends is not None]
    month, day = (int(part) for part in policy.academic_year_ends.split("-"))
    years = [end_of_year(each.year_ends, month, day) for each in said if each.year_ends is not None]
    return max(training, default=None), max(years, default=None)


def grade(shown: Iterable[ShownPiece], reviewer: str, policy: CountryPolicy, now: datetime) -> Grade:
    """Say what this reviewer's own findings make of what was shown; a piece nobody looked at counts for nothing."""
    shown = tuple(shown)
    built = [(each, _piece(each.claim, each.number, _found(each, reviewer))) for each in shown]
    worth = assessment.assess([piece for _, piece in built], policy, now=now)
    graded = tuple(_graded(each, piece, policy, worth, now) for each, piece in built)
    return Grade(graded, worth)


def followed(file: File, reviewer: str, found: Grade) -> frozenset[str]:
    """The pieces whose number this reviewer found in the register, active and under this name, with that worth."""
    ranks = {each.id: each.rank for each in found.evidence}
    looked = {each.id: each.findings.get(reviewer, Findings()) for each in file.counting() if each.number is not None}
    return frozenset(
        id for id, said in looked.items() if said.known and said.active and said.known_name and ranks.get(id) in STRONG
    )


def latest(dossier: Dossier, policy: CountryPolicy, verified_at: datetime) -> datetime | None:
    """Until when the country's profile lets somebody be verified on this evidence; None where there is none."""
    best = min((each.rank for each in dossier.evidence), default=None)
    if best is None:
        return None
    return assessment.latest(dossier.role, best, policy, followed=dossier.followed, now=verified_at)


def _graded(shown: ShownPiece, piece: Piece, policy: CountryPolicy, worth: Assessment, now: datetime) -> Evidence:
    found = evidence.rank(piece, policy, matched=worth.matched, now=now)
    rank = found if isinstance(found, EvidenceClass) else EvidenceClass.E4
    return Evidence(
        id=shown.id, kind=piece.kind, rank=rank, at=shown.at, automatic=shown.automatic and rank is EvidenceClass.E1,
        matched=worth.matched, number="" if shown.number is None else shown.number.kind,
    )  # fmt: skip


def counted(
    file: File, annex: str, voters: Mapping[str, datetime], role: Role, policy: CountryPolicy,
    known: frozenset[str], now: datetime,
) -> Counted:  # fmt: skip
    """What counts where these people approve an application or annex, each by the own findings: the weakest of it.

    `voters` says when each of them voted; `known` are the pieces whose number an imported register knows. Raises
    Rejected(role_not_proved) where the findings of one of them do not carry the role.
    """
    each = [_looked(file, annex, voter, role, policy, known, at, now) for voter, at in voters.items()]
    return Counted(weaker(*(one.shown for one in each)), lower(*(one.assurance for one in each)))


def _looked(
    file: File, annex: str, voter: str, role: Role, policy: CountryPolicy, known: frozenset[str], at: datetime,
    now: datetime,
) -> Counted:  # fmt: skip
    """What one of them found; a document that was current when they voted was enough for that vote."""
    shown = file.counting(annex)
    found = grade(shown, voter, policy, now)
    if role not in found.worth.verify_again_after:
        found = grade(shown, voter, policy, at)
    assurance, until = found.require(role)
    stated: Dossier | Annex = next((each for each in file.dossier.annexes if each.id == annex), file.dossier)
    training, year = _days([each.findings[voter] for each in shown if voter in each.findings], policy)
    counts = file.dossier.followed if annex else bool(known & followed(file, voter, found))
    return Counted(
        Shown(
            evidence=found.evidence, training_ends=_earlier(stated.training_ends, training),
            year_ends=_earlier(stated.year_ends, year), followed=counts, until=until,
        ),
        assurance,
    )  # fmt: skip


def _earlier(claimed: datetime | None, read: datetime | None) -> datetime | None:
    """What was read takes the place of what was claimed, where it is earlier."""
    return min((each for each in (claimed, read) if each is not None), default=None)


def _found(shown: ShownPiece, reviewer: str) -> Findings:
    """What this reviewer found; what the authority's own system proved needs nobody to read it."""
    found = shown.findings.get(reviewer, Findings())
    return replace(found, same_name=True) if shown.automatic else found


def _hoped(claim: Claim) -> Findings:
    return Findings(
        same_name=True, from_authority=True, identity_shown=True, specialist=claim.specialist, medicine=claim.medicine,
        residency=claim.residency, control=Control.IDENTITY_DOCUMENT_LIVE, known=True, active=True, known_name=True,
        issued_on=claim.issued_on, valid_until=claim.valid_until, year_ends=claim.year_ends,
        training_ends=claim.training_ends,
    )  # fmt: skip


def _piece(claim: Claim, number: Number | None, found: Findings) -> Piece:
    match kind_of(claim.proof):
        case EvidenceKind.DIPLOMA:
            return Diploma(proof=claim.proof, same_name=found.same_name, from_authority=found.from_authority)
        case EvidenceKind.REGISTRATION:
            return Registration(
                proof=claim.proof, number=number, match=_match(found), control=found.control,
                same_name=found.same_name, from_authority=found.from_authority, identity_shown=found.identity_shown,
                specialist=found.specialist, issued_on=found.issued_on, valid_until=found.valid_until,
                answer=claim.answer,
            )  # fmt: skip
        case EvidenceKind.STUDENT_CARD:
            return StudentCard(
                proof=claim.proof, medicine=found.medicine, residency=found.residency, same_name=found.same_name,
                year_ends=found.year_ends, training_ends=found.training_ends,
            )  # fmt: skip


def _match(found: Findings) -> RegisterMatch | None:
    if not found.known:
        return None
    return RegisterMatch(active=found.active, same_name=found.known_name, specialist=found.known_specialist)

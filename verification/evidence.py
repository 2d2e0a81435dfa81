"""What an applicant shows, and the class of each piece of it.

A value here is what a reviewer, a register or the authority's own system found; what nobody found is False or None, and
counts for nothing. What the pieces are worth together is `assessment`'s to say, what makes a file acceptable
`documents`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from verification.countries import CARDS, CountryPolicy, Proof
from verification.dossier import EvidenceClass, EvidenceKind
from verification.grounds import Ground
from verification.issuers import SKEW
from verification.names import same_name
from verification.registers.imports import RegisterEntry
from verification.registers.numbers import Number
from verification.terms import months_on

#: A certificate of current professional status is current for so long.
STATUS_MONTHS: Final = 3
#: Days and years that can stand in a document of somebody who works: from then, and for so many years to come.
EARLIEST: Final = date(1900, 1, 1)
EARLIEST_YEAR: Final = 2000
YEARS_AHEAD: Final = 50
ACADEMIC_YEARS_AHEAD: Final = 20
#: What the authority's own system said is taken for so long.
ANSWER_LIFE: Final = timedelta(hours=24)


class Control(StrEnum):
    """How somebody showed that the entry in the register is their own."""

    CODE_TO_REGISTERED_ADDRESS = "code_to_registered_address"
    MAILBOX_OF_THE_AUTHORITY = "mailbox_of_the_authority"
    IDENTITY_DOCUMENT_LIVE = "identity_document_live"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMatch:
    """The register knows this number: whether as active, under this name, and with a specialist title."""

    active: bool = False
    same_name: bool = False
    specialist: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronicAnswer:
    """What the authority's own system said at sign-in: the profession's code, the level, and when."""

    profession: str
    level: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Diploma:
    """A licence deed, a degree, a specialist certificate, or a deed of a change of name that goes with another."""

    proof: Proof
    same_name: bool = False
    #: Issued by the authority that licenses doctors, or by its chamber.
    from_authority: bool = False
    kind: EvidenceKind = EvidenceKind.DIPLOMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Registration with the Order or chamber: a number in the register, a document, a card, an electronic identity."""

    proof: Proof
    number: Number | None = None
    match: RegisterMatch | None = None
    control: Control | None = None
    same_name: bool = False
    from_authority: bool = False
    identity_shown: bool = False
    specialist: bool = False
    issued_on: date | None = None
    valid_until: date | None = None
    answer: ElectronicAnswer | None = None
    kind: EvidenceKind = EvidenceKind.REGISTRATION


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentCard:
    """A student card, a resident's card or an employer's letter.

    `medicine` is None where no subject is named; `residency`: the holder is a doctor in training; `year_ends` is the
    calendar year in which the academic year of the card ends.
    """

    proof: Proof
    medicine: bool | None = None
    residency: bool = False
    same_name: bool = False
    year_ends: int | None = None
    training_ends: date | None = None
    kind: EvidenceKind = EvidenceKind.STUDENT_CARD


Piece = Diploma | Registration | StudentCard

#: Which proofs each kind of evidence can be.
PROOFS: Final[Mapping[EvidenceKind, frozenset[Proof]]] = MappingProxyType(
    {
        EvidenceKind.DIPLOMA: frozenset(
            {Proof.LICENCE, Proof.DEGREE, Proof.SPECIALIST_CERTIFICATE, Proof.NAME_CHANGE_DEED}
        ),
        EvidenceKind.REGISTRATION: frozenset(
            {
                Proof.REGISTER_NUMBER,
                Proof.ATTESTATION,
                Proof.STATUS_CERTIFICATE,
                Proof.DOCTORS_CARD,
                Proof.ELECTRONIC_IDENTITY,
                Proof.SUPPORTING_LOGIN,
            }
        ),
        EvidenceKind.STUDENT_CARD: CARDS,
    }
)


def can_be_day(day: date, now: datetime) -> bool:
    """Whether a day can stand in a document at all; what it means there is `rank`'s to say."""
    return day >= EARLIEST and day.year <= now.year + YEARS_AHEAD


def can_be_academic_year(year: int, now: datetime) -> bool:
    """Whether the academic year of a card can end in this year."""
    return EARLIEST_YEAR <= year <= now.year + ACADEMIC_YEARS_AHEAD


def compare(entry: RegisterEntry, name: str, *, specialist: bool = False) -> RegisterMatch:
    """Compare an imported entry with the applicant's name; whether its codes mean a specialist the caller says."""
    return RegisterMatch(active=entry.active, same_name=same_name(entry.name, name), specialist=specialist)


def rank(shown: Piece, policy: CountryPolicy, *, matched: bool, now: datetime) -> EvidenceClass | Ground:
    """Give the class of one piece, or the reason why it counts for nothing; `matched`: a register knows the doctor."""
    if shown.proof not in PROOFS[shown.kind]:
        return Ground.INCOMPLETE
    if not shown.same_name and shown.proof is not Proof.REGISTER_NUMBER:
        return Ground.NAME_DIFFERS
    match shown:
        case Diploma():
            return _diploma(shown, matched=matched)
        case Registration():
            return _registration(shown, policy, now=now)
        case StudentCard():
            return _card(shown, policy, now=now)


def _diploma(shown: Diploma, *, matched: bool) -> EvidenceClass | Ground:
    if shown.proof is Proof.NAME_CHANGE_DEED:
        return Ground.INCOMPLETE
    if shown.proof is not Proof.DEGREE and shown.from_authority:
        return EvidenceClass.E3
    if shown.proof is Proof.LICENCE:
        return Ground.NOT_FROM_AUTHORITY
    return EvidenceClass.E2 if matched else EvidenceClass.E4


def _registration(shown: Registration, policy: CountryPolicy, *, now: datetime) -> EvidenceClass | Ground:
    match shown.proof:
        case Proof.REGISTER_NUMBER:
            return _number(shown, policy)
        case Proof.ELECTRONIC_IDENTITY:
            return _electronic(shown.answer, policy, now=now)
        case Proof.ATTESTATION | Proof.STATUS_CERTIFICATE:
            return _certificate(shown, now.astimezone(UTC).date())
        case Proof.DOCTORS_CARD:
            if shown.valid_until is not None and shown.valid_until < now.astimezone(UTC).date():
                return Ground.EXPIRED_DOCUMENT
            return EvidenceClass.E3 if shown.identity_shown else Ground.IDENTITY_UNPROVED
    # A login elsewhere supports another proof, and is none.
    return Ground.INCOMPLETE


def _number(shown: Registration, policy: CountryPolicy) -> EvidenceClass | Ground:
    """A number counts when the register knows it as active, under this name, and the applicant has shown control."""
    if policy.register is None or shown.number is None:
        return Ground.INCOMPLETE
    if shown.match is None:
        return Ground.NUMBER_NOT_FOUND
    if not shown.match.active:
        return Ground.REGISTER_INACTIVE
    if not shown.match.same_name:
        return Ground.NAME_DIFFERS
    return Ground.IDENTITY_UNPROVED if shown.control is None else EvidenceClass.E2


def _electronic(answer: ElectronicAnswer | None, policy: CountryPolicy, *, now: datetime) -> EvidenceClass | Ground:
    wanted = policy.electronic
    if wanted is None or answer is None:
        return Ground.INCOMPLETE
    if answer.profession not in wanted.professions:
        return Ground.NOT_A_DOCTOR
    if wanted.level is not None and answer.level != wanted.level:
        return Ground.IDENTITY_UNPROVED
    fresh = -SKEW <= now - answer.at <= ANSWER_LIFE
    return EvidenceClass.E1 if fresh else Ground.CERTIFICATE_TOO_OLD


def _certificate(shown: Registration, today: date) -> EvidenceClass | Ground:
    if not shown.from_authority:
        return Ground.NOT_FROM_AUTHORITY
    if shown.issued_on is None or shown.issued_on > today:
        return Ground.INCOMPLETE
    current_until = months_on(datetime.combine(shown.issued_on, time(), UTC), STATUS_MONTHS).date()
    if shown.proof is Proof.STATUS_CERTIFICATE and current_until < today:
        return Ground.CERTIFICATE_TOO_OLD
    return EvidenceClass.E3


def _card(shown: StudentCard, policy: CountryPolicy, *, now: datetime) -> EvidenceClass | Ground:
    today = now.astimezone(UTC).date()
    if shown.proof is Proof.STUDENT_CARD and shown.medicine is None:
        return Ground.SUBJECT_MISSING
    if shown.medicine is False:
        return Ground.NOT_A_DOCTOR
    if shown.proof is not Proof.STUDENT_CARD and not shown.residency:
        return Ground.INCOMPLETE
    if shown.proof is not Proof.EMPLOYER_LETTER:
        if shown.year_ends is None:
            return Ground.INCOMPLETE
        if shown.year_ends < policy.year_end(today).year:
            return Ground.EXPIRED_DOCUMENT
    if shown.training_ends is not None and shown.training_ends < today:
        return Ground.EXPIRED_DOCUMENT
    if not shown.residency and not policy.students.admitted:
        return Ground.STUDENTS_NOT_ADMITTED
    return EvidenceClass.E4

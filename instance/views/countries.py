"""What the pages of countries' policies show: a profile beside what is in force, row by row.

Whoever calls has asked whether this person may see it. Nothing of an applicant or a doctor is in here but numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from verification.countries import CountryPolicy, Proof
from verification.dossier import Role
from verification.overlay import (
    PERIODS,
    Change,
    DegreeAlone,
    LetStudents,
    Period,
    PolicyReason,
    StudentRight,
    TakeProof,
    student_ceiling,
    student_rights,
)
from verification.standing import Action

REASONS: Final = tuple(reason.value for reason in PolicyReason)
STATES: Final = ("proposed", "done", "withdrawn", "replaced", "too_old")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRow:
    """The proofs of one role: those that are taken, those that the profile has and that are taken no longer, others."""

    role: str
    taken: tuple[str, ...]
    no_longer: tuple[str, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRow:
    """After how many months somebody is verified again, and what the profile says."""

    name: str
    months: int
    profile: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A change in the parts of its sentence (`country.says.KEY`)."""

    key: str
    rights: tuple[str, ...] = ()
    period: str = ""
    months: int = 0
    proof: str = ""


def proofs(profile: CountryPolicy, policy: CountryPolicy) -> list[ProofRow]:
    """The proofs of every role."""
    return [_proof_row(role, profile.accepted.get(role, frozenset()), policy) for role in Role]


def _proof_row(role: Role, in_file: frozenset[Proof], policy: CountryPolicy) -> ProofRow:
    taken = policy.accepted.get(role, frozenset())
    return ProofRow(
        role=role.value, taken=_named(taken), no_longer=_named(in_file - taken), refused=_named(set(Proof) - in_file)
    )


def periods(profile: CountryPolicy, policy: CountryPolicy) -> list[PeriodRow]:
    """Every period."""
    return [
        PeriodRow(name=name, months=getattr(policy.validity, name), profile=getattr(profile.validity, name))
        for name in PERIODS
    ]


def named_proofs(profile: CountryPolicy) -> tuple[str, ...]:
    """Every proof the profile takes for some role."""
    return _named(frozenset[Proof]().union(*profile.accepted.values()))


def refused_proofs(profile: CountryPolicy, policy: CountryPolicy) -> frozenset[str]:
    """The proofs that are taken no longer."""
    return frozenset(proof for row in proofs(profile, policy) for proof in row.no_longer)


def offered_rights(profile: CountryPolicy) -> tuple[str, ...]:
    """What students could be let do here."""
    ceiling = student_ceiling(profile)
    return tuple(right.value for right in StudentRight if Action(right.value) in ceiling)


def given_rights(policy: CountryPolicy) -> tuple[str, ...]:
    """What students may do now."""
    return tuple(right.value for right in student_rights(policy))


def said(change: Change) -> Said:
    """A change, to be put into words."""
    match change:
        case LetStudents():
            rights = tuple(right.value for right in StudentRight if Action(right.value) in change.rights)
            return Said(key="students" if rights else "students_out", rights=rights)
        case Period():
            return Said(key="validity", period=change.name, months=change.months)
        case TakeProof():
            return Said(key="proof_taken" if change.taken else "proof_refused", proof=change.proof.value)
        case DegreeAlone():
            return Said(key=f"degree_{change.makes}")


def _named(found: Iterable[Proof]) -> tuple[str, ...]:
    kept = set(found)
    return tuple(proof.value for proof in Proof if proof in kept)

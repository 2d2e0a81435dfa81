"""What the pages of countries' policies show: a profile beside what is in force, row by row.

Whoever calls has asked whether this person may see it. Nothing of an applicant or a doctor is in here but numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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

if TYPE_CHECKING:
    from instance.services.policies import CountryLine, Policies

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


# ── the command line ──


async def listed(policies: Policies, country: str = "") -> dict[str, Any]:
    """What is in force, as pairs of words, for one country or for all; raise Missing for one that is not ours."""
    lines = [await policies.line(country)] if country else await policies.lines()
    return {
        "countries": [await _listed(policies, line) for line in lines],
        "faults": [
            {"name": each.name, "fault": each.fault.value, "words": each.words}
            for each in ([] if country else policies.other_faults())
        ],
    }


async def _listed(policies: Policies, line: CountryLine) -> dict[str, Any]:
    closed = ""
    if line.policy is None:
        closed = "what was changed at the page cannot be read" if line.profile else "there is no profile"
        closed = f"{line.fault.name} does not hold: {line.fault.words}" if line.fault else closed
    profile, policy = line.profile, line.policy
    pairs = zip(_words(policy), _words(profile), strict=True) if policy and profile else ()
    return {
        "country": line.country, "file": f"{line.folder}/{line.country}.toml" if line.folder else "comes with esanum",
        "closed": closed, "lines": [(name, value, in_file) for (name, value), (_, in_file) in pairs],
        "waiting": [
            {"item": each.change.item, "until": each.until.isoformat(), "by": each.by}
            for each in await policies.waiting(line.country)
        ],
    }  # fmt: skip


def _words(policy: CountryPolicy) -> list[tuple[str, str]]:
    register = policy.register
    return [
        ("regulator", policy.regulator),
        ("licence", policy.term.local),
        ("register", f"{register.name}, {'public' if register.public else 'not public'}" if register else "none"),
        ("numbers", ", ".join(policy.kinds) or "none"),
        ("languages", ", ".join(policy.languages)),
        ("academic year ends", policy.academic_year_ends),
        ("degree alone", policy.degree_alone),
        ("students", ", ".join(given_rights(policy)) or "not let in"),
        *((f"{name}, months", str(getattr(policy.validity, name))) for name in PERIODS),
        *((f"{role.value} by", ", ".join(_named(policy.accepted.get(role, ()))) or "nothing") for role in Role),
    ]

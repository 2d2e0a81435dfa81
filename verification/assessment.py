"""What the evidence is worth together: the roles it makes possible in a country, how sure that is, and until when.

The best class decides the assurance. Whether a possible role is given is two reviewers' to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from verification.countries import CountryPolicy, Proof
from verification.dossier import Assurance, EvidenceClass, Role
from verification.evidence import Diploma, Piece, Registration, StudentCard, rank
from verification.grounds import Ground
from verification.terms import YEAR_GRACE, end_of, months_on

_ASSURANCE: Final[Mapping[EvidenceClass, Assurance]] = MappingProxyType(
    {
        EvidenceClass.E1: Assurance.HIGH,
        EvidenceClass.E2: Assurance.SUBSTANTIAL,
        EvidenceClass.E3: Assurance.SUBSTANTIAL,
        EvidenceClass.E4: Assurance.LOW,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What the evidence is worth together.

    `verify_again_after` holds the roles it makes possible, each with the moment until which; `shortcomings` says what
    stands against the rest, most of it for the applicant to mend.
    """

    verify_again_after: Mapping[Role, datetime]
    best: EvidenceClass | None
    matched: bool
    shortcomings: tuple[Ground, ...]

    @property
    def assurance(self) -> Assurance | None:
        """How sure the issuer may say to be; None where nothing counts."""
        return None if self.best is None else _ASSURANCE[self.best]

    @property
    def roles(self) -> frozenset[Role]:
        """The roles that are possible."""
        return frozenset(self.verify_again_after)


_Counted = list[tuple[Piece, EvidenceClass]]


@dataclass(frozen=True, slots=True)
class _Register:
    """What the country's register says of the applicant; nothing where the country has none."""

    knows: bool
    as_specialist: bool
    #: Known, and not as active, in whatever register: no older document outweighs that.
    not_as_active: bool


def assess(shown: Iterable[Piece], policy: CountryPolicy, *, now: datetime) -> Assessment:
    """Say which roles the evidence makes possible in this country, how sure that is, and until when."""
    pieces = tuple(shown)
    register = _register(pieces, policy)
    worth = [(each, rank(each, policy, matched=register.knows, now=now)) for each in pieces]
    counted = [(each, found) for each, found in worth if isinstance(found, EvidenceClass)]
    usable = {role: [one for one in counted if policy.accepts(role, one[0].proof)] for role in Role}
    possible = {
        role: _until(role, usable[role], policy, followed=register.knows, now=now)
        for role in Role
        if _possible(role, usable[role], policy, register)
    }
    against = [found for _, found in worth if isinstance(found, Ground)]
    return Assessment(
        verify_again_after=MappingProxyType(possible),
        best=min((found for each in usable.values() for _, found in each), default=None),
        matched=register.knows,
        shortcomings=tuple(dict.fromkeys(against + _beyond_one_piece(register, counted, against, possible))),
    )


def _register(pieces: Iterable[Piece], policy: CountryPolicy) -> _Register:
    found = [each.match for each in pieces if isinstance(each, Registration) and each.match and each.match.same_name]
    active = [match for match in found if match.active and policy.register is not None]
    return _Register(
        knows=bool(active),
        as_specialist=any(match.specialist for match in active),
        not_as_active=any(not match.active for match in found),
    )


def _beyond_one_piece(
    register: _Register, counted: _Counted, against: list[Ground], possible: Mapping[Role, datetime]
) -> list[Ground]:
    """What stands against the whole, or has to be asked for although each piece is in order."""
    grounds = [Ground.REGISTER_INACTIVE] if register.not_as_active else []
    if not possible and any(isinstance(each, Diploma) for each, _ in counted):
        return [*grounds, Ground.NOT_FROM_AUTHORITY]
    return grounds if possible or grounds or against else [Ground.INCOMPLETE]


def lower(*each: Assurance) -> Assurance:
    """The lowest of what several people found."""
    return min(each, key=list(Assurance).index)


# ── which roles ──


def _possible(role: Role, usable: _Counted, policy: CountryPolicy, register: _Register) -> bool:
    strong = [each for each, found in usable if found is not EvidenceClass.E4]
    cards = [each for each, _ in usable if isinstance(each, StudentCard)]
    if register.not_as_active:
        # The retired may have left the register; then the authority says today that all is in order.
        return role is Role.RETIRED and any(each.proof is Proof.STATUS_CERTIFICATE for each in strong)
    match role:
        case Role.SPECIALIST:
            return bool(strong) and (register.as_specialist or any(_names_specialty(each) for each in strong))
        case Role.GENERALIST:
            return bool(strong) or (policy.degree_alone == "doctor" and _holds(usable, Proof.DEGREE))
        case Role.RESIDENT:
            return bool(strong) or any(card.residency for card in cards)
        case Role.STUDENT:
            return any(not card.residency for card in cards)
        case Role.RETIRED:
            return bool(strong)


def _holds(usable: _Counted, proof: Proof) -> bool:
    return any(each.proof is proof for each, _ in usable)


def _names_specialty(piece: Piece) -> bool:
    return piece.specialist if isinstance(piece, Registration) else piece.proof is Proof.SPECIALIST_CERTIFICATE


# ── until when ──


def _until(role: Role, usable: _Counted, policy: CountryPolicy, *, followed: bool, now: datetime) -> datetime:
    best = min(found for _, found in usable)
    ends = [latest(role, best, policy, followed=followed, now=now)]
    if role is Role.RESIDENT:
        cards = [each for each, _ in usable if isinstance(each, StudentCard)]
        ends += [end_of(card.training_ends) for card in cards if card.training_ends is not None]
        yearly = any(card.proof is not Proof.EMPLOYER_LETTER for card in cards)
        ends += [_year_over(policy, now)] if yearly and best is EvidenceClass.E4 else []
    return min(ends)


def latest(role: Role, best: EvidenceClass, policy: CountryPolicy, *, followed: bool, now: datetime) -> datetime:
    """Until when this country's profile lets a role last that rests on evidence of this class, verified now.

    A student's time is the academic year's; what a card states may end it earlier.
    """
    if role is Role.STUDENT:
        return _year_over(policy, now)
    return months_on(now, _months(role, best, policy, followed=followed))


def _year_over(policy: CountryPolicy, now: datetime) -> datetime:
    """Until when what was shown for this academic year counts."""
    return end_of(policy.year_end(now.astimezone(UTC).date())) + YEAR_GRACE


def _months(role: Role, best: EvidenceClass, policy: CountryPolicy, *, followed: bool) -> int:
    validity = policy.validity
    if role is Role.RETIRED:
        return validity.retired
    if role is Role.RESIDENT:
        return validity.resident
    limits = [validity.specialist if role is Role.SPECIALIST else validity.generalist]
    limits += [validity.document] if best is EvidenceClass.E3 else []
    limits += [validity.degree] if best is EvidenceClass.E4 else []
    limits += [validity.imported] if followed and policy.register and policy.register.imported else []
    return min(limits)

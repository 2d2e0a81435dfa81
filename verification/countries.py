"""Country profiles: who licenses doctors there, which numbers they have, and which proofs make which role possible.

A country is a TOML file, `DE.toml`, and needs no code. The product brings some; an operator's folder adds countries and
replaces profiles. A file that is missing, cannot be read or says something it may not say admits nobody from there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final, Literal

import msgspec
from stdnum import ean, luhn

from verification.dossier import Country, Role, read_country
from verification.errors import NotAllowed
from verification.registers.numbers import KINDS, OURS, NumberKind
from verification.standing import Action
from verification.terms import PERIODS, SHORT


class Proof(StrEnum):
    """What an applicant can show."""

    LICENCE = "licence"
    DEGREE = "degree"
    SPECIALIST_CERTIFICATE = "specialist_certificate"
    NAME_CHANGE_DEED = "name_change_deed"
    REGISTER_NUMBER = "register_number"
    ATTESTATION = "attestation"
    STATUS_CERTIFICATE = "status_certificate"
    DOCTORS_CARD = "doctors_card"
    ELECTRONIC_IDENTITY = "electronic_identity"
    SUPPORTING_LOGIN = "supporting_login"
    STUDENT_CARD = "student_card"
    RESIDENT_CARD = "resident_card"
    EMPLOYER_LETTER = "employer_letter"


#: Cards and letters make nobody a doctor: they are for residents, the first for students too.
CARDS: Final = frozenset({Proof.STUDENT_CARD, Proof.RESIDENT_CARD, Proof.EMPLOYER_LETTER})
#: What supports another proof and is none by itself.
SUPPORT: Final = frozenset({Proof.NAME_CHANGE_DEED, Proof.SUPPORTING_LOGIN})


class CountryNotAdmitted(NotAllowed):
    """No usable profile of this country: nobody is admitted from there."""

    code = "country_not_admitted"


class ProfileFault(StrEnum):
    """Why a profile is not used."""

    FOLDER = "folder"
    UNREADABLE = "unreadable"
    NOT_TOML = "not_toml"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class BadProfile:
    """A file, or a folder, that admits nobody, and in words what was expected in it."""

    name: str
    fault: ProfileFault
    words: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a profile; a key that is not known is an error."""


class Term(_Table, frozen=True):
    """What the licence is called there, and in the languages of the pages."""

    local: str
    en: str
    de: str
    fr: str


class Title(_Table, frozen=True):
    """What a licensed doctor of this country is called, where there is a word of its own."""

    en: str
    de: str
    fr: str


class Register(_Table, frozen=True):
    """The register in which a reviewer looks; `imported` names the column map of its file."""

    name: str
    public: bool
    imported: str | None = None


class Electronic(_Table, frozen=True):
    """An electronic identity issued by the authority: the professions that are doctors, the level it must state."""

    name: str
    professions: frozenset[str]
    level: str | None = None


class OwnNumber(_Table, frozen=True):
    """A kind of number that the table of numbers does not have."""

    name: str
    authority: str
    shape: str
    example: str
    system: str | None = None
    check: Literal["luhn", "ean"] | None = None


class Students(_Table, frozen=True):
    """Whether students who are no residents are let in, and exactly what they may do then."""

    admitted: bool = False
    rights: frozenset[Action] = frozenset()


class Validity(_Table, frozen=True):
    """Months after which a doctor is verified again; a country may shorten them, never lengthen.

    `document`: an authority's document is all there is (E3). `degree`: a degree is (E4). `imported`: between two
    imports of a register that knows the doctor.
    """

    specialist: int = PERIODS[Role.SPECIALIST]
    generalist: int = PERIODS[Role.GENERALIST]
    resident: int = PERIODS[Role.RESIDENT]
    retired: int = PERIODS[Role.RETIRED]
    document: int = SHORT
    degree: int = SHORT
    imported: int = SHORT


class CountryPolicy(_Table, frozen=True):
    """All that differs between countries. A role without accepted proofs is impossible there."""

    country: str
    regulator: str
    languages: tuple[str, ...]
    term: Term
    degree_alone: Literal["doctor", "trainee"]
    accepted: dict[Role, frozenset[Proof]]
    licensing_authority: str | None = None
    doctor: Title | None = None
    register: Register | None = None
    electronic: Electronic | None = None
    numbers: tuple[str, ...] = ()
    own_numbers: tuple[OwnNumber, ...] = ()
    students: Students = Students()
    validity: Validity = Validity()
    #: Month and day. Where no day is named the year ends on 31 July, earlier than anywhere.
    academic_year_ends: str = "07-31"

    @property
    def kinds(self) -> Mapping[str, NumberKind]:
        """The numbers a doctor of this country may type, the usual one first; `numbers.read` takes them."""
        own = {each.name: _kind(Country(self.country), each) for each in self.own_numbers}
        named = {name: KINDS[name] for name in self.numbers}
        return MappingProxyType(named | own)

    def accepts(self, role: Role, proof: Proof) -> bool:
        """Whether this proof may make this role possible; a student's only where students are let in."""
        open_to = role is not Role.STUDENT or self.students.admitted
        return open_to and proof in self.accepted.get(role, frozenset())

    def refused(self, role: Role) -> frozenset[Proof]:
        """The proofs that are of no use for this role, for a form to say so before anything is sent."""
        return frozenset(proof for proof in Proof if not self.accepts(role, proof))

    def year_end(self, day: date) -> date:
        """The end of the academic year to which this day belongs."""
        month, last = (int(part) for part in self.academic_year_ends.split("-"))
        ends = date(day.year, month, last)
        return ends if day <= ends else date(day.year + 1, month, last)


@dataclass(frozen=True, slots=True)
class Countries:
    """The profiles that hold, each with the folder of its file, and those that do not."""

    policies: Mapping[Country, CountryPolicy]
    faults: tuple[BadProfile, ...] = ()
    folders: Mapping[Country, str] = field(default_factory=dict)

    def require(self, country: Country) -> CountryPolicy:
        """Return the profile; raise CountryNotAdmitted where there is none that holds."""
        try:
            return self.policies[country]
        except KeyError:
            raise CountryNotAdmitted("there is no profile of this country that holds") from None

    def student_rights(self) -> Mapping[Country, frozenset[Action]]:
        """What students may do, by country, as `standing.Policy` asks for it: nothing where they are not let in."""
        return {name: policy.students.rights for name, policy in self.policies.items() if policy.students.admitted}


def shipped() -> Traversable:
    """The folder of the profiles that come with the product."""
    return files("verification").joinpath("data/countries")


def load(*folders: Traversable) -> Countries:
    """Read the profiles of these folders; a later one replaces an earlier one, also when it does not hold.

    A folder that cannot be read might have closed any country, so nobody is admitted then.
    """
    policies: dict[str, CountryPolicy] = {}
    faults: dict[str, BadProfile] = {}
    places: dict[str, str] = {}
    for folder in folders:
        try:
            found = sorted(
                (each for each in folder.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name
            )
        except OSError:
            return Countries(MappingProxyType({}), (BadProfile(folder.name, ProfileFault.FOLDER, "cannot be read"),))
        for file in found:
            faults.pop(file.name, None)
            _put(file, policies, faults)
            places[file.name.removesuffix(".toml")] = str(folder)
    held = {Country(name): policy for name, policy in policies.items()}
    return Countries(
        MappingProxyType(held), tuple(faults.values()), MappingProxyType({name: places[name] for name in held})
    )


def _put(file: Traversable, policies: dict[str, CountryPolicy], faults: dict[str, BadProfile]) -> None:
    """Open the country of this file, or close every country that the file may have meant."""
    name = file.name.removesuffix(".toml")
    policies.pop(name.upper(), None)
    try:
        document = _document(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        faults[file.name] = BadProfile(file.name, ProfileFault.NOT_TOML, str(error))
        return
    except (OSError, UnicodeDecodeError):
        faults[file.name] = BadProfile(file.name, ProfileFault.UNREADABLE, "cannot be read as UTF-8")
        return
    words, policy = _policy(document, name)
    if policy is None:
        policies.pop(str(document.get("country")), None)
        faults[file.name] = BadProfile(file.name, ProfileFault.INVALID, words)
    else:
        policies[name] = policy


@lru_cache(maxsize=64)
def _document(text: str) -> Mapping[str, object]:
    """What the file says; its text decides alone, so that nothing is read twice that has not changed."""
    return tomllib.loads(text)


def _policy(document: Mapping[str, object], name: str) -> tuple[str, CountryPolicy | None]:
    """The profile, or in words why there is none."""
    try:
        policy = msgspec.convert(document, CountryPolicy)
    except msgspec.ValidationError as error:
        return str(error), None
    wrong = [place for place, holds in _RULES.items() if not holds(policy)]
    wrong += [] if policy.country == name else ["country, which is not the name of the file"]
    return (f"wrong {', '.join(wrong)}", None) if wrong else ("", policy)


def _kind(country: Country, own: OwnNumber) -> NumberKind:
    check = {"luhn": luhn.is_valid, "ean": ean.is_valid}.get(own.check or "")
    system = own.system or OURS + own.name
    return NumberKind(own.name, country, own.authority, own.example, own.shape, system, check=check)


def _country(policy: CountryPolicy) -> bool:
    try:
        return read_country(policy.country) == policy.country
    except ValueError:
        return False


def _words(policy: CountryPolicy) -> bool:
    tables = [policy.term, *([policy.doctor] if policy.doctor else [])]
    words = [policy.regulator, *(word for table in tables for word in msgspec.structs.astuple(table))]
    return all(word == word.strip() != "" for word in words)


def _numbers(policy: CountryPolicy) -> bool:
    known = [KINDS.get(name) for name in policy.numbers]
    return all(kind and kind.refusal is None and kind.country == policy.country for kind in known)


def _own_numbers(policy: CountryPolicy) -> bool:
    names = [own.name for own in policy.own_numbers]
    return len(set(names)) == len(names) and not set(names) & set(KINDS) and all(map(_usable, policy.own_numbers))


def _usable(own: OwnNumber) -> bool:
    try:
        return bool(re.fullmatch("[a-z][a-z_]*", own.name) and re.fullmatch(own.shape, own.example))
    except re.error:
        return False


def _accepted(policy: CountryPolicy) -> bool:
    """Cards for residents and students alone, support for nobody; nothing without what it is compared with."""
    every = frozenset[Proof]().union(*policy.accepted.values())
    doctors = (policy.accepted.get(role, frozenset()) for role in (Role.SPECIALIST, Role.GENERALIST, Role.RETIRED))
    return (
        bool(every)
        and not every & SUPPORT
        and not frozenset[Proof]().union(*doctors) & CARDS
        and policy.accepted.get(Role.STUDENT, frozenset()) <= {Proof.STUDENT_CARD}
        and (policy.register is not None or Proof.REGISTER_NUMBER not in every)
        and (policy.electronic is not None or Proof.ELECTRONIC_IDENTITY not in every)
    )


def _validity(policy: CountryPolicy) -> bool:
    given, most = msgspec.structs.astuple(policy.validity), msgspec.structs.astuple(Validity())
    return all(1 <= months <= limit for months, limit in zip(given, most, strict=True))


def _year(policy: CountryPolicy) -> bool:
    if not re.fullmatch("[0-9]{2}-[0-9]{2}", policy.academic_year_ends):
        return False
    try:
        # Of a year without 29 February: a day that not every year has is none.
        return bool(date.fromisoformat(f"2001-{policy.academic_year_ends}"))
    except ValueError:
        return False


#: What must hold beyond the types, by the place that is named when it does not.
_RULES: Final[Mapping[str, Callable[[CountryPolicy], bool]]] = MappingProxyType(
    {
        "country": _country,
        "regulator, term or doctor": _words,
        "languages": lambda each: bool(each.languages) and all(re.fullmatch("[a-z]{2}", one) for one in each.languages),
        "numbers": _numbers,
        "own_numbers": _own_numbers,
        "accepted": _accepted,
        "electronic.professions": lambda each: each.electronic is None or bool(each.electronic.professions - {""}),
        "students.rights": lambda each: Action.REVIEW not in each.students.rights,
        "validity": _validity,
        "academic_year_ends": _year,
    }
)

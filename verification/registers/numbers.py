"""Numbers that registers give to doctors: one table of identifiers per country, with shape, check and address.

A number is a hint for the reviewer, never evidence: registers are public, anybody can know a number. A wrong shape is
an error of the form. A failed check refuses nothing: the form asks once more, and the reviewer sees a warning. Numbers
never leave the instance that asked for them, and stand in no credential.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from stdnum import ean, luhn
from stdnum.it import codicefiscale

from verification.dossier import Country
from verification.errors import NotAllowed

#: Longer text is no number, whatever it holds.
MAX_LENGTH: Final = 64
#: Where a register has no system of its own.
OURS: Final = "https://esanum.example/ns/federation/v1/number/"
_IDNPS: Final = "urn:oid:1.2.250.1.71.4.2.1"


class NumberShape(NotAllowed):
    """The text does not have the shape of such a number; the message never repeats it."""

    code = "number_shape"


class UnknownNumber(NumberShape):
    """No register of ours gives numbers of this kind."""

    code = "number_kind_unknown"


class NumberOfASite(NumberShape):
    """The number names a practice, not a doctor."""

    code = "number_of_a_site"


class NumberNeedsCertificate(NumberShape):
    """The number counts only inside an electronic identity, never typed."""

    code = "number_needs_certificate"


class Check(StrEnum):
    """What the check digit says; none where the authority publishes no rule."""

    PASSED = "passed"
    FAILED = "failed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class NumberKind:
    """One identifier: who gives it, what it looks like, how it is checked, under which address it is stored."""

    name: str
    country: Country
    authority: str
    example: str
    shape: str
    system: str
    check: Callable[[str], bool] | None = None
    #: How the text is rewritten once its shape holds, so that one number has one spelling.
    spelling: Callable[[str], str] = str
    keeps_hyphen: bool = False
    #: A kind that is known, and refused whatever it looks like.
    refusal: type[NumberShape] | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A number in its one spelling, as `read` and `plain` make it. It shows its kind alone where it is logged."""

    kind: str
    system: str
    value: str
    check: Check

    def __repr__(self) -> str:
        """Return the kind and the check, without the number."""
        return f"Number({self.kind}, check {self.check})"

    @property
    def key(self) -> str:
        """What equality look-ups are made of: the system, a bar, the number."""
        return f"{self.system}|{self.value}"


def _lanr(value: str) -> bool:
    """Weights 4 and 9 in turn over six digits, without cross-sum; the last two, the specialty, are not checked."""
    total = sum(int(digit) * weight for digit, weight in zip(value[:6], (4, 9, 4, 9, 4, 9), strict=True))
    return (10 - total % 10) % 10 == int(value[6])


def _inami(value: str) -> bool:
    """97 less the first six modulo 97; the last three digits, the qualification, are not checked."""
    return 97 - int(value[:6]) % 97 == int(value[6:8])


def _npwz(value: str) -> bool:
    """The first digit is the sum of the other six times their place, modulo 11."""
    return sum(int(digit) * place for place, digit in enumerate(value[1:], start=1)) % 11 == int(value[0])


def _npi(value: str) -> bool:
    """Luhn over the number behind the prefix that the United States have among card numbers."""
    return luhn.is_valid("80840" + value)


DE, AT, CH, FR, IT = Country("DE"), Country("AT"), Country("CH"), Country("FR"), Country("IT")
ES, GB, IE, US = Country("ES"), Country("GB"), Country("IE"), Country("US")
BE, NL, PT, PL = Country("BE"), Country("NL"), Country("PT"), Country("PL")

#: Every identifier, by name; within a country the usual one first. Check rules come from the authority.
#: Examples are made up and pass their check.
_TABLE: Final = (
    NumberKind("efn", DE, "Bundesärztekammer", "802760901234566", "80276[0-9]{10}",
          "http://fhir.de/sid/bundesaerztekammer/efn", check=luhn.is_valid),
    NumberKind("lanr", DE, "Kassenärztliche Bundesvereinigung", "123456601", "[0-9]{9}",
          "https://fhir.kbv.de/NamingSystem/KBV_NS_Base_ANR", check=_lanr),
    NumberKind("bsnr", DE, "Kassenärztliche Vereinigung", "", "(?!)", "", refusal=NumberOfASite),
    NumberKind("telematik_id", DE, "gematik", "", "(?!)", "", refusal=NumberNeedsCertificate),
    NumberKind("aek_at", AT, "Österreichische Ärztekammer", "12345-67", "[0-9]{1,8}-[0-9]{2}",
          OURS + "aek_at", keeps_hyphen=True),
    NumberKind("gln", CH, "Bundesamt für Gesundheit, MedReg", "7601000000002", "7601[0-9]{9}",
          "urn:oid:2.51.1.3", check=ean.is_valid),
    NumberKind("rpps", FR, "Annuaire Santé", "10001234565", "[0-9]{11}",
          "https://rpps.esante.gouv.fr", check=luhn.is_valid),
    NumberKind("idnps", FR, "Annuaire Santé", "810001234565", "8[0-9]{11}|0[0-9]{9}", _IDNPS),
    NumberKind("adeli", FR, "Annuaire Santé", "123456789", "[0-9]{9}", _IDNPS, spelling="0{}".format),
    NumberKind("albo_it", IT, "Ordine dei Medici Chirurghi e degli Odontoiatri", "MI12345", "[A-Z]{2}[0-9]{1,6}",
          OURS + "albo_it"),
    NumberKind("codice_fiscale", IT, "Agenzia delle Entrate", "BNCLCU90A41F205Z",
          "[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",
          "http://hl7.it/sid/codiceFiscale", check=codicefiscale.is_valid),
    NumberKind("colegiado", ES, "Organización Médica Colegial", "282800001", "[0-9]{9}", OURS + "colegiado"),
    NumberKind("gmc", GB, "General Medical Council", "1234567", "[0-9]{7}", "https://fhir.hl7.org.uk/Id/gmc-number"),
    NumberKind("imc", IE, "Medical Council", "123456", "[0-9]{6}", OURS + "imc"),
    NumberKind("npi", US, "NPPES", "1234567893", "[12][0-9]{9}", "http://hl7.org/fhir/sid/us-npi", check=_npi),
    NumberKind("inami", BE, "INAMI/RIZIV", "19006951001", "1[0-9]{10}", OURS + "inami", check=_inami),
    NumberKind("big", NL, "CIBG, BIG-register", "19012345601", "[0-9]{11}", "http://fhir.nl/fhir/NamingSystem/big"),
    NumberKind("omc_pt", PT, "Ordem dos Médicos", "12345", "[0-9]{5,6}", OURS + "omc_pt"),
    NumberKind("npwz", PL, "Naczelna Izba Lekarska", "5425740", "[1-9][0-9]{6}", OURS + "npwz", check=_npwz),
)  # fmt: skip
KINDS: Final[Mapping[str, NumberKind]] = MappingProxyType({kind.name: kind for kind in _TABLE})


def normalise(text: str, *, keeps_hyphen: bool = False) -> str:
    """Return the text without spaces, dots, hyphens and slashes, in capitals; AT keeps its hyphen."""
    dropped = " ./\t\n\r" if keeps_hyphen else " ./-\t\n\r"
    even = re.sub("[\u2010-\u2015\u2212]", "-", unicodedata.normalize("NFKC", text))
    return "".join(sign for sign in even if sign not in dropped).upper()


def read(kind: str, text: str, kinds: Mapping[str, NumberKind] = KINDS) -> Number:
    """Read a number of this kind; raise NumberShape, with its code, for what cannot be one. A failed check is none.

    `kinds` stands in for the table where a country brings kinds of its own.
    """
    found = kinds.get(kind)
    if found is None:
        raise UnknownNumber("no register of ours gives numbers of this kind")
    if found.refusal is not None:
        raise found.refusal(f"{found.name} is not accepted as a doctor's number")
    value = normalise(text, keeps_hyphen=found.keeps_hyphen) if len(text) <= MAX_LENGTH else ""
    if not re.fullmatch(found.shape, value):
        raise NumberShape(f"this is not the shape of {found.name}")
    return _number(found, found.spelling(value))


def plain(register: str, text: str) -> Number:
    """Read a number of a register that names no kind: letters, digits and hyphens, stored under the register's name."""
    value = normalise(text, keeps_hyphen=True) if len(text) <= MAX_LENGTH else ""
    if not re.fullmatch("[0-9A-Z]+(?:-[0-9A-Z]+)*", value):
        raise NumberShape("this is not the shape of a number")
    return Number(register, f"{OURS}register/{register}", value, Check.NONE)


def _number(kind: NumberKind, value: str) -> Number:
    # An IDNPS is an RPPS behind an 8 or an ADELI behind a 0: one doctor is found under one number.
    if kind.name == "idnps":
        return _number(KINDS["rpps"], value[1:]) if value.startswith("8") else _number(KINDS["adeli"], value)
    return Number(kind.name, kind.system, value, _checked(kind, value))


def _checked(kind: NumberKind, value: str) -> Check:
    if kind.check is None:
        return Check.NONE
    return Check.PASSED if kind.check(value) else Check.FAILED

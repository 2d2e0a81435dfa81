"""What is shown and what it is worth: classes, roles and dates, each with what is not enough for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from verification.assessment import Assessment, assess
from verification.countries import CARDS, CountryPolicy, Proof, Students, load, shipped
from verification.dossier import Assurance, Country, EvidenceClass, Role
from verification.evidence import (
    PROOFS,
    Control,
    Diploma,
    ElectronicAnswer,
    Piece,
    RegisterMatch,
    Registration,
    StudentCard,
    compare,
)
from verification.grounds import SHORTCOMINGS, Ground
from verification.registers import numbers
from verification.registers.imports import RegisterEntry

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
POLICIES = load(shipped()).policies
E1, E2, E3, E4 = EvidenceClass
DOCTORS = frozenset({Role.GENERALIST, Role.RESIDENT, Role.RETIRED})
ALL = DOCTORS | {Role.SPECIALIST}

LICENCE = Diploma(proof=Proof.LICENCE, same_name=True, from_authority=True)
DEGREE = Diploma(proof=Proof.DEGREE, same_name=True)
SPECIALIST = Diploma(proof=Proof.SPECIALIST_CERTIFICATE, same_name=True, from_authority=True)
MATCH = RegisterMatch(active=True, same_name=True)
NUMBER = Registration(
    proof=Proof.REGISTER_NUMBER,
    number=numbers.read("rpps", "10001234565"),
    match=MATCH,
    control=Control.CODE_TO_REGISTERED_ADDRESS,
)
ATTESTATION = Registration(
    proof=Proof.ATTESTATION, same_name=True, from_authority=True, issued_on=date(2026, 1, 5), specialist=True
)
CERTIFICATE = replace(ATTESTATION, proof=Proof.STATUS_CERTIFICATE, issued_on=date(2026, 8, 23), specialist=False)
CARD = Registration(proof=Proof.DOCTORS_CARD, same_name=True, identity_shown=True, valid_until=date(2026, 11, 23))
ANSWER = ElectronicAnswer(
    profession="1.2.276.0.76.4.30", level="gematik-ehealth-loa-high", at=NOW - timedelta(hours=24)
)
ELECTRONIC = Registration(proof=Proof.ELECTRONIC_IDENTITY, same_name=True, answer=ANSWER)
STUDENT = StudentCard(proof=Proof.STUDENT_CARD, same_name=True, medicine=True, year_ends=2027)
RESIDENT = replace(STUDENT, residency=True)
INTERN = StudentCard(proof=Proof.RESIDENT_CARD, same_name=True, residency=True, year_ends=2027)
LETTER = StudentCard(proof=Proof.EMPLOYER_LETTER, same_name=True, residency=True)


def weigh(*shown: Piece, country: str = "FR", **changes: Any) -> Assessment:
    """What is shown, in a country whose profile may differ."""
    policy = POLICIES[Country(country)]
    return assess(shown, msgspec.structs.replace(policy, **changes) if changes else policy, now=NOW)


def until(role: Role, *shown: Piece, country: str = "FR", **changes: Any) -> date | None:
    """The last day of a role, None where it is not possible."""
    end = weigh(*shown, country=country, **changes).verify_again_after.get(role)
    return None if end is None else (end - timedelta(microseconds=1)).date()


# ── classes ──


@pytest.mark.parametrize(
    ("country", "shown", "best", "assurance", "roles"),
    [
        ("DE", [ELECTRONIC], E1, Assurance.HIGH, DOCTORS),
        ("FR", [NUMBER], E2, Assurance.SUBSTANTIAL, DOCTORS),
        ("DE", [LICENCE], E3, Assurance.SUBSTANTIAL, DOCTORS),
        ("DE", [SPECIALIST], E3, Assurance.SUBSTANTIAL, {Role.SPECIALIST}),
        ("DE", [LICENCE, SPECIALIST], E3, Assurance.SUBSTANTIAL, ALL),
        ("FR", [ATTESTATION], E3, Assurance.SUBSTANTIAL, ALL),
        ("FR", [CERTIFICATE], E3, Assurance.SUBSTANTIAL, DOCTORS),
        ("AT", [CARD], E3, Assurance.SUBSTANTIAL, DOCTORS),
        ("FR", [DEGREE], E4, Assurance.LOW, {Role.GENERALIST}),
        ("FR", [RESIDENT], E4, Assurance.LOW, {Role.RESIDENT}),
        ("FR", [INTERN], E4, Assurance.LOW, {Role.RESIDENT}),
        ("GB", [LETTER], E4, Assurance.LOW, {Role.RESIDENT}),
        ("FR", [RESIDENT, LICENCE, ELECTRONIC], E3, Assurance.SUBSTANTIAL, DOCTORS),
    ],
)
def test_the_best_class_decides_the_assurance(
    country: str, shown: list[Piece], best: EvidenceClass, assurance: Assurance, roles: set[Role]
) -> None:
    """Each class with what makes it, and the roles it makes possible; a German sign-in is none in France."""
    found = weigh(*shown, country=country)

    assert (best, assurance) == (found.best, found.assurance)
    assert roles == found.roles


@pytest.mark.parametrize(
    ("country", "shown", "ground"),
    [
        ("FR", replace(LICENCE, same_name=False), Ground.NAME_DIFFERS),
        ("FR", replace(LICENCE, from_authority=False), Ground.NOT_FROM_AUTHORITY),
        ("FR", Diploma(proof=Proof.NAME_CHANGE_DEED, same_name=True, from_authority=True), Ground.INCOMPLETE),
        ("FR", Diploma(proof=Proof.STUDENT_CARD, same_name=True, from_authority=True), Ground.INCOMPLETE),
        ("FR", replace(NUMBER, match=None), Ground.NUMBER_NOT_FOUND),
        ("FR", replace(NUMBER, match=replace(MATCH, active=False)), Ground.REGISTER_INACTIVE),
        ("FR", replace(NUMBER, match=replace(MATCH, same_name=False)), Ground.NAME_DIFFERS),
        ("FR", replace(NUMBER, control=None), Ground.IDENTITY_UNPROVED),
        ("FR", replace(NUMBER, number=None), Ground.INCOMPLETE),
        ("DE", NUMBER, Ground.INCOMPLETE),
        ("FR", replace(ATTESTATION, from_authority=False), Ground.NOT_FROM_AUTHORITY),
        ("FR", replace(ATTESTATION, issued_on=None), Ground.INCOMPLETE),
        ("FR", replace(ATTESTATION, issued_on=date(2026, 11, 24)), Ground.INCOMPLETE),
        ("FR", replace(CERTIFICATE, issued_on=date(2026, 8, 22)), Ground.CERTIFICATE_TOO_OLD),
        ("FR", replace(CARD, identity_shown=False), Ground.IDENTITY_UNPROVED),
        ("FR", replace(CARD, valid_until=date(2026, 11, 22)), Ground.EXPIRED_DOCUMENT),
        ("DE", replace(ELECTRONIC, answer=None), Ground.INCOMPLETE),
        ("AT", ELECTRONIC, Ground.INCOMPLETE),
        ("DE", replace(ELECTRONIC, answer=replace(ANSWER, profession="1.2.276.0.76.4.31")), Ground.NOT_A_DOCTOR),
        ("FR", ELECTRONIC, Ground.NOT_A_DOCTOR),
        ("DE", replace(ELECTRONIC, answer=replace(ANSWER, level=None)), Ground.IDENTITY_UNPROVED),
        ("DE", replace(ELECTRONIC, answer=replace(ANSWER, at=NOW - timedelta(hours=24, seconds=1))),
         Ground.CERTIFICATE_TOO_OLD),
        ("DE", replace(ELECTRONIC, answer=replace(ANSWER, at=NOW + timedelta(seconds=301))), Ground.CERTIFICATE_TOO_OLD),
        ("FR", Registration(proof=Proof.SUPPORTING_LOGIN, same_name=True, from_authority=True), Ground.INCOMPLETE),
        ("FR", replace(RESIDENT, medicine=None), Ground.SUBJECT_MISSING),
        ("FR", replace(RESIDENT, medicine=False), Ground.NOT_A_DOCTOR),
        ("FR", replace(RESIDENT, year_ends=None), Ground.INCOMPLETE),
        ("FR", replace(RESIDENT, year_ends=2026), Ground.EXPIRED_DOCUMENT),
        ("FR", replace(RESIDENT, training_ends=date(2026, 11, 22)), Ground.EXPIRED_DOCUMENT),
        ("FR", replace(RESIDENT, same_name=False), Ground.NAME_DIFFERS),
        ("FR", replace(INTERN, residency=False), Ground.INCOMPLETE),
        ("FR", replace(LETTER, residency=False), Ground.INCOMPLETE),
        ("FR", STUDENT, Ground.STUDENTS_NOT_ADMITTED),
        ("DE", DEGREE, Ground.NOT_FROM_AUTHORITY),
        ("DE", INTERN, Ground.INCOMPLETE),
    ],
)  # fmt: skip
def test_what_is_not_enough_has_a_reason(country: str, shown: Piece, ground: Ground) -> None:
    """Nothing is possible, nothing is assured, and the applicant is told why in a fixed word."""
    found = weigh(shown, country=country)

    assert frozenset() == found.roles
    assert found.best in (None, E4)
    assert (ground,) == found.shortcomings


def test_nothing_shown_is_nothing() -> None:
    """No role without evidence, in any country."""
    for policy in POLICIES.values():
        found = assess([], policy, now=NOW)

        assert (frozenset(), None, None) == (found.roles, found.best, found.assurance)
        assert (Ground.INCOMPLETE,) == found.shortcomings


# ── degrees ──


def test_a_degree_with_a_register_match_is_more() -> None:
    """E2, also without proof of control; where no register exists a match is none."""
    unproved = replace(NUMBER, control=None)
    for country in ("FR", "GB"):
        found = weigh(DEGREE, unproved, country=country)

        assert (E2, True) == (found.best, found.matched)
        assert found.roles >= {Role.GENERALIST}
    assert (E4, False) == (weigh(DEGREE, unproved, country="DE").best, weigh(DEGREE, unproved, country="DE").matched)


def test_a_match_that_is_none_lifts_no_degree() -> None:
    """Another name, or an entry that is not active."""
    for match in (replace(MATCH, same_name=False), replace(MATCH, active=False), None):
        assert weigh(DEGREE, replace(NUMBER, match=match)).best is E4
        assert frozenset() == weigh(DEGREE, replace(NUMBER, match=match), country="GB").roles


@pytest.mark.parametrize("country", ["DE", "AT", "CH", "GB", "IT", "ES"])
def test_a_degree_alone_needs_the_licence_deed(country: str) -> None:
    """Nobody is a doctor by it where the profile says trainee; with the deed everything is."""
    alone, both = weigh(DEGREE, country=country), weigh(DEGREE, LICENCE, country=country)

    assert (frozenset(), (Ground.NOT_FROM_AUTHORITY,)) == (alone.roles, alone.shortcomings)
    assert (DOCTORS, E3) == (both.roles, both.best)
    assert {Role.RESIDENT} == weigh(DEGREE, LETTER, country=country).roles


def test_a_bare_diploma_in_france() -> None:
    """Generalist, low, for twelve months; no specialist, not even with a certificate of a university."""
    assert date(2027, 11, 23) == until(Role.GENERALIST, DEGREE)
    assert {Role.GENERALIST} == weigh(DEGREE, replace(SPECIALIST, from_authority=False)).roles


# ── specialists ──


def test_a_specialist_has_a_title_from_somebody() -> None:
    """A certificate of the authority, its attestation, or the register; never a licence by itself."""
    titled = replace(NUMBER, match=replace(MATCH, specialist=True))

    for shown in ([SPECIALIST], [ATTESTATION], [titled], [LICENCE, replace(titled, control=None)]):
        assert Role.SPECIALIST in weigh(*shown).roles
    for other in ([LICENCE], [NUMBER], [CERTIFICATE], [CARD], [LICENCE, replace(SPECIALIST, from_authority=False)]):
        assert Role.SPECIALIST not in weigh(*other).roles
    assert Role.SPECIALIST not in weigh(LICENCE, replace(titled, control=None), country="DE").roles


# ── those whom the register does not know as active ──


def test_an_old_document_does_not_outweigh_the_register() -> None:
    """Whoever is known and not active stays out, whatever deed is shown; another's entry says nothing."""
    inactive = replace(NUMBER, match=replace(MATCH, active=False))
    found = weigh(LICENCE, SPECIALIST, inactive)

    assert (frozenset(), True) == (found.roles, Ground.REGISTER_INACTIVE in found.shortcomings)
    assert ALL == weigh(LICENCE, SPECIALIST, replace(NUMBER, match=replace(MATCH, active=False, same_name=False))).roles


def test_the_retired_may_have_left_the_register() -> None:
    """When the authority certifies it today; an old deed does not do."""
    inactive = replace(NUMBER, match=replace(MATCH, active=False))

    assert {Role.RETIRED} == weigh(CERTIFICATE, inactive).roles
    assert frozenset() == weigh(LICENCE, inactive).roles


# ── until when ──


@pytest.mark.parametrize(
    ("role", "country", "shown", "ends"),
    [
        (Role.GENERALIST, "DE", [ELECTRONIC], date(2028, 11, 23)),
        (Role.GENERALIST, "AT", [NUMBER], date(2028, 11, 23)),
        (Role.GENERALIST, "FR", [NUMBER], date(2027, 11, 23)),
        (Role.GENERALIST, "DE", [LICENCE], date(2027, 11, 23)),
        (Role.SPECIALIST, "DE", [LICENCE, SPECIALIST], date(2027, 11, 23)),
        (Role.SPECIALIST, "AT", [NUMBER, SPECIALIST], date(2028, 11, 23)),
        (Role.RETIRED, "DE", [LICENCE], date(2029, 11, 23)),
        (Role.RESIDENT, "DE", [LICENCE], date(2027, 11, 23)),
        (Role.RESIDENT, "GB", [LETTER], date(2027, 11, 23)),
        (Role.RESIDENT, "GB", [replace(LETTER, training_ends=date(2027, 2, 1))], date(2027, 2, 1)),
        (Role.RESIDENT, "GB", [replace(LETTER, training_ends=date(2029, 2, 1))], date(2027, 11, 23)),
        (Role.RESIDENT, "CH", [RESIDENT], date(2027, 9, 29)),
        (Role.RESIDENT, "CH", [replace(RESIDENT, year_ends=2040)], date(2027, 9, 29)),
        (Role.RESIDENT, "DE", [RESIDENT], date(2027, 11, 23)),
        (Role.RESIDENT, "CH", [RESIDENT, LICENCE], date(2027, 11, 23)),
        (Role.RESIDENT, "CH", [replace(RESIDENT, training_ends=date(2027, 3, 1)), LICENCE], date(2027, 3, 1)),
    ],
)
def test_a_role_ends_on_its_day(role: Role, country: str, shown: list[Piece], ends: date) -> None:
    """24 months, 12 on a document alone or beside an imported register, the end of training, the academic year."""
    assert ends == until(role, *shown, country=country)


def test_a_country_shortens_what_it_likes() -> None:
    """The profile's months count."""
    validity = msgspec.structs.replace(POLICIES[Country("AT")].validity, generalist=18, document=6)

    assert date(2028, 5, 23) == until(Role.GENERALIST, NUMBER, country="AT", validity=validity)
    assert date(2027, 5, 23) == until(Role.GENERALIST, LICENCE, country="AT", validity=validity)


def test_students_where_they_are_let_in() -> None:
    """Until the end of the academic year and sixty days; residents' cards make no students, nor students residents."""
    on = Students(admitted=True)

    assert {Role.STUDENT} == weigh(STUDENT, country="DE", students=on).roles
    assert date(2027, 11, 29) == until(Role.STUDENT, STUDENT, country="DE", students=on)
    assert {Role.RESIDENT} == weigh(RESIDENT, country="DE", students=on).roles
    assert frozenset() == weigh(replace(STUDENT, medicine=None), country="DE", students=on).roles
    assert {Role.STUDENT, Role.RESIDENT} == weigh(STUDENT, RESIDENT, country="DE", students=on).roles


def test_an_entry_is_compared_by_name() -> None:
    """Accents and order make no difference, another name does; nobody is a specialist unless the caller says so."""
    entry = RegisterEntry(
        "rpps", numbers.read("rpps", "10001234565"), "VAUQUELIN", "Éliane", "eliane vauquelin", True, {}
    )

    assert MATCH == compare(entry, "Dr Eliane Vauquelin")
    assert not compare(entry, "Dr Claire Vauquelin").same_name
    assert not compare(replace(entry, active=False), "Éliane Vauquelin").active
    assert compare(entry, "Éliane Vauquelin", specialist=True).specialist


# ── whatever is shown ──

_days = st.none() | st.dates(date(2020, 1, 1), date(2032, 12, 31))
_yes = st.booleans()
_matches = st.none() | st.builds(RegisterMatch, active=_yes, same_name=_yes, specialist=_yes)
_answers = st.none() | st.builds(
    ElectronicAnswer,
    profession=st.sampled_from(["10", "1.2.276.0.76.4.30", "60"]),
    level=st.sampled_from([None, "gematik-ehealth-loa-high"]),
    at=st.sampled_from([NOW, NOW - timedelta(days=2), NOW + timedelta(days=2)]),
)
_diplomas = st.builds(Diploma, proof=st.sampled_from(Proof), same_name=_yes, from_authority=_yes)
_registrations = st.builds(
    Registration,
    proof=st.sampled_from(Proof),
    number=st.none() | st.just(NUMBER.number),
    match=_matches,
    control=st.none() | st.sampled_from(Control),
    same_name=_yes,
    from_authority=_yes,
    identity_shown=_yes,
    specialist=_yes,
    issued_on=_days,
    valid_until=_days,
    answer=_answers,
)
_cards = st.builds(
    StudentCard,
    proof=st.sampled_from(Proof),
    medicine=st.none() | _yes,
    residency=_yes,
    same_name=_yes,
    year_ends=st.none() | st.integers(2020, 2032),
    training_ends=_days,
)
_shown = st.lists(_diplomas | _registrations | _cards, max_size=5)
_policies = st.sampled_from(sorted(POLICIES)).map(lambda name: POLICIES[name])


@given(_shown, _policies)
@settings(max_examples=examples(600), deadline=None)
def test_whatever_is_shown_opens_no_more_than_it_may(shown: list[Piece], policy: CountryPolicy) -> None:
    """Roles have an end within three years, a class, and proofs the country accepts; no student where none is let in."""
    found = assess(shown, policy, now=NOW)

    assert Role.STUDENT not in found.roles
    assert all(NOW < end <= datetime(2029, 11, 24, tzinfo=UTC) for end in found.verify_again_after.values())
    assert (found.best is not None) or not found.roles
    assert set(found.shortcomings) <= SHORTCOMINGS
    assert found.roles or found.shortcomings
    for role in found.roles:
        assert any(policy.accepts(role, each.proof) and each.proof in PROOFS[each.kind] for each in shown)


@given(st.lists(_cards, max_size=5), _policies)
@settings(max_examples=examples(300), deadline=None)
def test_cards_make_residents_at_most(shown: list[Piece], policy: CountryPolicy) -> None:
    """Any number of them, saying whatever they say."""
    found = assess(shown, policy, now=NOW)

    assert found.roles <= {Role.RESIDENT}
    assert found.best in (None, E4)
    assert not found.roles or {each.proof for each in shown} & CARDS


@given(_shown, _policies)
@settings(max_examples=examples(300), deadline=None)
def test_an_inactive_entry_never_helps(shown: list[Piece], policy: CountryPolicy) -> None:
    """With it, nobody becomes what they could not be without it, and only the retired may remain."""
    inactive = replace(NUMBER, match=replace(MATCH, active=False))

    assert assess([*shown, inactive], policy, now=NOW).roles <= assess(shown, policy, now=NOW).roles & {Role.RETIRED}


@given(_shown, _policies)
@settings(max_examples=examples(200), deadline=None)
def test_the_order_makes_no_difference(shown: list[Piece], policy: CountryPolicy) -> None:
    """The same pieces the other way round are worth the same."""
    one, other = assess(shown, policy, now=NOW), assess(shown[::-1], policy, now=NOW)

    assert (one.verify_again_after, one.best, one.matched) == (other.verify_again_after, other.best, other.matched)
    assert set(one.shortcomings) == set(other.shortcomings)

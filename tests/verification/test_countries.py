"""Country profiles: those that come with the product, those an operator adds, and those that admit nobody."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from verification.countries import (
    CARDS,
    Countries,
    CountryNotAdmitted,
    CountryPolicy,
    ProfileFault,
    Proof,
    load,
    shipped,
)
from verification.dossier import Country, Role
from verification.registers import column_map, numbers
from verification.standing import Action

SHIPPED = load(shipped())
#: A profile with only what a profile must have.
SMALL = """
country = "SE"
regulator = "A made-up authority"
languages = ["sv"]
degree_alone = "trainee"
[term]
local = "legitimation"
en = "licence"
de = "Zulassung"
fr = "autorisation"
[accepted]
generalist = ["licence"]
"""


def policy(country: str) -> CountryPolicy:
    """A profile of the product."""
    return SHIPPED.require(Country(country))


def loaded(folder: Path, **profiles: str) -> Countries:
    """The product's profiles with an operator's folder on top."""
    for name, text in profiles.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    return load(shipped(), folder)


def test_seven_countries_come_with_the_product() -> None:
    """All of them hold."""
    assert {"DE", "AT", "CH", "FR", "IT", "ES", "GB"} == set(SHIPPED.policies)
    assert () == SHIPPED.faults


@pytest.mark.parametrize("country", sorted(SHIPPED.policies))
def test_a_profile_of_the_product_fits_the_rest_of_it(country: str) -> None:
    """Its numbers are all that the table has for the country, its register's map is there; students are not let in."""
    profile = policy(country)
    table = [kind.name for kind in numbers.KINDS.values() if kind.country == country and kind.refusal is None]

    assert table == list(profile.kinds)
    assert not profile.students.admitted
    assert set(Role) == set(profile.accepted)
    if profile.register is not None and profile.register.imported is not None:
        assert country == column_map.shipped()[profile.register.imported].country


def test_what_a_degree_alone_supports() -> None:
    """A doctor in France, nowhere else."""
    assert ["FR"] == [name for name, each in SHIPPED.policies.items() if each.degree_alone == "doctor"]


def test_germany_has_no_register() -> None:
    """So a number proves nothing there; Germany and France have electronic identities."""
    assert ["DE"] == [name for name, each in SHIPPED.policies.items() if each.register is None]
    assert ["DE", "FR"] == sorted(name for name, each in SHIPPED.policies.items() if each.electronic is not None)
    assert not any(policy("DE").accepts(role, Proof.REGISTER_NUMBER) for role in Role)


def test_cards_and_letters_make_nobody_a_doctor() -> None:
    """In no country of the product; a login elsewhere is accepted for nobody, nor is a deed of a new name alone."""
    for profile in SHIPPED.policies.values():
        for role in (Role.SPECIALIST, Role.GENERALIST, Role.RETIRED):
            assert profile.refused(role) >= CARDS
        for role in Role:
            assert profile.refused(role) >= {Proof.SUPPORTING_LOGIN, Proof.NAME_CHANGE_DEED}


def test_an_operator_adds_a_country_without_code(tmp_path: Path) -> None:
    """A file is enough, with a number of its own; the product's countries stay."""
    own = '[[own_numbers]]\nname = "leg_no"\nauthority = "made up"\nshape = "[0-9]{4}"\nexample = "1234"\n'
    countries = loaded(tmp_path, SE=SMALL + own)
    profile = countries.require(Country("SE"))

    assert (8, ()) == (len(countries.policies), countries.faults)
    assert "1234" == numbers.read("leg_no", "12 34", profile.kinds).value
    assert profile.accepts(Role.GENERALIST, Proof.LICENCE)
    assert not profile.accepts(Role.SPECIALIST, Proof.LICENCE)
    with pytest.raises(numbers.NumberShape):
        numbers.read("leg_no", "12345", profile.kinds)
    with pytest.raises(numbers.UnknownNumber):
        numbers.read("gmc", "1234567", profile.kinds)


def test_an_own_number_may_have_a_check(tmp_path: Path) -> None:
    """Luhn or EAN, by name."""
    own = (
        '[[own_numbers]]\nname = "x"\nauthority = "a"\nshape = "[0-9]{5}"\nexample = "18002"\ncheck = "luhn"\n'
        'system = "urn:oid:1.2.3"\n'
    )
    kinds = loaded(tmp_path, SE=SMALL + own).require(Country("SE")).kinds

    assert ["passed", "failed"] == [numbers.read("x", text, kinds).check for text in ("18002", "18003")]
    assert "urn:oid:1.2.3|18002" == numbers.read("x", "18002", kinds).key


def test_an_operator_replaces_a_profile(tmp_path: Path) -> None:
    """The later folder counts."""
    countries = loaded(tmp_path, FR=SMALL.replace('"SE"', '"FR"'))

    assert "trainee" == countries.require(Country("FR")).degree_alone
    assert "trainee" == countries.require(Country("DE")).degree_alone


def test_a_country_without_a_profile_admits_nobody() -> None:
    """The refusal has a name."""
    with pytest.raises(CountryNotAdmitted) as refused:
        SHIPPED.require(Country("SE"))

    assert "country_not_admitted" == refused.value.code
    with pytest.raises(CountryNotAdmitted):
        load().require(Country("DE"))


FAULTY = [
    ("nonsense =", ProfileFault.NOT_TOML),
    ("", ProfileFault.INVALID),
    (SMALL.replace("regulator", "regulater"), ProfileFault.INVALID),
    (SMALL + "unknown = 1\n", ProfileFault.INVALID),
    (SMALL.replace('country = "SE"', 'country = "se"'), ProfileFault.INVALID),
    (SMALL.replace('country = "SE"', 'country = "NO"'), ProfileFault.INVALID),
    (SMALL.replace('"licence"]', '"licence", "letter"]'), ProfileFault.INVALID),
    (SMALL.replace('["licence"]', "[]"), ProfileFault.INVALID),
    (SMALL.replace('"licence"]', '"employer_letter"]'), ProfileFault.INVALID),
    (SMALL.replace('"licence"]', '"supporting_login"]'), ProfileFault.INVALID),
    (SMALL.replace('"licence"]', '"register_number"]'), ProfileFault.INVALID),
    (SMALL.replace('"licence"]', '"electronic_identity"]'), ProfileFault.INVALID),
    (SMALL + 'student = ["licence"]\n', ProfileFault.INVALID),
    (SMALL + 'doctor = ["licence"]\n', ProfileFault.INVALID),
    (SMALL.replace('"trainee"', '"anything"'), ProfileFault.INVALID),
    (SMALL.replace('["sv"]', "[]"), ProfileFault.INVALID),
    (SMALL.replace('["sv"]', '["Swedish"]'), ProfileFault.INVALID),
    (SMALL.replace('"legitimation"', '" "'), ProfileFault.INVALID),
    (SMALL.replace('["sv"]', '["sv"]\nnumbers = ["gmc"]'), ProfileFault.INVALID),
    (SMALL.replace('["sv"]', '["sv"]\nnumbers = ["bsnr"]'), ProfileFault.INVALID),
    (SMALL.replace('["sv"]', '["sv"]\nacademic_year_ends = "02-29"'), ProfileFault.INVALID),
    (SMALL.replace('["sv"]', '["sv"]\nacademic_year_ends = "7-31"'), ProfileFault.INVALID),
    (SMALL + "[validity]\nspecialist = 25\n", ProfileFault.INVALID),
    (SMALL + "[validity]\nresident = 0\n", ProfileFault.INVALID),
    (SMALL + '[students]\nadmitted = "yes"\n', ProfileFault.INVALID),
    (SMALL + '[students]\nadmitted = true\nrights = ["read", "review"]\n', ProfileFault.INVALID),
    (SMALL + '[electronic]\nname = "x"\nprofessions = []\n', ProfileFault.INVALID),
    (SMALL + '[[own_numbers]]\nname = "gmc"\nauthority = "a"\nshape = "1"\nexample = "1"\n', ProfileFault.INVALID),
    (SMALL + '[[own_numbers]]\nname = "x"\nauthority = "a"\nshape = "("\nexample = "1"\n', ProfileFault.INVALID),
    (SMALL + '[[own_numbers]]\nname = "x"\nauthority = "a"\nshape = "2"\nexample = "1"\n', ProfileFault.INVALID),
]


def test_the_small_profile_holds(tmp_path: Path) -> None:
    """Each of the following differs from it in one thing."""
    assert "SE" in loaded(tmp_path, SE=SMALL).policies


@pytest.mark.parametrize(("text", "fault"), FAULTY)
def test_a_profile_that_does_not_hold_admits_nobody(tmp_path: Path, text: str, fault: ProfileFault) -> None:
    """The file is named, the others are not touched."""
    countries = loaded(tmp_path, SE=text)

    assert set(SHIPPED.policies) == set(countries.policies)
    assert [("SE.toml", fault)] == [(bad.name, bad.fault) for bad in countries.faults]
    assert all(bad.words for bad in countries.faults)


@pytest.mark.parametrize("name", ["DE", "de", "germany"])
def test_a_broken_replacement_closes_the_country(tmp_path: Path, name: str) -> None:
    """The product's profile does not step in for what the operator meant, however the file is called."""
    text = 'country = "DE"\nstudents = { admitted = true }\n'
    countries = loaded(tmp_path, **{name: text})

    assert {"AT", "CH", "FR", "IT", "ES", "GB"} == set(countries.policies)
    assert [f"{name}.toml"] == [bad.name for bad in countries.faults]


def test_what_cannot_be_read_admits_nobody(tmp_path: Path) -> None:
    """A profile in another encoding, a folder in its place; the rest is read."""
    (tmp_path / "DE.toml").write_bytes(b'country = "DE"\nregulator = "\xc4rzte"\n')
    (tmp_path / "AT.toml").mkdir()
    (tmp_path / "notes.txt").write_text("no profile")
    countries = load(shipped(), tmp_path)

    assert {"CH", "FR", "IT", "ES", "GB"} == set(countries.policies)
    assert {("DE.toml", ProfileFault.UNREADABLE), ("AT.toml", ProfileFault.UNREADABLE)} == {
        (bad.name, bad.fault) for bad in countries.faults
    }


def test_a_folder_that_cannot_be_read_closes_everything(tmp_path: Path) -> None:
    """Nobody knows which countries it would have closed."""
    countries = load(shipped(), tmp_path / "missing")

    assert {} == dict(countries.policies)
    assert [("missing", ProfileFault.FOLDER)] == [(bad.name, bad.fault) for bad in countries.faults]


def test_students_have_exactly_the_rights_that_are_named(tmp_path: Path) -> None:
    """Where they are let in; rights that are named while the door is closed give nothing."""
    text = SMALL + 'student = ["student_card"]\n[students]\nadmitted = {}\nrights = ["read"]\n'
    on = loaded(tmp_path, SE=text.format("true"))
    off = loaded(tmp_path, SE=text.format("false"))

    assert {"SE": frozenset({Action.READ})} == dict(on.student_rights())
    assert {} == dict(off.student_rights()) == dict(SHIPPED.student_rights())
    assert on.require(Country("SE")).accepts(Role.STUDENT, Proof.STUDENT_CARD)
    assert not off.require(Country("SE")).accepts(Role.STUDENT, Proof.STUDENT_CARD)


@pytest.mark.parametrize(
    ("country", "day", "ends"),
    [
        ("DE", date(2026, 11, 23), date(2027, 9, 30)),
        ("DE", date(2026, 9, 30), date(2026, 9, 30)),
        ("DE", date(2026, 10, 1), date(2027, 9, 30)),
        ("CH", date(2026, 8, 1), date(2027, 7, 31)),
        ("FR", date(2026, 1, 1), date(2026, 7, 31)),
    ],
)
def test_the_academic_year_ends_as_the_country_says(country: str, day: date, ends: date) -> None:
    """Its last day belongs to it; where no day is named it is the last of July."""
    assert ends == policy(country).year_end(day)


def test_terms_are_in_three_languages() -> None:
    """And in the country's own; names of numbers fit what a form can use."""
    for profile in SHIPPED.policies.values():
        assert all((profile.term.local, profile.term.en, profile.term.de, profile.term.fr))
        assert all(re.fullmatch("[a-z_]+", name) for name in profile.kinds)

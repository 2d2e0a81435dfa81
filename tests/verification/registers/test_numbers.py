"""Numbers of registers: each rule with a number that passes it and all of its neighbours, which do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from verification.registers import numbers
from verification.registers.numbers import KINDS, Check, NumberShape, plain, read

#: Numbers that pass, in the spelling of their register.
GOOD = [
    ("efn", "802760901234566"), ("lanr", "123456601"), ("lanr", "234567701"), ("gln", "7601000000002"),
    ("rpps", "10001234565"), ("codice_fiscale", "BNCLCU90A41F205Z"), ("npi", "1234567893"),
    ("inami", "19006951001"), ("npwz", "5425740"),
]  # fmt: skip
#: Digits a rule does not look at: LANR and INAMI say nothing of the specialty at their end.
BLIND = {"lanr": {7, 8}, "inami": {8, 9, 10}}
TYPED = [kind for kind in KINDS.values() if kind.refusal is None]


def changed(value: str) -> Iterator[tuple[int, str, str]]:
    """Every number that differs in one digit: the place, the digit now, the whole."""
    for place, digit in enumerate(value):
        if digit.isdigit():
            yield from ((place, new, value[:place] + new + value[place + 1 :]) for new in "0123456789" if new != digit)


def stands(kind: str, value: str) -> bool:
    """Whether a number has the shape and passes its check."""
    try:
        return read(kind, value).check == Check.PASSED
    except NumberShape:
        return False


def forgiven(kind: str, place: int, old: str, new: str) -> bool:
    """Whether the rule itself cannot see this change: weight 4 of the LANR takes five away modulo ten."""
    heavy = kind == "lanr" and place in (0, 2, 4) and abs(int(old) - int(new)) == 5
    return heavy or place in BLIND.get(kind, ())


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_a_number_passes_its_check(kind: str, value: str) -> None:
    """The known numbers of each rule stand, and are stored as they are written."""
    number = read(kind, value)

    assert (Check.PASSED, value) == (number.check, number.value)
    assert f"{KINDS[kind].system}|{value}" == number.key


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_every_change_of_one_digit_is_seen(kind: str, value: str) -> None:
    """Each neighbour fails, but for the changes that the rule of the authority cannot see, and those pass."""
    seen = {(place, new): stands(kind, other) for place, new, other in changed(value)}

    assert 9 * sum(sign.isdigit() for sign in value) == len(seen)
    assert {change for change in seen if forgiven(kind, change[0], value[change[0]], change[1])} == {
        change for change, passed in seen.items() if passed
    }


def test_a_failed_check_refuses_nothing() -> None:
    """The number is read, and says that its check failed; published examples of RPPS fail the rule."""
    for kind, value in (("lanr", "123456901"), ("rpps", "10001234567"), ("rpps", "10102727017"), ("npwz", "5425741")):
        number = read(kind, value)

        assert (Check.FAILED, value) == (number.check, number.value)


def test_the_lanr_is_no_sum_of_digits_of_products() -> None:
    """With cross-sums the check digit would be another one."""
    assert stands("lanr", "123456601")
    assert not stands("lanr", "123456901")


@pytest.mark.parametrize("kind", TYPED, ids=lambda kind: kind.name)
def test_the_example_of_each_kind_has_its_shape(kind: numbers.NumberKind) -> None:
    """What a form shows as an example is accepted by it, and fails no check."""
    assert read(kind.name, kind.example).check != Check.FAILED


@pytest.mark.parametrize("kind", TYPED, ids=lambda kind: kind.name)
def test_a_wrong_shape_is_an_error(kind: numbers.NumberKind) -> None:
    """A digit too few or too many, another script, a letter, nothing at all."""
    longer = kind.example + "0000000000"
    for text in ("", " - ", kind.example[:1], longer, "x" + kind.example, "٣" * len(kind.example), "1" * 65, "1\x00"):
        with pytest.raises(NumberShape) as refused:
            read(kind.name, text)

        assert "number_shape" == refused.value.code


@pytest.mark.parametrize(
    ("kind", "text"),
    [("efn", "802770901234566"), ("gln", "7602000000009"), ("npi", "3234567893"), ("npwz", "0425740"),
     ("inami", "29006951001"), ("idnps", "110001234565"), ("codice_fiscale", "BNCLCU90F41F205Z")],
)  # fmt: skip
def test_a_number_of_another_register_is_an_error(kind: str, text: str) -> None:
    """The fixed beginning belongs to the shape."""
    with pytest.raises(NumberShape):
        read(kind, text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("efn", " 8027 6090-1234.566 ", "802760901234566"),
        ("lanr", "12/34566/01", "123456601"),
        ("rpps", "10\u00a0001\u202f234\u2013565", "10001234565"),
        ("codice_fiscale", "bnc lcu 90a41 f205z", "BNCLCU90A41F205Z"),
        ("albo_it", "mi 12.345", "MI12345"),
        ("aek_at", "12345 \u2013 67", "12345-67"),
        ("gln", "７６０１000000002", "7601000000002"),
    ],
)
def test_spaces_dots_hyphens_and_slashes_do_not_count(kind: str, text: str, value: str) -> None:
    """People write numbers in groups; only Austria's hyphen is part of the number."""
    assert value == read(kind, text).value


def test_the_austrian_hyphen_is_needed() -> None:
    """Without it, or with two, it is another shape."""
    for text in ("1234567", "123-45-67", "12345-", "-67"):
        with pytest.raises(NumberShape):
            read("aek_at", text)


def test_the_three_french_spellings_are_one_number() -> None:
    """The same doctor is found again: IDNPS with 8 is the RPPS, ADELI is an IDNPS with 0; the two are apart."""
    assert read("rpps", "10001234565") == read("idnps", "8 10001234565")
    assert read("adeli", "123456789") == read("idnps", "0123456789")
    assert ("adeli", "0123456789") == (read("adeli", "123456789").kind, read("adeli", "123456789").value)
    assert read("adeli", "123456789").key != read("rpps", "10001234565").key


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("bsnr", "123456789", "number_of_a_site"),
        ("telematik_id", "1-2c25sd-e003", "number_needs_certificate"),
        ("ssn", "123456789", "number_kind_unknown"),
        ("", "", "number_kind_unknown"),
    ],
)
def test_numbers_that_name_no_doctor_are_refused(kind: str, text: str, code: str) -> None:
    """A practice's number, a number that only a certificate can show, and a kind nobody gives."""
    with pytest.raises(NumberShape) as refused:
        read(kind, text)

    assert code == refused.value.code


def test_a_number_of_a_register_without_a_kind() -> None:
    """It is stored under the register's name; whatever is no number at all is refused."""
    assert ("se", "AB-12", Check.NONE) == (
        plain("se", " ab-12 ").kind,
        plain("se", "ab-12").value,
        plain("se", "1").check,
    )
    assert plain("se", "12").key != plain("no", "12").key
    for text in ("", "-", "1--2", "1-", "é", "1" * 65, "1;2"):
        with pytest.raises(NumberShape):
            plain("se", text)


def test_every_system_is_an_address_of_its_own() -> None:
    """A number is stored under its register; only ADELI and IDNPS share theirs."""
    systems = [kind.system for kind in TYPED if kind.name != "adeli"]

    assert len(systems) == len(set(systems))
    assert [] == [system for system in systems if not system.startswith(("http://", "https://", "urn:oid:"))]


@given(st.sampled_from(["", "nonsense", *KINDS]), st.text(max_size=80))
@settings(max_examples=examples(400), deadline=None)
def test_anything_typed_is_a_number_or_a_refusal(kind: str, text: str) -> None:
    """Whatever stands in the field: a number or NumberShape; neither what is said nor what is logged repeats it."""
    try:
        number = read(kind, text)
    except NumberShape as refused:
        said = str(refused)
    else:
        said = repr(number)
        assert number == read(number.kind, number.value[1:] if number.kind == "adeli" else number.value)

    assert text not in said or len(text) < 4


@given(st.sampled_from([kind for kind in TYPED if kind.name != "idnps"]), st.data())
@settings(max_examples=examples(400), deadline=None)
def test_what_has_the_shape_is_read(kind: numbers.NumberKind, data: st.DataObject) -> None:
    """A number of the right shape is never refused, whatever its check says; reading is stable."""
    text = data.draw(st.from_regex(f"(?:{kind.shape})\\Z", fullmatch=True))

    assert read(kind.name, text) == read(kind.name, f" {text[:3]} {text[3:]}.".lower())

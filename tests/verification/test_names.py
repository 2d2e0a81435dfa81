"""Names: when two are one, and what may not stand in any."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.errors import BadName
from verification.names import check_name, clean_display_name, fold, same_name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dr Éliane Vauquelin", "DR ELIANE VAUQUELIN"),
        ("Prof. Dr. med. Jörg Müller-Lüdenscheidt", "Muller Ludenscheidt, Jorg"),
        ("Pr Anne-Sophie d'Exemple", "anne sophie D’EXEMPLE"),
        ("Jürgen Groß", "JÜRGEN GROSS"),
        ("E\u0301liane", "\u00c9liane"),
        ("Ｄｒ Ada", "Ada"),
    ],
)
def test_two_spellings_of_one_name_are_one_name(one: str, other: str) -> None:
    """Accents, case, titles, punctuation and order make no difference."""
    assert fold(one) == fold(other)
    assert same_name(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dr Ada Beispiel", "Dr Eve Beispiel"),
        ("Ada Beispiel", "Ada Ada Beispiel"),
        ("Ada", "Аda"),
        ("Ada Beispiel", "AdaBeispiel"),
        ("", ""),
        ("Dr", "Dr"),
        ("123", "123"),
    ],
)
def test_two_names_are_two_names(one: str, other: str) -> None:
    """Another letter, though it looks the same, and another number of words; what folds to nothing is no name."""
    assert not same_name(one, other)


@given(st.text())
def test_folding_a_folded_name_changes_nothing(text: str) -> None:
    """A folded name has no accents, no capitals, no signs."""
    assert fold(text) == fold(fold(text))


@pytest.mark.parametrize(
    "name",
    [
        "Dr Éliane Vauquelin",
        "Prof. Dr. med. Jörg Müller-Lüdenscheidt",
        "Seán O'Brien",
        "Anne d’Exemple",
        "Núria Col·loma (Vic)",
        "Γιώργος Παπαδόπουλος",
        "Иван Петров",
        "Nguyễn Thị Hương",
        "محمد علي",
        "Łukasz Żółć 3",
        "Henry VIII",
    ],
)
def test_a_name_stays_as_it_is(name: str) -> None:
    """Letters of any script, digits, and the punctuation of names."""
    assert name == clean_display_name(name) == check_name(name)


MARKS = "✓✔☑✅🗸🗹√⍻☒✗★⚕⚚☤®™©℠Ⓥ🅥①ᐯᐁˇ˅🩺👨‍⚕️🇫🇷👍🏽#️⃣"
HIDDEN = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u034f\u061c"
TURNED = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
FILLERS = "\u115f\u1160\u3164\uffa0\u2800\ufe0e\ufe0f\U000e0041\U000e0100\u0000\u0007\ufffd\ue000\ud800"


@pytest.mark.parametrize("sign", [*MARKS, *HIDDEN, *TURNED, *FILLERS], ids=lambda sign: f"U+{ord(sign):04X}")
def test_marks_emoji_and_hidden_characters_are_taken_out(sign: str) -> None:
    """The mark is the page's to draw: nothing like it, nothing invisible, nothing that turns the line around."""
    if sign == "#":
        sign = "#\ufe0f\u20e3"

    assert "Dr Ada" == clean_display_name(f"{sign}Dr {sign}Ada{sign}")
    with pytest.raises(BadName):
        check_name(sign)


def test_spaces_are_single_and_ordinary() -> None:
    """No-break spaces, line ends and padding become one space, or none at the ends."""
    assert "Dr Ada Beispiel" == clean_display_name("\u2003Dr\u00a0\u00a0Ada\n\u2028Beispiel\t")


def test_letters_in_disguise_become_letters() -> None:
    """Mathematical and full-width letters are written plainly."""
    assert "Dr Ada" == clean_display_name("𝐃𝐫 Ａｄａ")


def test_a_letter_carries_few_signs() -> None:
    """A tower of accents falls to what a letter can carry; accents on nothing fall away."""
    assert "a\u0330\u0330\u0330b" == clean_display_name("a" + 40 * "\u0330" + "b")
    assert "Ada" == clean_display_name("\u0301 Ada \u0301")


@pytest.mark.parametrize("name", ["", " ", "...", "Dr", "123", "✓", "A" * 201, "✓" * 900 + "Ada"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """A name has a letter beside its titles, and at most 200 characters."""
    with pytest.raises(BadName):
        check_name(name)


@given(st.text())
def test_a_cleaned_name_is_clean(text: str) -> None:
    """Cleaning twice is cleaning once, and nothing but letters, signs, digits and punctuation remains."""
    name = clean_display_name(text)

    assert name == clean_display_name(name)
    assert {unicodedata.category(sign)[0] for sign in name} <= {"L", "M", "N", "P", "Z"}

"""Comparing names, and keeping the mark out of them.

The verified mark is drawn by the page, outside the name. So nothing that looks like a mark, hides, or turns the line
around may stand inside one: only letters, digits, single spaces and the punctuation of names remain.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from verification.errors import BadName

MAX_LENGTH: Final = 200
#: Combining signs that may follow one letter; Vietnamese and Hebrew need two, nobody needs ten.
MAX_SIGNS: Final = 3

_TITLES: Final = frozenset({"dr", "prof", "med", "pr"})
_PUNCTUATION: Final = frozenset(" -'.,()/·\u2019\u2010\u2013")
# Modifier letters look like accents and ticks; these two are letters of names (apostrophe, okina).
_MODIFIERS: Final = frozenset("\u02bc\u02bb")
_LETTERS: Final = frozenset({"Lu", "Ll", "Lt", "Lo"})
_SIGNS: Final = frozenset({"Mn", "Mc"})
# Invisible although Unicode calls them letters or signs (Default_Ignorable_Code_Point), signs for symbols,
# and the wedge-shaped letters of the syllabaries, which pass for check marks.
_HIDDEN: Final = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x1400, 0x167F),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x18B0, 0x18FF),
    (0x20D0, 0x20FF),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0x11AB0, 0x11ABF),
    (0xE0000, 0xE0FFF),
)


def fold(text: str) -> str:
    """Return the name as it is compared: without accents, marks, case, titles and order of words."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not _is_combining(sign))
    letters = "".join(sign if unicodedata.category(sign).startswith("L") else " " for sign in bare)
    return " ".join(sorted(word for word in letters.casefold().split() if word not in _TITLES))


def same_name(one: str, other: str) -> bool:
    """Whether two names are one name; a name that folds to nothing is nobody's."""
    folded = fold(one)
    return folded != "" and folded == fold(other)


def clean_display_name(text: str) -> str:
    """Return the name as it may be shown; empty when nothing of it may."""
    # Twice: a symbol may not become letters by normalisation, and normalisation may bring symbols.
    composed = unicodedata.normalize("NFKC", _kept(text))
    return unicodedata.normalize("NFC", " ".join(_few_signs(_kept(composed)).split()))


def check_name(text: str) -> str:
    """Return the cleaned name; raise BadName when it holds no letter or is too long."""
    if len(text) > 4 * MAX_LENGTH:
        raise BadName("a name is too long")
    name = clean_display_name(text)
    if len(name) > MAX_LENGTH or not fold(name):
        raise BadName("a name needs letters, and at most 200 characters")
    return name


def _kept(text: str) -> str:
    return "".join(_shown(sign) for sign in text)


def _shown(sign: str) -> str:
    """The character itself, a space for any kind of space, or nothing."""
    category = unicodedata.category(sign)
    if category in ("Zs", "Zl", "Zp") or sign in "\t\n\r":
        return " "
    if sign in _PUNCTUATION or sign in _MODIFIERS:
        return sign
    allowed = category in _LETTERS or category in _SIGNS or category == "Nd"
    return sign if allowed and not _is_hidden(sign) else ""


def _few_signs(text: str) -> str:
    """Drop signs that follow no letter, and those beyond what a letter can carry."""
    kept: list[str] = []
    carried = MAX_SIGNS
    for sign in text:
        if unicodedata.category(sign) not in _SIGNS:
            carried = 0 if unicodedata.category(sign) in _LETTERS else MAX_SIGNS
        elif (carried := carried + 1) > MAX_SIGNS:
            continue
        kept.append(sign)
    return "".join(kept)


def _is_combining(sign: str) -> bool:
    return unicodedata.category(sign).startswith("M")


def _is_hidden(sign: str) -> bool:
    return any(first <= ord(sign) <= last for first, last in _HIDDEN)

"""The user's guide: the same in three languages, with the names that stand on the pages and pictures that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from instance import i18n
from tests.docs.pages import ROOT

GUIDE: Final = ROOT / "docs/guide"
_PICTURE: Final = re.compile(r"!\[([^\]\n]*)\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^(#+) ", re.MULTILINE)
_NAME: Final = re.compile(r"\*\*([^*]+)\*\*")
#: A picture is for a page that is read on a phone, too.
_MOST_BYTES: Final = 60_000
_MOST_PICTURES: Final = 8


def guide(language: str) -> Path:
    """The guide in one language."""
    return GUIDE / language / "index.md"


def read(language: str) -> str:
    """Its text."""
    return guide(language).read_text("utf-8")


def unknown(text: str, language: str) -> list[str]:
    """What is printed as a name of the pages and is none."""
    known = {_one_line(each) for each in _texts(language)}
    return [name for name in _NAME.findall(text) if _one_line(name) not in known]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _texts(language: str) -> Iterator[str]:
    for text in i18n.catalogue(language).texts.values():
        yield from (text,) if isinstance(text, str) else text


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_picture_is_there_and_described(language: str) -> None:
    """Each picture exists, is small and says in words what it shows."""
    shown = _PICTURE.findall(read(language))
    files = [(guide(language).parent / place).resolve() for _, place in shown]

    assert 0 < len(shown) <= _MOST_PICTURES
    assert [] == [place for words, place in shown if len(words) < 15]
    assert [] == [file.name for file in files if not file.is_file() or file.stat().st_size > _MOST_BYTES]
    assert [] == [file.name for file in files if not file.name.startswith(f"{language}-")]


def test_no_picture_lies_unused() -> None:
    """What no guide shows is not kept."""
    used = {Path(place).name for language in i18n.LANGUAGES for _, place in _PICTURE.findall(read(language))}

    assert used == {file.name for file in (GUIDE / "pictures").iterdir()}


def test_the_guides_have_the_same_parts() -> None:
    """The same headings in number and rank, and the same pictures in the same places, in each language."""
    headings = {tuple(_HEADING.findall(read(language))) for language in i18n.LANGUAGES}
    pictures = {
        tuple(Path(place).name.partition("-")[2] for _, place in _PICTURE.findall(read(language)))
        for language in i18n.LANGUAGES
    }

    assert 1 == len(headings)
    assert 1 == len(pictures)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_what_is_named_stands_on_the_pages(language: str) -> None:
    """Every page and button in bold is called so on the pages, letter by letter."""
    assert len(_NAME.findall(read(language))) > 20
    assert [] == unknown(read(language), language)


def test_a_name_that_is_on_no_page_is_noticed() -> None:
    """A button that was renamed makes the guide fail; the right name does not."""
    assert ["No such button"] == unknown("Press **No such button**, then **Publish**.", "en")

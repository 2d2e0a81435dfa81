"""Numbers, dates and plurals as each language says them."""

from __future__ import annotations

import re

import pytest

from instance import i18n
from tests.instance.pages.test_words import PLACEHOLDER, REQUIRED


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [
        ("en", 0, "0 answers"),
        ("en", 1, "1 answer"),
        ("de", 0, "0 Antworten"),
        ("de", 1, "1 Antwort"),
        ("fr", 0, "0 réponse"),
        ("fr", 1, "1 réponse"),
        ("fr", 2, "2 réponses"),
        ("en", 2, "2 answers"),
        ("en", 1_000, "1,000 answers"),
        ("en", 1_000_000, "1,000,000 answers"),
        ("de", 2, "2 Antworten"),
        ("de", 1_000, "1.000 Antworten"),
        ("de", 1_000_000, "1.000.000 Antworten"),
        ("fr", 1_000, "1\u202f000 réponses"),
        ("fr", 1_000_000, "1\u202f000\u202f000 réponses"),
    ],
)
def test_plurals_follow_the_language(language, number, expected):
    """French zero is singular, English and German zero is plural; large numbers are grouped as the language does."""
    assert expected == i18n.catalogue(language).count("post.answers", number)


@pytest.mark.parametrize("language", REQUIRED)
@pytest.mark.parametrize("number", [0, 1, 2, 1_000_000])
def test_every_counted_text_can_be_said(language, number):
    """Each text that is counted, with each number: as a whole, with the number where it names one."""
    words = i18n.catalogue(language)
    for key, text in words.texts.items():
        if isinstance(text, tuple):
            rest = {name[1:-1]: "7" for name in PLACEHOLDER.findall("".join(text)) if name != "{number}"}
            said = words.count(key, number, **rest)
            assert "{" not in said
            assert number < 2 or "{number}" not in text[1] or i18n.Measures(language).number(number) in said


@pytest.mark.parametrize(
    ("language", "numbers", "ago"),
    [
        ("en", ("0", "1", "2", "1,000,000", "12%"), ("1 minute ago", "118 minutes ago", "3 hours ago", "2 days ago")),
        (
            "de",
            ("0", "1", "2", "1.000.000", "12\u00a0%"),
            ("vor 1 Minute", "vor 118 Minuten", "vor 3 Stunden", "vor 2 Tagen"),
        ),
        (
            "fr",
            ("0", "1", "2", "1\u202f000\u202f000", "12\u00a0%"),
            ("il y a 1 minute", "il y a 118 minutes", "il y a 3 heures", "il y a 2 jours"),
        ),
    ],
)
def test_numbers_and_spans_follow_the_language(language, numbers, ago):
    """Grouped, with the signs and spaces of the language; how long ago is said in the case the language asks for."""
    said = i18n.Measures(language)

    assert numbers == (*(said.number(number) for number in (0, 1, 2, 1_000_000)), said.percent(0.12))
    assert ago == tuple(said.ago(seconds) for seconds in (0, 7_080, 3 * 3_600, 2 * 86_400))


def test_french_keeps_its_spaces():
    """Before a colon, a question mark and inside quotation marks stands a space that does not break."""
    texts = [text for text in i18n.catalogue("fr").texts.values() if isinstance(text, str)]

    assert [] == [text for text in texts if re.search(r"[^\u00a0\u202f/*][:;!?»](\s|$)", text)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("it,fr;q=0.3", "fr"),
        ("en;q=0.1,fr;q=0.2", "fr"),
        ("", "de"),
        ("xx", "de"),
        ("en;q=0", "de"),
        ("fr;q=nonsense", "de"),
        ("," * 5000, "de"),
    ],
)
def test_the_browser_names_a_language(header, expected):
    """The best language we have is taken, the instance's own where there is none."""
    assert expected == i18n.negotiate(header, "de")


def test_times_name_their_zone():
    """Where countries meet, an hour says whose hour it is."""
    at = 1_795_438_800_000

    assert "23 November 2026, 14:00 CET" == i18n.Clock("en", "FR").date_time(at)
    assert "23. November 2026, 14:00 MEZ" == i18n.Clock("de", "DE").date_time(at)
    assert "23 novembre 2026, 13:00 GMT" == i18n.Clock("fr", "GB").date_time(at)


def test_the_first_of_a_month_is_said_as_french_says_it():
    """`1er` with and without an hour, on that day alone; the other languages keep their own form."""
    first, next_day = 1_796_119_200_000, 1_796_205_600_000

    assert "1er décembre 2026, 11:00 CET" == i18n.Clock("fr", "FR").date_time(first)
    assert "1er décembre 2026" == i18n.Clock("fr", "FR").date(first)
    assert "2 décembre 2026" == i18n.Clock("fr", "FR").date(next_day)
    assert "1 December 2026" == i18n.Clock("en", "FR").date(first)
    assert "1. Dezember 2026" == i18n.Clock("de", "DE").date(first)

"""Words in every language: catalogues read once, plurals by their own rule, dates and names by CLDR.

Keys are short names (`feed.title`), never sentences, so that English is a catalogue like the others. The `.po` files
are read as they are; there is no build step between a translator and a page. A language more is its file in `locale`
and its entry in `instance.config.LANGUAGES`; how it writes days, numbers and plurals comes from CLDR.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from datetime import date as Day
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_interval, format_timedelta
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from instance import config
from instance.times import from_ms
from verification import specialties

#: What pages can be shown in; each of them has a whole catalogue.
LANGUAGES: Final = config.LANGUAGES
#: What texts may be written in.
CONTENT_LANGUAGES: Final = (*LANGUAGES, "it", "es", "nl")
#: British English: day before month, as in all other languages here. Every other language is its own locale.
_LOCALES: Final[Mapping[str, str]] = {"en": "en_GB"}
#: What German calls the zones that the others call CET and CEST.
_GERMAN_ZONES: Final[Mapping[str, str]] = {"CET": "MEZ", "CEST": "MESZ"}
#: Where the clock on the wall of a country's doctors hangs.
_ZONES: Final[Mapping[str, str]] = {
    "AT": "Europe/Vienna",
    "BE": "Europe/Brussels",
    "CH": "Europe/Zurich",
    "DE": "Europe/Berlin",
    "ES": "Europe/Madrid",
    "FR": "Europe/Paris",
    "GB": "Europe/London",
    "IE": "Europe/Dublin",
    "IT": "Europe/Rome",
    "NL": "Europe/Amsterdam",
}


def zone_of(country: str) -> str:
    """The zone on whose clock a country's doctors look."""
    return _ZONES.get(country, "UTC")


class Catalogue:
    """One language's texts."""

    def __init__(self, language: str, texts: Mapping[str, str | tuple[str, ...]]) -> None:
        self.language = language
        self.texts = texts
        self.locale = locale_of(language)
        self._plural = self.locale.plural_form

    def text(self, key: str, **values: object) -> str:
        """Return the text of this key; raise KeyError where the catalogue lacks it."""
        text = self.texts[key]
        if not isinstance(text, str):
            raise KeyError(key)
        return text.format(**values) if values else text

    def count(self, key: str, number: int, **values: object) -> str:
        """Return the form this language uses for that number: `one`, or the rest (CLDR; French zero is singular)."""
        forms = self.texts[key]
        if isinstance(forms, str):
            raise KeyError(key)
        form = forms[0 if self._plural(number) == "one" else 1]
        # Below a thousand nothing is grouped, and most of what is counted is.
        shown = str(number) if 0 <= number < 1_000 else format_decimal(number, locale=self.locale)
        return form.format(number=shown, **values)

    def form(self, which: int, key: str) -> str:
        """One of the forms of `count` (0: of one, 1: the other), with `#` in the place of the number, for scripts."""
        return self.texts[key][which].format(number="#")

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in self.texts

    def country(self, code: str) -> str:
        """The country's name, without an article; never glued into a sentence."""
        return _name(self.language, "territories", code)

    def language_name(self, code: str) -> str:
        """What this language calls another."""
        return _name(self.language, "languages", code)

    def specialty(self, slug: str) -> str:
        """The specialty's name."""
        return specialties.name(slug, self.language)


@cache
def locale_of(language: str) -> Locale:
    """Where CLDR keeps how this language writes days, numbers and names."""
    return Locale.parse(_LOCALES.get(language, language))


def own_name(language: str) -> str:
    """What a language calls itself: `Français`."""
    name = str(locale_of(language).get_language_name(language))
    return name[:1].upper() + name[1:]


@lru_cache(maxsize=2_048)
def _name(language: str, what: str, code: str) -> str:
    """A name of CLDR; each is looked up through several levels, and pages show the same few."""
    return str(getattr(catalogue(language).locale, what).get(code, code))


@lru_cache(maxsize=len(LANGUAGES))
def source(language: str) -> bytes:
    """Return the file of one of LANGUAGES as it was when it was first asked for; raise KeyError for any other."""
    if language not in LANGUAGES:
        raise KeyError(language)
    return files("instance").joinpath(f"locale/{language}/LC_MESSAGES/messages.po").read_bytes()


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> Catalogue:
    """Return the catalogue of one of LANGUAGES, understood on first use."""
    messages = read_po(BytesIO(source(language)), locale=language)
    texts: dict[str, str | tuple[str, ...]] = {}
    for message in messages:
        if message.id and not message.fuzzy:
            key = message.id if isinstance(message.id, str) else message.id[0]
            string = message.string or ""
            texts[key] = string if isinstance(string, str) else tuple(string)
    return Catalogue(language, texts)


class Measures:
    """How numbers, spans and sizes are shown in one language: in the unit in which they are short."""

    _SPANS: Final = (("day", 86_400, 2), ("hour", 3_600, 2), ("minute", 60, 2))
    _SIZES: Final = (("gigabyte", 10**9), ("megabyte", 10**6), ("kilobyte", 10**3))

    def __init__(self, language: str) -> None:
        self._locale = locale_of(language)

    def number(self, number: float) -> str:
        """`12,345`."""
        return format_decimal(number, locale=self._locale)

    def percent(self, ratio: float) -> str:
        """`12%`."""
        return format_percent(ratio, locale=self._locale)

    def span(self, seconds: float) -> str:
        """`3 days`: whole days from two on, hours from two on, and so forth."""
        whole = abs(int(seconds))
        unit, size, _ = next((each for each in self._SPANS if whole >= each[1] * each[2]), ("second", 1, 0))
        return format_unit(whole // size, unit, length="long", locale=self._locale)

    def ago(self, seconds: float) -> str:
        """`3 hours ago`: in the largest unit of which there are two, minutes at least."""
        span = timedelta(seconds=-max(seconds, 60))
        return format_timedelta(span, granularity="minute", threshold=2, add_direction=True, locale=self._locale)

    def size(self, octets: float) -> str:
        """`1.5 GB`."""
        unit, size = next((each for each in self._SIZES if octets >= each[1]), ("byte", 1))
        return format_unit(octets / size, unit, length="short", format="#,##0.#", locale=self._locale)


class Clock:
    """How times are shown in one language, on one country's clock."""

    def __init__(self, language: str, country: str) -> None:
        self._locale = locale_of(language)
        self._day = self._locale.date_formats["long"].pattern
        self._zone_names = _GERMAN_ZONES if language == "de" else {}
        self._zone = ZoneInfo(zone_of(country))

    def date(self, ms: int) -> str:
        """`23 November 2026`."""
        return self.on(self._local(ms).date())

    def on(self, day: Day) -> str:
        """The same of a day that has no hour; in French the first of a month is `1er`."""
        said = format_date(day, self._day, locale=self._locale)
        return f"1er {said[2:]}" if self._locale.language == "fr" and day.day == 1 else said

    def days(self, first: Day, last: Day | None) -> str:
        """`1–4 September 2026`; one day alone is that day."""
        if last is None or last == first:
            return self.on(first)
        return format_interval(first, last, "yMMMMd", locale=self._locale)

    def date_time(self, ms: int) -> str:
        """`23 November 2026, 14:05 CET`: with the zone, since countries meet here."""
        at = self._local(ms)
        zone, hour = at.tzname() or "", format_datetime(at, "HH:mm", locale=self._locale)
        return f"{self.on(at.date())}, {hour} {self._zone_names.get(zone, zone)}"

    def read(self, text: str) -> datetime:
        """Return the moment that a field for a time holds (`2026-11-23T14:05`); raise ValueError for anything else."""
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None or not 1970 <= at.year <= 9000:
            raise ValueError("not a time of a field")
        return at.replace(tzinfo=self._zone).astimezone(UTC)

    def machine(self, ms: int) -> str:
        """The value of `<time datetime>`."""
        return from_ms(ms).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _local(self, ms: int) -> datetime:
        return datetime.fromtimestamp(ms / 1000, UTC).astimezone(self._zone)


def negotiate(accept: str, default: str) -> str:
    """Return the best of LANGUAGES for an Accept-Language header (RFC 9110 section 12.5.4)."""
    ranked = []
    for place, part in enumerate(accept[:500].split(",")):
        tag, _, quality = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES:
            ranked.append((-_quality(quality), place, language))
    ranked = [item for item in ranked if item[0] < 0]
    return min(ranked)[2] if ranked else default


def _quality(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0

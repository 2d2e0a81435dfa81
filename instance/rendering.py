"""Pages: Jinja templates, compiled once per language, with everything a template may call.

A template decides nothing and asks nothing: it shows the row types of `instance.views`. Autoescape is always on; the
only markup that passes unescaped is content sanitised at the door (`federation.html`).
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from instance import assets, i18n
from instance.times import to_ms

#: Countries with a sentence of their own for "doctors in … only" (articles differ); others have a general one.
_OWN_SENTENCE: Final = frozenset({"AT", "CH", "DE", "ES", "FR", "GB", "IT"})
_BLOCK: Final = re.compile(r"</?(?:p|li|ul|ol|h[1-6]|blockquote|pre|br|table|tr|td|div)\b[^>]*>")
_NEXT_ITEM: Final = re.compile(r"</li>\s*<li\b[^>]*>")
_OPEN_TAG: Final = re.compile(r"<[^>]*\Z")
_OPENING_LENGTH: Final = 300
_SAID_BY_ROLE: Final = ("generalist", "general-practice")


def render(template: str, language: str, country: str, /, **values: Any) -> str:
    """Return the page or fragment in that language, with times on that country's clock."""
    return environment(language, country).get_template(template).render(values)


@lru_cache(maxsize=64)
def environment(language: str, country: str) -> Environment:
    """Return the compiled templates of one language as one country shows them."""
    made = Environment(
        loader=PackageLoader("instance", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=200,
    )
    words, clock = i18n.catalogue(language), i18n.Clock(language, country)
    made.globals.update(
        t=words.text,
        n=words.count,
        language=language,
        country=country,
        languages=[(code, i18n.OWN_NAMES[code]) for code in i18n.LANGUAGES],
        date=clock.date,
        date_time=clock.date_time,
        machine_time=clock.machine,
        country_name=words.country,
        specialty_name=words.specialty,
        language_name=words.language_name,
        asset=assets.address,
        ms=to_ms,
    )
    phrases = Phrases(words)
    made.globals.update(
        role_line=phrases.role_line,
        audience_line=phrases.audience_line,
        kind=phrases.kind,
        error_text=phrases.error,
        role_name=phrases.role,
        notice_text=phrases.notice,
    )
    made.filters.update(trusted=Markup, opening=opening, listed=json.loads)
    return made


def opening(content: str) -> str:
    """The first words of sanitised HTML (which may have been cut anywhere), as plain text."""
    # S704: nothing is trusted here, the tags are taken off and the text is escaped where it is shown.
    text = str(Markup(_BLOCK.sub(" ", _NEXT_ITEM.sub(" · ", _OPEN_TAG.sub("", content)))).striptags())  # noqa: S704
    if len(text) <= _OPENING_LENGTH:
        return text
    return text[:_OPENING_LENGTH].rsplit(" ", 1)[0] + " …"


class Phrases:
    """Sentences put together from more than one key."""

    def __init__(self, words: i18n.Catalogue) -> None:
        self._words = words

    def role(self, role: str) -> str:
        """A role's name; an unknown one is shown as it stands, never guessed."""
        key = f"role.{role}"
        return self._words.text(key) if self._words.has(key) else role

    def role_line(self, role: str, specialties: str, country: str) -> str:
        """`Specialist, Cardiology · Germany`; a generalist's own specialty is said by the role."""
        slugs = [slug for slug in json.loads(specialties) if (role, slug) != _SAID_BY_ROLE]
        names = [self._words.specialty(slug) for slug in slugs]
        # The dot stays with what is before it; a line never begins with one.
        return "\u00a0· ".join([", ".join([self.role(role), *names]), self._words.country(country)])

    def kind(self, kind: str) -> str:
        """A post kind's name; an unknown one is shown as it stands."""
        key = f"kind.{kind}"
        return self._words.text(key) if self._words.has(key) else kind

    def notice(self, kind: str) -> str:
        """What somebody did, as the rest of a sentence that begins with their name."""
        key = f"notice.{kind}"
        return self._words.text(key if self._words.has(key) else "notice.other")

    def audience_line(self, audience: str, country: str) -> str:
        """Who may read it, as a sentence."""
        if audience != "national":
            return self._words.text(f"audience.{audience}")
        own = country if country in _OWN_SENTENCE else "other"
        return self._words.text(f"audience.national.{own}")

    def error(self, code: str) -> str:
        """What happened, what was kept, what to do; a general sentence for a code without one of its own."""
        key = f"error.{code}"
        return self._words.text(key if self._words.has(key) else "error.unknown")

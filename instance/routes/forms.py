"""What forms hold, and the one way in which mistakes in them are shown: named, linked, nothing typed is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from quart import request

from instance.i18n import CONTENT_LANGUAGES
from instance.services.errors import Rejected
from verification import specialties

#: Content languages offered beside those of the interface: those of the countries that take part.


class Mistake(Struct, frozen=True):
    """What to mend: a coded sentence, and the field it stands at (empty: the form as a whole)."""

    code: str
    field: str = ""


class PostForm(Struct, frozen=True, kw_only=True):
    """What the form of a post holds, as typed."""

    kind: str = "case"
    title: str = ""
    text: str = ""
    specialties: tuple[str, ...] = ()
    language: str = ""
    audience: str = "federation"
    named: str = ""
    form_key: str = ""

    def addresses(self) -> list[str]:
        """The doctors named, one address each, without the leading @."""
        return [word.lstrip("@") for word in self.named.replace(",", " ").replace(";", " ").split()]


def mistake(error: Rejected) -> Mistake:
    """The mistake a service found."""
    return Mistake(error.code, error.field or "")


async def post_form() -> PostForm:
    """Read the form of a post."""
    form: Any = await request.form
    return PostForm(
        kind=form.get("kind", ""),
        title=lines(form.get("title", "")).strip(),
        text=lines(form.get("text", "")).strip(),
        specialties=tuple(dict.fromkeys(slug for slug in form.getlist("specialty") if slug)),
        language=form.get("language", ""),
        audience=form.get("audience", ""),
        named=form.get("named", ""),
        form_key=form.get("form_key", ""),
    )


def lines(text: str) -> str:
    """The text with one kind of line end, and nothing a database refuses."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def languages_offered(chosen: str) -> tuple[str, ...]:
    """The content languages, and the chosen one where it is another: a form changes nothing by being sent."""
    return CONTENT_LANGUAGES if chosen in ("", *CONTENT_LANGUAGES) else (*CONTENT_LANGUAGES, chosen)


def specialty_choices(language: str) -> list[tuple[str, str]]:
    """Every specialty by its name in this language."""
    return sorted(((item.slug, item.name(language)) for item in specialties.all()), key=lambda pair: pair[1].casefold())


async def text_of(name: str) -> str:
    """One field of the form; empty where it is missing."""
    form: Mapping[str, str] = await request.form
    return lines(form.get(name, "")).strip()

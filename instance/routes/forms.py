"""What forms hold, and the one way in which mistakes in them are shown: named, linked, nothing typed is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from quart import request

from instance.i18n import CONTENT_LANGUAGES, catalogue
from instance.services.bulletins import UNTYPED, BulletinDraft
from instance.services.errors import Rejected
from instance.views.choices import place

#: What doctors can say they speak: the content languages, and those in which patients most often have to be understood.
SPOKEN: Final = (
    *CONTENT_LANGUAGES, "ar", "bg", "cs", "da", "el", "fa", "fi", "hr", "hu", "ja", "no", "pl", "pt", "ro", "ru", "sk",
    "sl", "sq", "sr", "sv", "tr", "uk", "vi", "zh",
)  # fmt: skip

_LANGUAGE: Final = re.compile(r"[a-z]{2}\Z")


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
    #: Of a question: the country it asks; empty for its specialties.
    asked_country: str = ""
    bulletin: BulletinDraft = UNTYPED
    form_key: str = ""
    #: Whether it was said that this is to be a question, or is not (asking.calls).
    offered: str = ""
    #: Of an edit: the time of the version it was made from, as the form brings it.
    seen: str = ""

    def addresses(self) -> list[str]:
        """The doctors named, one address each, without the leading @."""
        return [word.lstrip("@") for word in self.named.replace(",", " ").replace(";", " ").split()]


class ProfileForm(Struct, frozen=True, kw_only=True):
    """What doctors say of themselves, as typed."""

    summary: str = ""
    languages: tuple[str, ...] = ()
    approves_followers: bool = False
    #: The version it was made from (descriptions.version_of).
    seen: str = ""


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
        asked_country=form.get("asked_country", ""),
        offered=form.get("offered", ""),
        bulletin=BulletinDraft(**{name: lines(form.get(name, "")).strip() for name in BulletinDraft.__slots__}),
        form_key=form.get("form_key", ""),
        seen=form.get("seen", ""),
    )


async def profile_form() -> ProfileForm:
    """Read the form of a profile."""
    form: Any = await request.form
    return ProfileForm(
        summary=lines(form.get("summary", "")).strip(),
        languages=tuple(dict.fromkeys(code for code in form.getlist("spoken") if code)),
        approves_followers=form.get("approves_followers", "") == "1",
        seen=form.get("seen", ""),
    )


def version_seen(text: str) -> int | None:
    """The version an edit was made from (acting.require_seen); none for a form without one, -1 for what is no time."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else -1


async def seen_version() -> int:
    """The version the form was made from; a form without one is as old as can be."""
    found = version_seen(await text_of("seen"))
    return -1 if found is None else found


def lines(text: str) -> str:
    """The text with one kind of line end, and nothing a database refuses."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def languages_offered(chosen: str) -> tuple[str, ...]:
    """The content languages, and the chosen one where it is another: a form changes nothing by being sent."""
    more = chosen not in CONTENT_LANGUAGES and _LANGUAGE.match(chosen)
    return (*CONTENT_LANGUAGES, chosen) if more else CONTENT_LANGUAGES


def spoken_choices(language: str, kept: tuple[str, ...]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The languages a doctor can speak, by their names: those kept or of the countries that take part, and the rest."""
    words = catalogue(language)
    near = dict.fromkeys((*CONTENT_LANGUAGES, *kept))
    rest = [code for code in SPOKEN if code not in near]
    first, more = (
        sorted(((code, words.language_name(code)) for code in codes), key=lambda pair: place(pair[1]))
        for codes in (near, rest)
    )
    return first, more


async def text_of(name: str) -> str:
    """One field of the form; empty where it is missing."""
    form: Mapping[str, str] = await request.form
    return lines(form.get(name, "")).strip()

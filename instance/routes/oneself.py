"""What the forms of joining and applying ask about oneself: as typed, and as it goes to the services."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, Final

from msgspec import Struct
from quart import request

from instance.routes import guard
from instance.routes.forms import lines, spoken_choices
from instance.services.dossiers.admitting import handle_of
from instance.services.dossiers.values import File, NewApplication
from instance.services.errors import Rejected
from instance.views.choices import specialty_choices

#: Nobody is a doctor younger, and nobody applies older; what lies beyond is a slip of the finger.
YOUNGEST: Final = 18
OLDEST: Final = 110
#: How long what is typed may be; names and handles have narrower limits of their own.
_MOST: Final = 200


class OneselfForm(Struct, frozen=True, kw_only=True):
    """What the form holds, as typed."""

    name: str = ""
    birth_day: str = ""
    birth_month: str = ""
    birth_year: str = ""
    country: str = ""
    role: str = ""
    specialties: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    handle: str = ""
    sites: tuple[str, ...] = ()

    @property
    def dated(self) -> bool:
        """Whether anything of a birth date was typed."""
        return bool(self.birth_day or self.birth_month or self.birth_year)

    def application(self, email: str, today: date, *, born: bool = True) -> NewApplication:
        """What it says; raise Rejected for a date or a handle that cannot be. With `born` it must be there."""
        return NewApplication(
            name=self.name, country=self.country, role=self.role, specialties=self.specialties, email=email,
            languages=self.languages, handle=wish_of(self.handle), sites=self.sites,
            birth_date=self._born(today) if born or self.dated else None,
        )  # fmt: skip

    def _born(self, today: date) -> date:
        parts = (self.birth_year, self.birth_month, self.birth_day)
        if not all(parts):
            raise Rejected("birth_date_missing", "birth_date")
        try:
            born = date(*(_number(part) for part in parts))
        except ValueError:
            raise Rejected("bad_birth_date", "birth_date") from None
        age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
        if not YOUNGEST <= age <= OLDEST:
            raise Rejected("bad_birth_date", "birth_date")
        return born


async def oneself_form(offered_sites: Collection[str] = ()) -> OneselfForm:
    """Read the form; of the sites those that it offered."""
    form: Any = await request.form
    plain = ("name", "birth_day", "birth_month", "birth_year", "country", "role", "handle")
    return OneselfForm(
        **{name: lines(form.get(name, "")).strip()[:_MOST] for name in plain},
        specialties=_each_once(form.getlist("specialty")), languages=_each_once(form.getlist("spoken")),
        sites=tuple(each for each in _each_once(form.getlist("site")) if each in offered_sites),
    )  # fmt: skip


def said_before(file: File) -> OneselfForm:
    """What stands in the dossier; the birth date is not in it."""
    said = file.said
    return OneselfForm(
        name=said.name, country=file.dossier.country, role=file.dossier.role.value, specialties=said.specialties,
        languages=said.languages, handle=said.handle, sites=tuple(sorted(file.dossier.sites)),
    )  # fmt: skip


async def offered(form: OneselfForm) -> dict[str, Any]:
    """What the form lets one choose from, for its template."""
    await guard.node().policies.look()
    joining = guard.node().joining
    spoken, more_spoken = spoken_choices(guard.language(), form.languages)
    return {
        "form": form, "countries": joining.countries(), "roles": joining.roles(),
        "choices": specialty_choices(guard.language()), "spoken": spoken, "more_spoken": more_spoken,
        "authority": guard.node().authority,
    }  # fmt: skip


async def sites_offered(file: File | None = None) -> tuple[str, ...]:
    """Where somebody may work whom we ask: where those work who judge here, and what was said before."""
    said = file.dossier.sites if file is not None else frozenset()
    return tuple(sorted({*await guard.node().staff.sites(), *said}))


def wish_of(text: str) -> str:
    """A wished handle, which must be typed as it will be; raise Rejected for any other."""
    plain = text.removeprefix("@").casefold()
    if plain and handle_of(plain) != plain:
        raise Rejected("bad_wish", "handle")
    return plain


def today() -> date:
    """The day it is."""
    return guard.node().clock().date()


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError(text)
    return int(text)


def _each_once(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))

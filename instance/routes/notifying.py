"""How somebody wishes to be told of notices; and switching the mails off from a mail, without signing in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from babel.dates import get_day_names, get_timezone_location
from msgspec import Struct
from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.i18n import catalogue
from instance.routes import guard, shell
from instance.routes.forms import Mistake, mistake, text_of
from instance.services import notice_hours, notice_wishes
from instance.services.errors import Missing, Rejected
from instance.services.notice_kinds import GROUPS, Group, Way
from instance.services.notice_wishes import Wishes
from instance.views import account

routes = Blueprint("notifying", __name__)
#: The mails that may be chosen, in the order of the form; empty: never.
MAILS: Final = ("", Way.NOW.value, Way.DAILY.value)
#: What has been done, as the address of the page says it.
SAVED: Final = ("wishes", "device_on", "device_off")


class Line(Struct, frozen=True):
    """One group, and what is wished of it."""

    group: str
    push: bool
    mail: str


@routes.get("/me/notifications")
@guard.doctor_required
async def show(reader: guard.Reader) -> ResponseReturnValue:
    """Show in which ways one is told of what."""
    return await _page(await notice_wishes.read(guard.node().store, reader.uri), reader)


@routes.post("/me/notifications")
@guard.doctor_required
async def keep(reader: guard.Reader) -> ResponseReturnValue:
    """Keep what is wished."""
    form: Mapping[str, str] = await request.form
    wishes = _wishes(form)
    try:
        await notice_wishes.keep(guard.node(), reader.uri, reader.row["country"], wishes)
    except Rejected as error:
        return await _page(wishes, reader, [mistake(error)], error.status)
    return redirect("/me/notifications?saved=wishes", code=303)


@routes.post("/me/notifications/device")
@guard.doctor_required
async def device_on(reader: guard.Reader) -> ResponseReturnValue:
    """Show notices on this device too: its browser has said where it takes them."""
    node, present = guard.node(), guard.session()
    if present is None:
        raise Missing
    try:
        await node.push.turn_on(present, await text_of("endpoint"), await text_of("key"), await text_of("secret"))
    except Rejected as error:
        wishes = await notice_wishes.read(node.store, reader.uri)
        return await _page(wishes, reader, [mistake(error)], error.status)
    return redirect("/me/notifications?saved=device_on", code=303)


@routes.post("/me/notifications/device/off")
@guard.doctor_required
async def device_off(_reader: guard.Reader) -> ResponseReturnValue:
    """Show nothing more on this device."""
    if (present := guard.session()) is not None:
        await guard.node().push.turn_off(present)
    return redirect("/me/notifications?saved=device_off", code=303)


@routes.get("/mail/off/<token>")
@guard.public
async def ask_off(token: str) -> ResponseReturnValue:
    """Ask whether mails are to be switched off; nothing is said of whose they are, nor whether there is anybody."""
    return await shell.page("mail_off.html", token_of_mail=token[:200], off=False)


@routes.post("/mail/off")
@guard.public
async def off() -> ResponseReturnValue:
    """Switch mails off for whoever's token the form holds."""
    await notice_wishes.mails_off(guard.node(), await text_of("token"))
    return await shell.page("mail_off.html", token_of_mail="", off=True)


async def _page(
    wishes: Wishes, reader: guard.Reader, mistakes: list[Mistake] | None = None, status: int = 200
) -> ResponseReturnValue:
    node, present = guard.node(), guard.session()
    if present is None:
        raise Missing
    saved, language = request.args.get("saved", ""), guard.language()
    return await shell.page(
        "notifications.html", status=status, here="me", mistakes=mistakes or [], saved=saved if saved in SAVED else "",
        lines=[_line(wishes, group) for group in GROUPS if group is not Group.STAFF or present.roles],
        wishes=wishes, mails=MAILS, days=_days(language), hours=range(24), zones=_zones(language),
        own_zone=_city(notice_hours.zone("", reader.row["country"]).key, language),
        has_mail=await account.has_mail(node.store, present.account_id),
        push_key=await node.push.public_key() if node.config.push_hosts else "",
        device_on=await node.push.is_on(present),
    )  # fmt: skip


def _line(wishes: Wishes, group: Group) -> Line:
    mail = next((way.value for way in (Way.NOW, Way.DAILY) if wishes.wants(group, way)), "")
    return Line(group.value, wishes.wants(group, Way.PUSH), mail)


def _wishes(form: Mapping[str, str]) -> Wishes:
    """What the form says."""
    ways: dict[Group, frozenset[Way]] = {}
    for group in GROUPS:
        mail = form.get(f"mail-{group}", "")
        pushed = {Way.PUSH} if form.get(f"push-{group}") else set[Way]()
        ways[group] = frozenset(pushed | ({Way(mail)} if mail in MAILS[1:] else set()))
    begins, ends, day = (form.get(name, "") for name in ("quiet_from", "quiet_until", "digest_day"))
    return Wishes(
        ways, form.get("zone", ""),
        (_number(begins), _number(ends)) if begins or ends else None,
        (_number(day), _number(form.get("digest_hour", ""))) if day else None,
    )  # fmt: skip


def _number(text: str) -> int:
    """What is no hour and no day is no such number either: it is refused with everything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else -1


def _days(language: str) -> list[str]:
    names = get_day_names("wide", "stand-alone", locale=catalogue(language).locale)
    return [names[day] for day in range(7)]


def _zones(language: str) -> list[tuple[str, str]]:
    return sorted(((zone, _city(zone, language)) for zone in notice_hours.ZONES), key=lambda each: each[1])


def _city(zone: str, language: str) -> str:
    """What a zone is called after: its city, in this language."""
    if zone == "UTC":
        return zone
    return get_timezone_location(zone, locale=catalogue(language).locale, return_city=True)

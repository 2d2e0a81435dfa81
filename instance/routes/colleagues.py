"""Finding colleagues in any country, their pages, and how one stands to them."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from federation.errors import Refused
from instance.routes import guard, shell
from instance.routes.forms import lines, text_of
from instance.services.errors import Missing, Rejected
from instance.views import cards, doctors, feed
from instance.views.choices import specialty_choices
from instance.views.feed_page import countries
from instance.views.marks import moment
from verification import names, specialties
from verification.standing import Action

routes = Blueprint("colleagues", __name__)


@routes.get("/colleagues")
@guard.doctor_required
async def search(reader: guard.Reader) -> ResponseReturnValue:
    """Find verified colleagues by name, handle, specialty and country; without a question, those of one's specialty."""
    node, asked = guard.node(), lines(request.args.get("q", "")).strip()[:100]
    wanted = _wanted(asked)
    suggested = wanted == doctors.Wanted() and not asked
    if suggested:
        wanted = _near(reader)
    found = doctors.Found(doctors=[])
    if wanted.words or not asked:  # a name without a letter is nobody's, whatever else is asked for
        found = await doctors.find(node.store, reader.uri, wanted, shell.now_ms(), after=_after(), suggested=suggested)
    abroad = await _by_address(asked)
    if abroad is not None and not found.doctors:
        return redirect(guard.doctor_path(abroad), code=303)
    return await shell.page(
        "colleagues.html",
        here="colleagues",
        asked=asked,
        wanted=wanted,
        suggested=suggested,
        found=found,
        next_query=_next_query(asked, doctors.Wanted() if suggested else wanted, found.next) if found.next else "",
        requests=await doctors.requests(node.store, reader.uri),
        countries=countries(guard.node()),
        specialty_choices=specialty_choices(guard.language()),
    )


def _after() -> str:
    return request.args.get("after", "")


def _wanted(asked: str) -> doctors.Wanted:
    """What is asked for; a country or specialty that is none narrows nothing."""
    country, specialty = request.args.get("country", ""), request.args.get("specialty", "")
    country = country if country in countries(guard.node()) else ""
    specialty = specialty if specialties.known(specialty) else ""
    return doctors.Wanted(words=search_words(asked), country=country, specialty=specialty)


def _near(reader: guard.Reader) -> doctors.Wanted:
    """Those of the reader's own specialty; of the country where there is none."""
    specialty = next(iter(guard.own_specialties(reader)), "")
    return doctors.Wanted(specialty=specialty, country="" if specialty else guard.node().config.country)


def search_words(asked: str) -> tuple[str, ...]:
    """The words to look up: folded like names; with a digit in it, it can only be a handle."""
    text = asked.lstrip("@").partition("@")[0]
    if any(letter.isdigit() for letter in text):
        return tuple(word for word in re.split(r"[\s,._-]+", text.casefold()) if word)
    return tuple(names.fold(text).split())


async def _by_address(asked: str) -> str | None:
    """The page address of a doctor asked for as handle@instance, looked up at that sibling if need be."""
    if "@" not in asked.lstrip("@"):
        return None
    node = guard.node()
    try:
        known = await node.directory.find_handle(asked.lstrip("@"))
    except (Refused, Rejected, ValueError):
        return None
    if known is None:
        return None
    row = await node.store.one("views.address_of", uri=known.uri)
    return row["address"] if row else None


def _next_query(asked: str, wanted: doctors.Wanted, after: str) -> str:
    values = {"q": asked, "country": wanted.country, "specialty": wanted.specialty, "after": after}
    return urlencode({name: value for name, value in values.items() if value})


@routes.get("/colleagues/<which>")
@guard.doctor_required
async def lists(reader: guard.Reader, which: str) -> ResponseReturnValue:
    """Show those who follow the reader, those the reader follows, or those the reader has blocked."""
    shown = {"followers": doctors.followers, "following": doctors.following, "blocked": doctors.blocked}.get(which)
    if shown is None:
        raise Missing
    found = await shown(guard.node().store, reader.uri, after=_after())
    return await shell.page(
        "people.html",
        here="colleagues",
        which=which,
        people=found.doctors,
        next_query=urlencode({"after": found.next}) if found.next else "",
    )


@routes.get("/doctors/<address>")
@guard.doctor_required
async def profile(reader: guard.Reader, address: str) -> ResponseReturnValue:
    """Show a doctor: what was verified apart from what they say of themselves."""
    node = guard.node()
    doctor = await doctors.profile(node.store, reader.uri, address)
    posts = await feed.of_author(node.store, reader.uri, doctor.uri, before=request.args.get("before", ""))
    return await shell.page(
        "doctor.html",
        here="me" if doctor.own else "colleagues",
        doctor=doctor,
        cards=cards.cards_html(posts.cards, guard.language(), node.config.country, moment(node)),
        empty=not posts.cards,
        next=posts.next,
    )


@routes.post("/doctors/<address>/<act>")
@guard.doctor_required
async def relate(_reader: guard.Reader, address: str, act: str) -> ResponseReturnValue:
    """Follow, stop following, answer a request, block or unblock."""
    reader, node = guard.require(Action.FOLLOW), guard.node()
    doctor, did = await doctors.profile(node.store, reader.uri, address), act
    match act:
        case "follow":
            did = f"follow_{await node.follows.ask(reader.uri, doctor.uri)}"
        case "unfollow":
            await node.follows.undo(reader.uri, doctor.uri)
        case "accept" | "reject":
            await node.follows.answer(reader.uri, doctor.uri, act == "accept")
        case "block":
            await node.follows.block(reader.uri, doctor.uri)
        case "unblock":
            await node.follows.unblock(reader.uri, doctor.uri)
        case _:
            raise Missing
    return shell.done(did, guard.own_path(await text_of("back"), guard.doctor_path(address)))

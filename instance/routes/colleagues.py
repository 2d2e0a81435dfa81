"""Finding colleagues in any country, their pages, and how one stands to them."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.contact import find_address
from instance.routes.forms import SPOKEN, lines, spoken_choices, text_of
from instance.services.errors import Missing
from instance.views import cards, doctors, feed, lists
from instance.views.choices import specialty_choices
from instance.views.feed_page import countries
from instance.views.marks import moment
from verification import specialties
from verification.dossier import Role
from verification.standing import Action

routes = Blueprint("colleagues", __name__)
ROLES: Final = tuple(role.value for role in Role)


@routes.get("/colleagues")
@guard.doctor_required
async def search(reader: guard.Reader) -> ResponseReturnValue:
    """Find verified colleagues by name, handle and what was verified; without a question, suggest some.

    A whole address (handle@instance) leads to whoever has it, looked up at that sibling where they are not known here.
    """
    node, asked = guard.node(), lines(request.args.get("q", "")).strip()[:100]
    wanted = _wanted(asked)
    suggests = wanted == doctors.Wanted() and not asked
    found, suggested = doctors.Found(doctors=[]), []
    if suggests:
        suggested = await doctors.suggestions(
            node.store, reader.uri, guard.own_specialties(reader), node.config.country, shell.now_ms()
        )
    elif wanted.words or not asked:  # a name without a letter is nobody's, whatever else is asked for
        found = await doctors.find(node.store, reader.uri, wanted, shell.now_ms(), after=_after())
    if "@" in asked.lstrip("@") and (address := await _whole(asked, found)) is not None:
        return redirect(guard.doctor_path(address), code=303)
    return await shell.page(
        "colleagues.html", here="search", asked=asked, wanted=wanted, suggests=suggests, suggested=suggested,
        found=found, next_query=_query(asked, wanted, found.next) if found.next else "",
        requests=await doctors.requests(node.store, reader.uri), countries=countries(node),
        specialty_choices=specialty_choices(guard.language()), language_choices=_languages(wanted.language),
        roles=ROLES, own_specialty=next(iter(guard.own_specialties(reader)), ""),
    )  # fmt: skip


async def _whole(asked: str, found: doctors.Found) -> str | None:
    """The page address of whoever has this whole address; of whoever is found here nobody else is asked."""
    address = asked.lstrip("@").casefold()
    return address if any(address == each.address for each in found.doctors) else await find_address(asked)


def _after() -> str:
    return request.args.get("after", "")


def _wanted(asked: str) -> doctors.Wanted:
    """What is asked for; a country, specialty, role or language that is none narrows nothing."""
    given = {name: request.args.get(name, "") for name in ("country", "specialty", "role", "language")}
    return doctors.Wanted(
        words=doctors.words_of(asked),
        country=given["country"] if given["country"] in countries(guard.node()) else "",
        specialty=given["specialty"] if specialties.known(given["specialty"]) else "",
        role=given["role"] if given["role"] in ROLES else "",
        language=given["language"] if given["language"] in SPOKEN else "",
    )


def _languages(chosen: str) -> list[tuple[str, str]]:
    """The languages a colleague may speak, those of the countries that take part first."""
    first, more = spoken_choices(guard.language(), (chosen,) if chosen else ())
    return [*first, *more]


def _query(asked: str, wanted: doctors.Wanted, after: str) -> str:
    values = {
        "q": asked, "country": wanted.country, "specialty": wanted.specialty, "language": wanted.language,
        "role": wanted.role, "after": after,
    }  # fmt: skip
    return urlencode({name: value for name, value in values.items() if value})


@routes.get("/colleagues/<which>")
@guard.doctor_required
async def own_lists(reader: guard.Reader, which: str) -> ResponseReturnValue:
    """Show who follows the reader, whom the reader follows, has blocked or has muted; a name narrows it."""
    asked = lines(request.args.get("q", "")).strip()[:100]
    words = doctors.words_of(asked)
    found = doctors.Found(doctors=[])
    if words or not asked or which not in doctors.OWN_LISTS:
        found = await doctors.own_list(guard.node().store, reader.uri, which, words=words, after=_after())
    values = {"q": asked, "after": found.next}
    return await shell.page(
        "people.html", here="search", which=which, people=found.doctors, asked=asked,
        next_query=urlencode({name: value for name, value in values.items() if value}) if found.next else "",
    )  # fmt: skip


@routes.get("/doctors/<address>")
@guard.doctor_required
async def profile(reader: guard.Reader, address: str) -> ResponseReturnValue:
    """Show a doctor: what was verified apart from what they say of themselves."""
    node = guard.node()
    doctor = await doctors.profile(node.store, reader.uri, address)
    posts = await feed.of_author(node.store, reader.uri, doctor.uri, before=request.args.get("before", ""))
    return await shell.page(
        "doctor.html",
        here="me" if doctor.own else "search",
        doctor=doctor,
        numbers=await doctors.numbers(node.store, reader.uri) if doctor.own else None,
        common=0 if doctor.own or doctor.closed else await doctors.common(node.store, reader.uri, doctor.uri),
        own_lists=[] if doctor.own else await lists.beside(node.store, reader.uri, doctor.uri),
        cards=cards.cards_html(posts.cards, guard.language(), node.config.country, moment(node)),
        empty=not posts.cards,
        next=posts.next,
    )


@routes.post("/doctors/<address>/<act>")
@guard.doctor_required
async def relate(reader: guard.Reader, address: str, act: str) -> ResponseReturnValue:
    """Follow, stop following, answer a request, remove a follower, block, mute, put on a list, and each back."""
    node = guard.node()
    if act in ("follow", "accept"):  # whatever keeps somebody away belongs to reading
        guard.require(Action.FOLLOW)
    doctor, did = await doctors.profile(node.store, reader.uri, address), act
    match act:
        case "follow":
            did = f"follow_{await node.follows.ask(reader.uri, doctor.uri)}"
        case "unfollow":
            await node.follows.undo(reader.uri, doctor.uri)
        case "accept" | "reject" | "remove":
            await node.follows.answer(reader.uri, doctor.uri, act == "accept")
        case "block":
            await node.follows.block(reader.uri, doctor.uri)
        case "unblock":
            await node.follows.unblock(reader.uri, doctor.uri)
        case "mute":
            await node.contact.mute(reader.uri, doctor.uri)
        case "unmute":
            await node.contact.unmute(reader.uri, doctor.uri)
        case "list":
            await node.lists.put(reader.uri, await text_of("list"), doctor.uri)
        case "unlist":
            await node.lists.take(reader.uri, await text_of("list"), doctor.uri)
        case _:
            raise Missing
    return shell.done(did, guard.own_path(await text_of("back"), guard.doctor_path(address)))

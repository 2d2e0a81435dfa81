"""The search. What is looked for is sent as a form and stands sealed in the address that shows what was found.

So no word of it is in a history, a log or a referrer, and yet one can go back, reload and turn the page: what a GET
form would give away, and what an answer to a POST would not let one do (decision 37).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Final

import msgspec
from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from federation.vocabulary import PostKind
from instance import searching
from instance.i18n import CONTENT_LANGUAGES
from instance.routes import guard, shell
from instance.routes.forms import text_of
from instance.services.search_index import MANY
from instance.vault import CannotOpen
from instance.views import cards, search
from instance.views.choices import specialty_choices
from instance.views.feed_page import countries
from instance.views.marks import moment
from verification import specialties

routes = Blueprint("search", __name__)

_KINDS: Final = tuple(kind.value for kind in PostKind)
#: Longer than any address made here.
_LONGEST: Final = 2_000


@routes.get("/search")
@guard.doctor_required
async def form(reader: guard.Reader) -> ResponseReturnValue:
    """Show the form, and what was found where the address holds a search of this account; else the form alone."""
    asked = _opened(request.args.get("s", ""))
    found = await _found(reader, asked) if asked.anything else None
    node, language = guard.node(), guard.language()
    discussions = found.get("posts") if found else None
    return await shell.page(
        "search.html", here="search", asked=asked, things=search.THINGS, found=found, most=search.MOST,
        cards=cards.cards_html(discussions.posts if discussions else [], language, node.config.country, moment(node)),
        near=search.near_specialties(asked.text), filling=await search.is_being_filled(node.store, MANY),
        to=_links(asked), kinds=_KINDS, content_languages=CONTENT_LANGUAGES, countries=countries(node),
        specialty_choices=specialty_choices(language), most_letters=searching.MOST_LETTERS,
    )  # fmt: skip


@routes.post("/search")
@guard.doctor_required
async def look(_: guard.Reader) -> ResponseReturnValue:
    """Take what is looked for, and lead to where it is shown."""
    asked = search.Asked(
        text=(await text_of("q"))[: searching.MOST_LETTERS],
        thing=_one_of(await text_of("thing"), search.THINGS),
        kind=_one_of(await text_of("kind"), _KINDS),
        specialty=slug if specialties.known(slug := await text_of("specialty")) else "",
        country=_one_of(await text_of("country"), countries(guard.node())),
        language=_one_of(await text_of("language"), CONTENT_LANGUAGES),
        solved=_one_of(await text_of("solved"), search.SOLVED),
    )
    return redirect(_address(asked), code=303)


async def _found(reader: guard.Reader, asked: search.Asked) -> dict[str, search.Found | None]:
    """What there is of each thing that is asked for."""
    things = [asked.thing] if asked.thing else list(search.THINGS)
    count = search.PAGE_SIZE if asked.thing else search.FEW
    node, now = guard.node(), shell.now_ms()
    return {thing: await search.search(node.store, reader.uri, asked, now, thing, count) for thing in things}


def _links(asked: search.Asked) -> Callable[..., str]:
    """Make addresses of searches that are like this one but for what is named."""

    def to(**changes: str) -> str:
        return _address(msgspec.structs.replace(asked, **{"after": "", **changes}))

    return to


def _one_of(value: str, known: tuple[str, ...] | list[str]) -> str:
    return value if value in known else ""


def _address(asked: search.Asked) -> str:
    """Where this search is shown: to this account, and to nobody else."""
    if asked == search.Asked():
        return "/search"
    sealed = guard.node().vault.seal(msgspec.json.encode(asked), _whose())
    return f"/search?s={urlsafe_b64encode(sealed).rstrip(b'=').decode()}"


def _opened(sealed: str) -> search.Asked:
    """The search an address holds; an empty one for another's, for one of a key that is gone, for what is none."""
    if not sealed or len(sealed) > _LONGEST:
        return search.Asked()
    try:
        plain = guard.node().vault.open(urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)), _whose())
        return msgspec.json.decode(plain, type=search.Asked)
    except (CannotOpen, ValueError, msgspec.DecodeError):
        return search.Asked()


def _whose() -> bytes:
    present = guard.session()
    assert present is not None, "only whoever is signed in comes here"
    return b"search of " + present.account_id.encode()

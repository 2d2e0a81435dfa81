"""The newsroom: news, study reports and congress reports of the reader's specialties, or of one."""

from __future__ import annotations

from markupsafe import Markup
from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from instance.rendering import render
from instance.routes import guard, shell
from instance.services.errors import Missing
from instance.views import news as view
from instance.views.cards import cards_html
from instance.views.choices import specialty_choices
from instance.views.feed import Card
from instance.views.marks import moment

routes = Blueprint("news", __name__)


@routes.get("/news")
@guard.doctor_required
async def own(reader: guard.Reader) -> ResponseReturnValue:
    """Show what is new in the reader's own specialties."""
    return await _page(reader, "")


@routes.get("/news/<specialty>")
@guard.doctor_required
async def of_specialty(reader: guard.Reader, specialty: str) -> ResponseReturnValue:
    """Show what is new in one specialty."""
    if not view.known(specialty):
        raise Missing
    return await _page(reader, specialty)


async def _page(reader: guard.Reader, specialty: str) -> ResponseReturnValue:
    node, asked, mine = guard.node(), view.Asked.read(request.args), view.own(guard.own_specialties(reader))
    filed = (specialty,) if specialty else mine
    found = await view.page(node.store, reader.uri, filed, asked, node.clock().date())
    place = f"/news/{specialty}" if specialty else "/news"
    language = guard.language()
    return await shell.page(
        "news.html", here="feed", place=place, specialty=specialty, mine=mine, asked=asked,
        cards=_cards(found.entries, language), next=f"{place}?{asked.query(found.next)}" if found.next else "",
        kinds=view.KIND_CHOICES, interests=view.INTERESTS, when=view.WHEN,
        others=[pair for pair in specialty_choices(language) if pair[0] not in mine],
    )  # fmt: skip


def _cards(entries: list[Card | view.Item], language: str) -> Markup:
    node = guard.node()
    country, at = node.config.country, moment(node)
    pieces = [
        cards_html([each], language, country, at)
        if isinstance(each, Card)
        # S704: the template escapes.
        else Markup(render("_imported.html", language, country, item=each))  # noqa: S704
        for each in entries
    ]
    return Markup("").join(pieces)

"""The home feed."""

from __future__ import annotations

from urllib.parse import urlencode

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue

from federation.vocabulary import PostKind
from instance.routes import guard, shell
from instance.routes.forms import CONTENT_LANGUAGES
from instance.views import cards, feed
from instance.views.feed_json import feed_json

routes = Blueprint("feed", __name__)
_COUNTRY = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@routes.get("/feed")
@guard.doctor_required
async def home(reader: guard.Reader) -> ResponseReturnValue:
    """Show a page of the feed, by tab and filters."""
    node, tab, filters = guard.node(), read_tab(request.args.get("tab", "")), read_filters()
    shown = await feed.home(node.store, reader.uri, tab=tab, before=request.args.get("before", ""), filters=filters)
    html = cards.cards_html(shown.cards, guard.language(), node.config.country, shell.now_ms())
    return await shell.page(
        "feed.html",
        here="feed",
        tab=tab,
        tabs=feed.TABS,
        filters=filters,
        cards=html,
        empty=not shown.cards,
        later=bool(request.args.get("before")),
        next_query=_query(tab, filters, shown.next) if shown.next else "",
        kinds=[kind.value for kind in PostKind],
        content_languages=CONTENT_LANGUAGES,
        countries=countries(),
    )


@routes.get("/api/feed")
@guard.doctor_required
async def home_json(reader: guard.Reader) -> ResponseReturnValue:
    """Answer the same page as JSON."""
    tab, before = read_tab(request.args.get("tab", "")), request.args.get("before", "")
    shown = await feed.home(guard.node().store, reader.uri, tab=tab, before=before, filters=read_filters())
    return Response(feed_json(shown, shell.now_ms()), content_type="application/json")


def read_tab(text: str) -> str:
    """One of the tabs; the first for anything else."""
    return text if text in feed.TABS else feed.TABS[0]


def read_filters() -> feed.Filters:
    """What the reader narrowed the feed to; an unknown value narrows nothing."""
    kind, country = request.args.get("kind", ""), request.args.get("country", "")
    language = request.args.get("language", "")
    return feed.Filters(
        kind=kind if kind in frozenset(PostKind) else "",
        country=country if len(country) == 2 and _COUNTRY.issuperset(country) else "",
        language=language if language in CONTENT_LANGUAGES else "",
    )


def countries() -> list[str]:
    """Our country and those of our siblings."""
    node = guard.node()
    return sorted({node.config.country, *(sibling.country for sibling in node.allowlist())})


def _query(tab: str, filters: feed.Filters, before: str) -> str:
    values = {"tab": tab, "kind": filters.kind, "country": filters.country, "language": filters.language}
    return urlencode({name: value for name, value in values.items() if value} | {"before": before})

"""The home feed as it is asked for and shown, wherever the request was received."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from federation.vocabulary import PostKind
from instance.frame import Look, content_languages_of, framed
from instance.i18n import CONTENT_LANGUAGES
from instance.views import cards, feed
from instance.views.marks import moment

if TYPE_CHECKING:
    from instance.wiring import Node

_KINDS: Final = tuple(kind.value for kind in PostKind)
_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Asked(Struct, frozen=True, kw_only=True):
    """Which page of the feed."""

    tab: str
    before: str
    filters: feed.Filters

    @classmethod
    def read(cls, query: str) -> Asked:
        """Read an address's query: the first tab for one that is none; an unknown filter narrows nothing.

        Of a name that stands there twice the first value counts, and whatever is no text is no value of ours.
        """
        values = dict(reversed(parse_qsl(query, keep_blank_values=True, errors="replace")))
        tab, kind = values.get("tab", ""), values.get("kind", "")
        country, language = values.get("country", ""), values.get("language", "")
        filters = feed.Filters(
            kind=kind if kind in _KINDS else "",
            country=country if len(country) == 2 and _LETTERS.issuperset(country) else "",
            language=language if language in CONTENT_LANGUAGES else "",
        )
        return cls(tab=tab if tab in feed.TABS else feed.TABS[0], before=values.get("before", ""), filters=filters)

    def address(self) -> str:
        """The address that asks for the same."""
        asked = _query(self, self.before)
        return f"/feed?{asked}" if asked else "/feed"

    async def page(self, node: Node, reader: str) -> feed.FeedPage:
        """Return the cards."""
        return await feed.home(node.store, reader, tab=self.tab, before=self.before, filters=self.filters)


async def feed_page(node: Node, look: Look, reader: str, asked: Asked, said: Any = None) -> str:
    """Return the HTML of a page of this reader's feed."""
    shown = await asked.page(node, reader)
    look = Look(look.session, look.language, asked.address())
    return await framed(
        node, look, "feed.html", here="feed", said=said, tab=asked.tab, tabs=feed.TABS, filters=asked.filters,
        cards=cards.cards_html(shown.cards, look.language, node.config.country, moment(node)),
        empty=not shown.cards, later=bool(asked.before), next_query=_query(asked, shown.next) if shown.next else "",
        kinds=_KINDS, content_languages=content_languages_of(look.session), countries=countries(node),
    )  # fmt: skip


def countries(node: Node) -> list[str]:
    """Our country and those of our siblings."""
    return sorted({node.config.country, *(sibling.country for sibling in node.allowlist())})


def _query(asked: Asked, before: str) -> str:
    """The query of a page of the same feed; empty for the first page of the first tab."""
    filters, tab = asked.filters, "" if asked.tab == feed.TABS[0] else asked.tab
    values = {"tab": tab, "kind": filters.kind, "country": filters.country, "language": filters.language}
    return urlencode({name: value for name, value in (*values.items(), ("before", before)) if value})

"""The home feed as it is asked for and shown, wherever the request was received."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from markupsafe import Markup
from msgspec import Struct, structs

from federation.vocabulary import PostKind
from instance.frame import Look, content_languages_of, framed
from instance.i18n import CONTENT_LANGUAGES
from instance.rendering import render
from instance.times import to_ms
from instance.views import cards, feed
from instance.views.choices import specialty_choices
from instance.views.marks import moment
from verification import specialties

if TYPE_CHECKING:
    from instance.wiring import Node

_KINDS: Final = tuple(kind.value for kind in PostKind)
SOLVED: Final = ("yes", "no")
_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Asked(Struct, frozen=True, kw_only=True):
    """Which page of the feed."""

    tab: str
    before: str
    filters: feed.Filters
    after: str = ""
    #: Of the question how many are new: since which place.
    since: str = ""

    @classmethod
    def read(cls, query: str) -> Asked:
        """Read an address's query: the first tab for one that is none; an unknown filter narrows nothing.

        Of a name that stands there twice the first value counts, and whatever is no text is no value of ours.
        """
        values = dict(reversed(parse_qsl(query, keep_blank_values=True, errors="replace")))
        tab, kind, country = values.get("tab", ""), values.get("kind", ""), values.get("country", "")
        language, solved, slug = values.get("language", ""), values.get("solved", ""), values.get("specialty", "")
        filters = feed.Filters(
            kind=kind if kind in _KINDS else "",
            specialty=slug if specialties.known(slug) else "",
            country=country if len(country) == 2 and _LETTERS.issuperset(country) else "",
            language=language if language in CONTENT_LANGUAGES else "",
            solved=solved if solved in SOLVED else "",
        )
        return cls(
            tab=tab if tab in feed.TABS else feed.TABS[0], before=values.get("before", ""), filters=filters,
            after=values.get("after", ""), since=values.get("since", ""),
        )  # fmt: skip

    def address(self) -> str:
        """The address that asks for the same."""
        asked = _query(self, before=self.before, after=self.after)
        return f"/feed?{asked}" if asked else "/feed"

    async def page(self, node: Node, reader: str) -> feed.FeedPage:
        """Return the cards."""
        return await feed.home(
            node.store, reader, tab=self.tab, before=self.before, after=self.after, filters=self.filters
        )

    async def how_many_new(self, node: Node, reader: str) -> int:
        """Return how many posts have come since, as far as they are counted."""
        return await feed.how_many_new(node.store, reader, self.tab, self.since, self.filters, to_ms(node.clock()))


async def feed_page(node: Node, look: Look, reader: str, asked: Asked, said: Any = None) -> str:
    """Return the HTML of a page of this reader's feed, and remember how far they have come."""
    shown, at = await asked.page(node, reader), moment(node)
    by_time, first = asked.tab != feed.QUESTIONS, not shown.newer
    read_to = 0
    if by_time:
        read_to = await node.visits.mark(reader, asked.tab, arrives=first and not asked.filters.any)
    node.visits.leave(reader, asked.address())
    look = Look(look.session, look.language, asked.address())
    since = shown.top if by_time and shown.top else f"{at.now}-0"
    return await framed(
        node, look, "feed.html", here="feed", said=said, tab=asked.tab, tabs=feed.TABS, filters=asked.filters,
        cards=cards.cards_html(shown.cards, look.language, node.config.country, at, read_to),
        empty=not shown.cards, later=not first, chosen=_chosen(node, look, asked),
        median=None if by_time else await node.waiting.median(),
        next_query=_query(asked, before=shown.next) if shown.next else "",
        newer_query="" if first else _query(asked, after=shown.newer),
        first_query=_query(asked) or f"tab={asked.tab}", ask_query=_query(asked, since=since),
    )  # fmt: skip


def countries(node: Node) -> list[str]:
    """Our country and those of our siblings."""
    return sorted({node.config.country, *(sibling.country for sibling in node.allowlist())})


def _chosen(node: Node, look: Look, asked: Asked) -> Markup:
    read = content_languages_of(look.session)
    return _filters(look.language, node.config.country, asked.tab, asked.filters, tuple(countries(node)), read)


@lru_cache(maxsize=1024)
def _filters(
    language: str, country: str, tab: str, filters: feed.Filters, near: tuple[str, ...], read: tuple[str, ...]
) -> Markup:
    """The form of the filters and what is chosen, rendered once for all who choose the same."""
    # S704: the template escapes what it is given.
    return Markup(  # noqa: S704
        render(
            "_filters.html", language, country, tab=tab, filters=filters, kinds=_KINDS, countries=near,
            specialties=specialty_choices(language), content_languages=read, solved=SOLVED,
        )
    )  # fmt: skip


def _query(asked: Asked, **place: str) -> str:
    """The query of a page of the same feed; empty for the first page of the first tab."""
    tab = "" if asked.tab == feed.TABS[0] else asked.tab
    values = {"tab": tab, **structs.asdict(asked.filters), **place}
    return urlencode({name: value for name, value in values.items() if value})

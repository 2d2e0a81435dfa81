"""Cards as HTML, rendered once per version and language: a feed of twenty joins twenty ready pieces."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import Final

from markupsafe import Markup

from instance.i18n import Measures
from instance.rendering import render
from instance.views.feed import Card
from instance.views.marks import Mark, Moment

_KEPT: Final = 8192
#: How long something has waited is told in these steps, in seconds: a card is rendered anew at each. Below the first
#: nothing is told; from two hours on in hours, from two days on in days.
_STEPS: Final = ((2 * 86_400, 86_400), (2 * 3_600, 3_600), (600, 600))
# By the card's version and mark, in one language on one country's clock: what a card says is the same for every reader
# the query lets see it.
_pieces: OrderedDict[tuple[object, ...], Markup] = OrderedDict()


def cards_html(cards: list[Card], language: str, country: str, at: Moment, read_to: int = 0) -> Markup:
    """Return the cards as list items. Where what was read by `read_to` begins below what is new, a line says so."""
    pieces = [_piece(card, language, country, card.mark(at), waited(card, at.now)) for card in cards]
    place = next((place for place, card in enumerate(cards) if card.sort_at <= read_to), 0)
    if place:
        pieces.insert(place, _read_to(language, country))
    # S704: every piece is Markup; joined as such each would be asked again.
    return Markup("".join(pieces))  # noqa: S704


def waited(card: Card, now: int) -> int:
    """How long a post has waited for its first answer, in seconds and in steps; 0 where that is not to be told."""
    if not card.waits:
        return 0
    seconds = (now - card.published_at) // 1000
    step = next((step for least, step in _STEPS if seconds >= least), 0)
    return seconds // step * step if step else 0


@lru_cache(maxsize=64)
def _read_to(language: str, country: str) -> Markup:
    # S704: words of ours.
    return Markup(render("_read_to.html", language, country))  # noqa: S704


def _piece(card: Card, language: str, country: str, mark: Mark, waiting: int) -> Markup:
    key = (card.version, mark, waiting, language, country)
    found = _pieces.get(key)
    if found is None:
        after = card.answered_after
        told = {
            "waiting": Measures(language).span(waiting) if waiting else "",
            "answered": Measures(language).span(after // 1000) if after is not None else "",
        }
        # S704: the template escaped everything already.
        found = Markup(render("_card.html", language, country, card=card, shown=mark, **told))  # noqa: S704
        _pieces[key] = found
        if len(_pieces) > _KEPT:
            _pieces.popitem(last=False)
    return found

"""Cards as HTML, rendered once per version and language: a feed of twenty joins twenty ready pieces."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from markupsafe import Markup

from instance.rendering import render
from instance.views.feed import Card
from instance.views.marks import Mark, Moment

_KEPT: Final = 8192
# By the card's version and mark, in one language on one country's clock: what a card says is the same for every reader
# the query lets see it.
_pieces: OrderedDict[tuple[object, ...], Markup] = OrderedDict()


def cards_html(cards: list[Card], language: str, country: str, at: Moment) -> Markup:
    """Return the cards as list items."""
    # S704: every piece is Markup; joined as such each would be asked again.
    return Markup("".join([_piece(card, language, country, card.mark(at)) for card in cards]))  # noqa: S704


def _piece(card: Card, language: str, country: str, mark: Mark) -> Markup:
    key = (card.version, mark, language, country)
    found = _pieces.get(key)
    if found is None:
        # S704: the template escaped everything already.
        found = Markup(render("_card.html", language, country, card=card, shown=mark))  # noqa: S704
        _pieces[key] = found
        if len(_pieces) > _KEPT:
            _pieces.popitem(last=False)
    return found

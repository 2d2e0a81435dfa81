"""The home feed as JSON, put together from pieces that are rendered once per version of a post."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Final

import orjson

from instance.rendering import opening
from instance.times import from_ms, rfc3339
from instance.views.feed import Card, FeedPage
from instance.views.marks import Moment

_KEPT: Final = 4096
# By the card's version and mark: what a document says is the same for every reader the query lets see it.
_pieces: OrderedDict[tuple[object, ...], bytes] = OrderedDict()


def feed_json(page: FeedPage, at: Moment) -> bytes:
    """Return `{"items": […], "next": "cursor"}`."""
    items = b",".join([_piece(card, card.mark(at).verified) for card in page.cards])
    return b'{"items":[' + items + b'],"next":' + orjson.dumps(page.next) + b"}"


def _piece(card: Card, verified: bool) -> bytes:
    key = (card.version, verified)
    found = _pieces.get(key)
    if found is None:
        found = _pieces[key] = orjson.dumps(_document(card, verified))
        if len(_pieces) > _KEPT:
            _pieces.popitem(last=False)
    return found


def _document(card: Card, verified: bool) -> dict[str, object]:
    gone = card.gone_at is not None
    return {
        "id": card.uri,
        "url": f"/posts/{card.slug}",
        "kind": card.kind,
        "title": card.title,
        "opening": opening(card.opening),
        "language": card.language,
        "specialties": json.loads(card.specialties),
        "audience": card.audience,
        "published": rfc3339(from_ms(card.published_at)),
        "updated": rfc3339(from_ms(card.updated_at)) if card.updated_at else None,
        "answers": card.answers,
        "solved": card.solved_at is not None,
        "author": {
            "address": None if gone else card.address,
            "name": None if gone else card.name,
            "role": card.role_then,
            "country": card.country,
            "specialties": json.loads(card.author_specialties),
            "verified": verified and not gone,
        },
    }

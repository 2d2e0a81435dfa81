"""Values out of nodes: addresses, texts, times and lists, each within the limits of one message.

Nodes are what `jsonld.meaning` returns, never foreign JSON. Every function returns a value or raises `Refused`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeAlias

from federation import html
from federation.errors import ForeignOrigin, Malformed, TooMany
from federation.integrity import Json, read_instant
from federation.jsonld import as_list, one
from federation.uri import BadUri, Uri
from federation.vocabulary import PUBLIC

MAX_NAME: Final = 200
MAX_RECIPIENTS: Final = 256
MAX_TAGS: Final = 64
MAX_ATTACHMENTS: Final = 16
MAX_POLL_OPTIONS: Final = 20
MAX_ALIASES: Final = 16
#: Rows count from the first; pages show the last in every zone.
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998

Node: TypeAlias = Mapping[str, Json]

RECIPIENT_FIELDS: Final = ("to", "cc", "bto", "bcc", "audience")
_COUNTED: Final = (
    *((key, MAX_RECIPIENTS) for key in RECIPIENT_FIELDS),
    ("tag", MAX_TAGS),
    ("attachment", MAX_ATTACHMENTS),
    ("oneOf", MAX_POLL_OPTIONS),
    ("anyOf", MAX_POLL_OPTIONS),
    ("alsoKnownAs", MAX_ALIASES),
)


def type_of(node: Node) -> str:
    """Return the one type of a node, or an empty text; raise Malformed where it has several."""
    value = one(node.get("type"))
    return value if isinstance(value, str) else ""


def to_uri(value: Json) -> Uri:
    """Return the address that a text is, or that an embedded node has; raise Malformed."""
    try:
        return Uri.parse(value["id"] if isinstance(value, dict) else value)
    except (BadUri, KeyError):
        raise Malformed("not an address") from None


def address(node: Node, key: str) -> Uri:
    """Return the one address under a key; raise Malformed where it is missing."""
    return to_uri(one(node.get(key)))


def address_or_none(node: Node, key: str) -> Uri | None:
    """Return the one address under a key, if there is any."""
    value = one(node.get(key))
    return None if value is None else to_uri(value)


def addresses(node: Node, key: str) -> tuple[Uri, ...]:
    """Return the addresses under a key, each once, without the public one (whose presence is refused apart)."""
    values = node.get(key)
    if values is None:
        return ()
    return tuple(dict.fromkeys([to_uri(value) for value in as_list(values) if id_of(value) not in PUBLIC]))


def text(node: Node, key: str, limit: int = MAX_NAME) -> str:
    """Return the one text under a key as it was sent, or an empty one."""
    value = one(node.get(key))
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit:
        raise Malformed(f"{key} is no text of at most {limit} characters")
    return value


def instant(node: Node, key: str) -> datetime:
    """Return the time under a key, to the millisecond; raise Malformed where it is missing."""
    value = one(node.get(key))
    try:
        return _read_instant(value if isinstance(value, str) else "")
    except ValueError:
        raise Malformed(f"{key} is no RFC 3339 time") from None


# An activity and its object carry the same time.
@lru_cache(maxsize=1024)
def _read_instant(value: str) -> datetime:
    at = read_instant(value)
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise ValueError("outside the calendar on some reader's clock")
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def instant_or_none(node: Node, key: str) -> datetime | None:
    """Return the time under a key, if there is any."""
    return None if one(node.get(key)) is None else instant(node, key)


def require_few(node: Node) -> None:
    """Raise TooMany where a node names more recipients, tags, … than one message may."""
    recipients = 0
    for key, limit in _COUNTED:
        if key not in node:
            continue
        value = node[key]
        if isinstance(value, list):
            if len(value) > limit:
                raise TooMany(key)
            recipients += len(value) if limit == MAX_RECIPIENTS else 0
    if recipients > MAX_RECIPIENTS:
        raise TooMany("recipients")


def is_public(node: Node) -> bool:
    """Whether the public address stands among the recipients, in any spelling and any field (N42)."""
    for key in RECIPIENT_FIELDS:
        if key not in node:
            continue
        if not PUBLIC.isdisjoint(map(id_of, as_list(node[key]))):
            return True
    return False


def id_of(value: Json) -> Json:
    """Return the address that a value is or has, or None."""
    found = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, str) else None


def matching(node: Node, key: str, pattern: re.Pattern[str]) -> str:
    """Return the one text under a key, of this form; raise Malformed."""
    value = text(node, key)
    if not pattern.match(value):
        raise Malformed(f"{key} has not the form it must have")
    return value


def line(node: Node, key: str) -> str:
    """Return the one text under a key as one line without invisible characters."""
    return html.line(text(node, key))


def opaque(node: Node, key: str) -> Json:
    """Return the one object under a key as it was sent, if there is any."""
    value = node.get(key)
    if value is not None and not isinstance(value, dict):
        raise Malformed(f"{key} is no object")
    return value


def own(actor: Uri, place: Uri) -> Uri:
    """Return the place if it lies on the actor's server; raise ForeignOrigin."""
    if not place.same_origin(actor):
        raise ForeignOrigin("a box or collection on another server")
    return place

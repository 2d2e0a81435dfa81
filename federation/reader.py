"""Nodes to words: what `parse` knows of the single types. Nodes are what `jsonld.meaning` returns, never foreign JSON.

Limits are those of one message; text is sanitised on the way. Every function returns a value or raises `Refused`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeAlias

from federation import bulletins, html
from federation.errors import ForeignOrigin, KindNotFederated, Malformed, TooMany
from federation.integrity import Json, read_instant
from federation.jsonld import as_list, one
from federation.uri import BadUri, Uri
from federation.vocabulary import (
    PUBLIC,
    Collection,
    Comment,
    Doctor,
    Instance,
    KeyDocument,
    Mention,
    Multikey,
    Post,
    PostKind,
    Tombstone,
)

MAX_NAME: Final = 200
MAX_CONTENT: Final = 65_536
MAX_RECIPIENTS: Final = 256
MAX_MENTIONS: Final = 50
MAX_TAGS: Final = 64
MAX_ATTACHMENTS: Final = 16
MAX_POLL_OPTIONS: Final = 20
MAX_ALIASES: Final = 16
MAX_KEYS: Final = 16
MAX_ITEMS: Final = 1_000
#: Rows count from the first; pages show the last in every zone.
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998
#: FEP-844e names what an actor can do by the address of its specification.
RFC_9421: Final = "https://datatracker.ietf.org/doc/html/rfc9421"

Node: TypeAlias = Mapping[str, Json]
Object: TypeAlias = Post | Comment
Thing: TypeAlias = Post | Comment | Doctor | Instance | Tombstone | Collection

_LANGUAGE: Final = re.compile(r"[a-z]{2}\Z")
_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_HANDLE: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?\Z")
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")
RECIPIENT_FIELDS: Final = ("to", "cc", "bto", "bcc", "audience")
_COUNTED: Final = (
    *((key, MAX_RECIPIENTS) for key in RECIPIENT_FIELDS),
    ("tag", MAX_TAGS),
    ("attachment", MAX_ATTACHMENTS),
    ("oneOf", MAX_POLL_OPTIONS),
    ("anyOf", MAX_POLL_OPTIONS),
    ("alsoKnownAs", MAX_ALIASES),
)


# ── values ──


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
    return tuple(dict.fromkeys([to_uri(value) for value in as_list(values) if _id_of(value) not in PUBLIC]))


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
        if not PUBLIC.isdisjoint(map(_id_of, as_list(node[key]))):
            return True
    return False


def _id_of(value: Json) -> Json:
    found = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, str) else None


def _matching(node: Node, key: str, pattern: re.Pattern[str]) -> str:
    value = text(node, key)
    if not pattern.match(value):
        raise Malformed(f"{key} has not the form it must have")
    return value


def _line(node: Node, key: str) -> str:
    return html.line(text(node, key))


# ── objects ──


def read_object(node: Node) -> Object:
    """Return the post or comment; raise KindNotFederated for every other type."""
    match type_of(node):
        case "Article":
            return read_post(node)
        case "Note":
            return read_comment(node)
        case _:
            raise KindNotFederated("neither a post nor a comment")


def read_post(node: Node) -> Post:
    """Return the post of an Article."""
    require_few(node)
    content, language = _content(node)
    title = _line(node, "name")
    if not title:
        raise Malformed("a post without a title")
    return Post(
        id=address(node, "id"),
        author=address(node, "attributedTo"),
        kind=_kind(node),
        title=title,
        content=content,
        language=language,
        specialties=_specialties(node),
        to=addresses(node, "to"),
        cc=addresses(node, "cc"),
        mentions=_mentions(node),
        published=instant(node, "published"),
        updated=instant_or_none(node, "updated"),
        context=address_or_none(node, "context"),
        clinical_summary=_opaque(node, "clinicalSummary"),
        consent=_opaque(node, "consent"),
        screening=_opaque(node, "screening"),
        asked_country=_matching(node, "askedCountry", _COUNTRY) if one(node.get("askedCountry")) else "",
        **bulletins.read(node),
    )


def read_comment(node: Node) -> Comment:
    """Return the comment of a Note; raise Malformed where it answers nothing or belongs to no thread."""
    require_few(node)
    content, language = _content(node)
    return Comment(
        id=address(node, "id"),
        author=address(node, "attributedTo"),
        content=content,
        language=language,
        in_reply_to=address(node, "inReplyTo"),
        context=address(node, "context"),
        to=addresses(node, "to"),
        cc=addresses(node, "cc"),
        mentions=_mentions(node),
        published=instant(node, "published"),
        updated=instant_or_none(node, "updated"),
    )


def read_tombstone(node: Node) -> Tombstone:
    """Return what stays of something withdrawn; a former type that is no word of ours is left out."""
    former = one(node.get("formerType"))
    return Tombstone(
        id=address(node, "id"),
        former_type=former if isinstance(former, str) and former in ("Article", "Note", "Person") else "",
        deleted=instant_or_none(node, "deleted"),
        public_keys=_public_keys(node),
        assertion_methods=_multikeys(node, "assertionMethod"),
    )


def _content(node: Node) -> tuple[str, str]:
    """Sanitised content and its language: `contentMap` names exactly one, `content` repeats it or is absent."""
    by_language = node.get("contentMap")
    if not isinstance(by_language, dict) or len(by_language) != 1:
        raise Malformed("contentMap names not exactly one language")
    ((language, value),) = by_language.items()
    body = one(value)
    if not _LANGUAGE.match(language) or not isinstance(body, str) or one(node.get("content")) not in (None, body):
        raise Malformed("content and contentMap do not fit")
    clean = html.sanitise(body)
    if max(len(body), len(clean)) * 4 > MAX_CONTENT and len(max(body, clean, key=len).encode()) > MAX_CONTENT:
        raise Malformed("content beyond its limit")
    return clean, language


def _kind(node: Node) -> PostKind:
    value = text(node, "postKind")
    if not value:
        raise Malformed("an article that is no kind of post")
    try:
        return PostKind(value)
    except ValueError:
        raise KindNotFederated("a kind of post this federation does not know") from None


def _specialties(node: Node) -> tuple[str, ...]:
    slugs = tuple([_slug(value) for value in as_list(node.get("specialty"))])
    if not 1 <= len(slugs) <= 3 or len(set(slugs)) != len(slugs):
        raise Malformed("one to three different specialties")
    return slugs


def _slug(value: Json) -> str:
    if not isinstance(value, str) or len(value) > 64 or not _SLUG.match(value):
        raise Malformed("a specialty is a slug")
    return value


def _mentions(node: Node) -> tuple[Mention, ...]:
    tags = [tag for tag in as_list(node.get("tag")) if isinstance(tag, dict) and type_of(tag) == "Mention"]
    if len(tags) > MAX_MENTIONS:
        raise TooMany("mentions")
    return tuple([Mention(href=address(tag, "href"), name=_line(tag, "name")) for tag in tags])


def _opaque(node: Node, key: str) -> Json:
    value = node.get(key)
    if value is not None and not isinstance(value, dict):
        raise Malformed(f"{key} is no object")
    return value


# ── actors ──


def read_doctor(node: Node) -> Doctor:
    """Return the doctor of a Person; raise ForeignOrigin where its boxes lie on another server (A48)."""
    require_few(node)
    at = address(node, "id")
    name = html.name(text(node, "name"))
    if not name:
        raise Malformed("a doctor without a name")
    return Doctor(
        id=at,
        handle=_matching(node, "preferredUsername", _HANDLE),
        name=name,
        inbox=_own(at, address(node, "inbox")),
        outbox=_own(at, address(node, "outbox")),
        followers=_own(at, address(node, "followers")),
        following=_own(at, address(node, "following")),
        shared_inbox=_shared_inbox(at, node),
        public_keys=_public_keys(node),
        assertion_methods=_multikeys(node, "assertionMethod"),
        webfinger=_line(node, "webfinger"),
        summary=html.sanitise(text(node, "summary", MAX_CONTENT // 16)),
        languages=_languages(node),
        credential=_opaque(node, "doctorCredential"),
        also_known_as=addresses(node, "alsoKnownAs"),
        moved_to=address_or_none(node, "movedTo"),
        published=instant_or_none(node, "published"),
        updated=instant_or_none(node, "updated"),
    )


def read_instance(node: Node) -> Instance:
    """Return the instance of an Application; raise ForeignOrigin where its boxes lie on another server."""
    require_few(node)
    at = address(node, "id")
    return Instance(
        id=at,
        name=html.name(text(node, "name")),
        inbox=_own(at, address(node, "inbox")),
        outbox=_own(at, address(node, "outbox")),
        public_keys=_public_keys(node),
        assertion_methods=_multikeys(node, "assertionMethod"),
        issuer_keys=_multikeys(node, "issuerKey"),
        country=_matching(node, "country", _COUNTRY) if one(node.get("country")) else "",
        contact=_line(node, "contact"),
        software=_line(node, "software"),
        speaks_rfc9421=any(_announces(item, RFC_9421) for item in as_list(node.get("implements"))),
    )


def _own(actor: Uri, place: Uri) -> Uri:
    if not place.same_origin(actor):
        raise ForeignOrigin("a box or collection on another server")
    return place


def _shared_inbox(actor: Uri, node: Node) -> Uri | None:
    endpoints = one(node.get("endpoints"))
    shared = address_or_none(endpoints, "sharedInbox") if isinstance(endpoints, dict) else None
    return None if shared is None else _own(actor, shared)


def _embedded(node: Node, key: str) -> list[Node]:
    """The nodes under a key, which must stand in the document itself."""
    values = as_list(node.get(key))
    if len(values) > MAX_KEYS:
        raise TooMany(key)
    nodes: list[Node] = [value for value in values if isinstance(value, dict)]
    if len(nodes) != len(values):
        raise Malformed(f"{key} stands in another document")
    return nodes


def _public_keys(node: Node) -> tuple[KeyDocument, ...]:
    return tuple(
        [
            KeyDocument(id=address(key, "id"), owner=address(key, "owner"), pem=_required(key, "publicKeyPem", 4096))
            for key in _embedded(node, "publicKey")
        ]
    )


def _multikeys(node: Node, key: str) -> tuple[Multikey, ...]:
    """The Multikeys under a key (FEP-521a); keys of other types are not ours to read."""
    return tuple(
        [
            Multikey(
                id=address(entry, "id"),
                controller=address(entry, "controller"),
                key=_required(entry, "publicKeyMultibase", 128),
            )
            for entry in _embedded(node, key)
            if type_of(entry) == "Multikey"
        ]
    )


def _required(node: Node, key: str, limit: int) -> str:
    value = text(node, key, limit)
    if not value:
        raise Malformed(f"{key} is missing")
    return value


def _languages(node: Node) -> tuple[str, ...]:
    tags = as_list(node.get("language"))
    if len(tags) > MAX_ALIASES:
        raise TooMany("language")
    if not all(isinstance(tag, str) and _LANGUAGE.match(tag) for tag in tags):
        raise Malformed("a language is two letters")
    return tuple(dict.fromkeys(map(str, tags)))


def _announces(item: Json, specification: str) -> bool:
    if isinstance(item, dict):
        return specification in (one(item.get("href")), item.get("id"))
    return item == specification


# ── collections ──


def read_collection(node: Node) -> Collection:
    """Return a collection or a page of it; raise ForeignOrigin where it leads to another server (A51)."""
    at = address(node, "id")
    total = one(node.get("totalItems"))
    items = (*as_list(node.get("orderedItems")), *as_list(node.get("items")))
    if len(items) > MAX_ITEMS:
        raise TooMany("items")
    if total is not None and (type(total) is not int or total < 0):
        raise Malformed("totalItems is no count")
    return Collection(
        id=at,
        total=len(items) if total is None else total,
        items=tuple(dict.fromkeys(map(to_uri, items))),
        first=_own_or_none(at, node, "first"),
        next=_own_or_none(at, node, "next"),
        part_of=_own_or_none(at, node, "partOf"),
    )


def _own_or_none(at: Uri, node: Node, key: str) -> Uri | None:
    place = address_or_none(node, key)
    return None if place is None else _own(at, place)


READERS: Final[Mapping[str, Callable[[Node], Thing]]] = {
    "Article": read_post,
    "Note": read_comment,
    "Person": read_doctor,
    "Application": read_instance,
    "Tombstone": read_tombstone,
    "Collection": read_collection,
    "CollectionPage": read_collection,
    "OrderedCollection": read_collection,
    "OrderedCollectionPage": read_collection,
}

"""Nodes to words: what `parse` knows of the single types. Nodes are what `jsonld.meaning` returns, never foreign JSON.

Limits are those of one message; text is sanitised on the way. Every function returns a value or raises `Refused`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from federation import bulletins, html
from federation.errors import KindNotFederated, Malformed, TooMany
from federation.integrity import Json
from federation.jsonld import as_list, one
from federation.nodes import (
    MAX_ALIASES,
    Node,
    address,
    address_or_none,
    addresses,
    instant,
    instant_or_none,
    line,
    matching,
    opaque,
    own,
    require_few,
    text,
    to_uri,
    type_of,
)
from federation.poll_reader import is_vote, read_poll, read_vote
from federation.uri import Uri
from federation.vocabulary import (
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
    Vote,
)

MAX_CONTENT: Final = 65_536
MAX_MENTIONS: Final = 50
MAX_KEYS: Final = 16
MAX_ITEMS: Final = 1_000
#: FEP-844e names what an actor can do by the address of its specification.
RFC_9421: Final = "https://datatracker.ietf.org/doc/html/rfc9421"

Object: TypeAlias = Post | Comment | Vote
Thing: TypeAlias = Post | Comment | Doctor | Instance | Tombstone | Collection

_LANGUAGE: Final = re.compile(r"[a-z]{2}\Z")
_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_HANDLE: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?\Z")
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")


# ── objects ──


def read_object(node: Node) -> Object:
    """Return the post, comment or vote; raise KindNotFederated for every other type."""
    match type_of(node):
        case "Article":
            return read_post(node)
        case "Note":
            return read_vote(node) if is_vote(node) else read_comment(node)
        case _:
            raise KindNotFederated("neither a post nor a comment")


def read_post(node: Node) -> Post:
    """Return the post of an Article."""
    require_few(node)
    content, language = _content(node)
    title = line(node, "name")
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
        clinical_summary=opaque(node, "clinicalSummary"),
        consent=opaque(node, "consent"),
        screening=opaque(node, "screening"),
        poll=read_poll(node),
        resolution=opaque(node, "resolution"),
        asked_country=matching(node, "askedCountry", _COUNTRY) if one(node.get("askedCountry")) else "",
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
        note_kind="update" if text(node, "noteKind") == "update" else "",
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
    return tuple([Mention(href=address(tag, "href"), name=line(tag, "name")) for tag in tags])


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
        handle=matching(node, "preferredUsername", _HANDLE),
        name=name,
        inbox=own(at, address(node, "inbox")),
        outbox=own(at, address(node, "outbox")),
        followers=own(at, address(node, "followers")),
        following=own(at, address(node, "following")),
        shared_inbox=_shared_inbox(at, node),
        public_keys=_public_keys(node),
        assertion_methods=_multikeys(node, "assertionMethod"),
        webfinger=line(node, "webfinger"),
        summary=html.sanitise(text(node, "summary", MAX_CONTENT // 16)),
        languages=_languages(node),
        credential=opaque(node, "doctorCredential"),
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
        inbox=own(at, address(node, "inbox")),
        outbox=own(at, address(node, "outbox")),
        public_keys=_public_keys(node),
        assertion_methods=_multikeys(node, "assertionMethod"),
        issuer_keys=_multikeys(node, "issuerKey"),
        country=matching(node, "country", _COUNTRY) if one(node.get("country")) else "",
        contact=line(node, "contact"),
        software=line(node, "software"),
        speaks_rfc9421=any(_announces(item, RFC_9421) for item in as_list(node.get("implements"))),
    )


def _shared_inbox(actor: Uri, node: Node) -> Uri | None:
    endpoints = one(node.get("endpoints"))
    shared = address_or_none(endpoints, "sharedInbox") if isinstance(endpoints, dict) else None
    return None if shared is None else own(actor, shared)


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
    return None if place is None else own(at, place)


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

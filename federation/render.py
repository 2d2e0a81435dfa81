"""The only writer of documents: words of `vocabulary` in, bytes out. `parse(render(x)) == x` is a property test.

    document   a word ─▶ its JSON document, to which a proof may be added
    encode     a document ─▶ bytes
    activity, doctor, instance, post, comment, tombstone, collection   both at once

Nothing that leaves here names the public address, `bto` or `bcc`: the types hold no such field, and an address that
got into one all the same is refused before there are bytes (ActivityPub section 6, C5 and G9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import orjson

from federation import bulletins
from federation.integrity import Json
from federation.jsonld import CONTEXT
from federation.reader import RFC_9421
from federation.uri import Uri
from federation.vocabulary import (
    ACTIVITYSTREAMS,
    PUBLIC,
    Accept,
    Activity,
    Announce,
    AnyActivity,
    Collection,
    Comment,
    Create,
    Delete,
    Doctor,
    Flag,
    Follow,
    Ignored,
    Instance,
    KeyDocument,
    Like,
    Mention,
    Move,
    Multikey,
    Poll,
    PollOption,
    Post,
    Reject,
    Tombstone,
    Undo,
    Update,
    Vote,
)

ACTIVITY_JSON: Final = "application/activity+json"
LD_JSON: Final = f'application/ld+json; profile="{ACTIVITYSTREAMS}"'

Word: TypeAlias = AnyActivity | Doctor | Instance | Post | Comment | Vote | Tombstone | Collection
_Node: TypeAlias = dict[str, Json]


def document(word: Word) -> dict[str, Json]:
    """Return the whole document of a word, with its context; raise ValueError where it would be public."""
    return {"@context": list(CONTEXT), **to_node(word)}


def encode(document: Mapping[str, Json]) -> bytes:
    """Return the bytes that travel."""
    return orjson.dumps(document)


def activity(word: AnyActivity, *, proof: Json = None) -> bytes:
    """Return the bytes of an activity, with its object proof (FEP-8b32) if it has one."""
    return encode(document(word) if proof is None else {**document(word), "proof": proof})


def doctor(word: Doctor) -> bytes:
    """Return the bytes of a doctor's actor document."""
    return encode(document(word))


def instance(word: Instance) -> bytes:
    """Return the bytes of an instance's actor document."""
    return encode(document(word))


def post(word: Post) -> bytes:
    """Return the bytes of a post."""
    return encode(document(word))


def comment(word: Comment) -> bytes:
    """Return the bytes of a comment."""
    return encode(document(word))


def tombstone(word: Tombstone) -> bytes:
    """Return the bytes of a tombstone, answered with 410."""
    return encode(document(word))


def collection(
    id: Uri,
    total: int,
    items: Iterable[Uri] = (),
    *,
    first: Uri | None = None,
    next: Uri | None = None,
    part_of: Uri | None = None,
) -> bytes:
    """Return the bytes of an ordered collection, or (with `part_of`) of one page of it, newest first."""
    return encode(document(Collection(id=id, total=total, items=tuple(items), first=first, next=next, part_of=part_of)))


def to_node(word: Word) -> _Node:
    """Return the document of a word without a context, as it stands inside another."""
    return _WRITERS[type(word)](word)


def write_time(at: datetime) -> str:
    """Write a time as RFC 3339 in UTC: whole seconds, or milliseconds where there are any."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    precision = "milliseconds" if at.microsecond >= 1000 else "seconds"
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


# ── objects ──


def _post(word: Post) -> _Node:
    return _without_none(
        {
            "id": word.id,
            "type": "Article",
            "attributedTo": word.author,
            "postKind": word.kind.value,
            "name": word.title,
            "content": word.content,
            "contentMap": {word.language: word.content},
            "specialty": [*word.specialties],
            "clinicalSummary": word.clinical_summary,
            "consent": word.consent,
            "screening": word.screening,
            "poll": None if word.poll is None else _poll(word.poll),
            "resolution": word.resolution,
            "askedCountry": word.asked_country or None,
            **bulletins.write(word),
            "context": word.context,
            **_circulation(word),
        }
    )


def _comment(word: Comment) -> _Node:
    return _without_none(
        {
            "id": word.id,
            "type": "Note",
            "attributedTo": word.author,
            "content": word.content,
            "contentMap": {word.language: word.content},
            "inReplyTo": word.in_reply_to,
            "context": word.context,
            "noteKind": word.note_kind or None,
            **_circulation(word),
        }
    )


def _vote(word: Vote) -> _Node:
    return _without_none(
        {
            "id": word.id,
            "type": "Note",
            "attributedTo": word.author,
            "name": word.choice,
            "inReplyTo": word.in_reply_to,
            **_recipients(word),
            "published": write_time(word.published),
        }
    )


def _poll(word: Poll) -> _Node:
    return _without_none(
        {
            "id": word.id,
            "type": "Question",
            "oneOf": [_option(option) for option in word.options],
            "endTime": _time_or_none(word.closes),
            "closed": _time_or_none(word.closed),
            "updated": write_time(word.updated),
            "votesBySpecialty": word.by_specialty,
        }
    )


def _option(word: PollOption) -> _Node:
    return {"type": "Note", "name": word.name, "replies": {"type": "Collection", "totalItems": word.votes}}


def _circulation(word: Post | Comment) -> _Node:
    """Who it is for and when: the part posts and comments share."""
    return {
        **_recipients(word),
        "tag": [_mention(mention) for mention in word.mentions] or None,
        "published": write_time(word.published),
        "updated": _time_or_none(word.updated),
    }


def _recipients(word: Post | Comment | Vote | Activity) -> _Node:
    if not PUBLIC.isdisjoint((*word.to, *word.cc)):
        raise ValueError("nothing is ever addressed to the public")
    return {"to": [*word.to] or None, "cc": [*word.cc] or None}


def _mention(word: Mention) -> _Node:
    return _without_none({"type": "Mention", "href": word.href, "name": word.name or None})


def _tombstone(word: Tombstone) -> _Node:
    return _without_none(
        {
            "id": word.id,
            "type": "Tombstone",
            "formerType": word.former_type or None,
            "deleted": _time_or_none(word.deleted),
            "publicKey": _keys(word.public_keys),
            "assertionMethod": _multikeys(word.assertion_methods),
        }
    )


def _collection(word: Collection) -> _Node:
    return _without_none(
        {
            "id": word.id,
            "type": "OrderedCollection" if word.part_of is None else "OrderedCollectionPage",
            "totalItems": word.total,
            "orderedItems": [*word.items] if word.items or word.first is None else None,
            "first": word.first,
            "next": word.next,
            "partOf": word.part_of,
        }
    )


# ── actors ──


def _doctor(word: Doctor) -> _Node:
    return _without_none(
        {
            "id": word.id,
            "type": "Person",
            "preferredUsername": word.handle,
            "name": word.name,
            "summary": word.summary or None,
            "inbox": word.inbox,
            "outbox": word.outbox,
            "followers": word.followers,
            "following": word.following,
            "endpoints": None if word.shared_inbox is None else {"sharedInbox": word.shared_inbox},
            "publicKey": _keys(word.public_keys),
            "assertionMethod": _multikeys(word.assertion_methods),
            "webfinger": word.webfinger or None,
            "language": [*word.languages] or None,
            "doctorCredential": word.credential,
            "alsoKnownAs": [*word.also_known_as] or None,
            "movedTo": word.moved_to,
            "published": _time_or_none(word.published),
            "updated": _time_or_none(word.updated),
        }
    )


def _instance(word: Instance) -> _Node:
    return _without_none(
        {
            "id": word.id,
            "type": "Application",
            "preferredUsername": word.id.authority,
            "name": word.name,
            "inbox": word.inbox,
            "outbox": word.outbox,
            "publicKey": _keys(word.public_keys),
            "assertionMethod": _multikeys(word.assertion_methods),
            "issuerKey": _multikeys(word.issuer_keys),
            "country": word.country or None,
            "contact": word.contact or None,
            "software": word.software or None,
            "implements": [{"href": RFC_9421, "name": "RFC 9421"}] if word.speaks_rfc9421 else None,
        }
    )


def _keys(keys: tuple[KeyDocument, ...]) -> Json:
    """One key stands alone, as peers expect it; a list only while a rotation needs two."""
    written: list[Json] = [{"id": key.id, "owner": key.owner, "publicKeyPem": key.pem} for key in keys]
    return written[0] if len(written) == 1 else written or None


def _multikeys(keys: tuple[Multikey, ...]) -> Json:
    return [
        {"id": key.id, "type": "Multikey", "controller": key.controller, "publicKeyMultibase": key.key} for key in keys
    ] or None


# ── activities ──


def _head(word: Activity, type_name: str, object: Json) -> _Node:
    return _without_none(
        {
            "id": word.id,
            "type": type_name,
            "actor": word.actor,
            **_recipients(word),
            "published": _time_or_none(word.published),
            "object": object,
        }
    )


def _create(word: Create) -> _Node:
    return _head(word, "Create", to_node(word.object))


def _update(word: Update) -> _Node:
    return _head(word, "Update", word.object if isinstance(word.object, Uri) else to_node(word.object))


def _about(word: Delete | Follow | Accept | Reject | Undo | Like | Announce) -> _Node:
    return _head(word, type(word).__name__, word.object)


def _flag(word: Flag) -> _Node:
    return {**_head(word, "Flag", [*word.objects]), **({"reason": word.reason} if word.reason else {})}


def _move(word: Move) -> _Node:
    return {**_head(word, "Move", word.object), "target": word.target}


def _ignored(word: Ignored) -> _Node:
    return _head(word, word.type_name, None)


# The writer of each word; a dict, because this is on the way of every delivery.
_WRITERS: Final[Mapping[type, Callable[[Any], _Node]]] = {
    Post: _post,
    Comment: _comment,
    Vote: _vote,
    Tombstone: _tombstone,
    Collection: _collection,
    Doctor: _doctor,
    Instance: _instance,
    Create: _create,
    Update: _update,
    **dict.fromkeys((Delete, Follow, Accept, Reject, Undo, Like, Announce), _about),
    Flag: _flag,
    Move: _move,
    Ignored: _ignored,
}


def _time_or_none(at: datetime | None) -> str | None:
    return None if at is None else write_time(at)


def _without_none(node: Mapping[str, Json]) -> _Node:
    return {key: value for key, value in node.items() if value is not None}

"""The only reader of foreign JSON: bytes in, words of `vocabulary` out.

    strict_json   bytes ─▶ the one reading every JSON parser would agree on
    document      a Verified message ─▶ its raw JSON and its activity, or Refused
    thing         a fetched document ─▶ Post, Comment, Doctor, Instance, Tombstone or Collection, or Refused

Whatever arrives, the answer is a value or a `Refused`. Text is sanitised here, so that nothing behind this module
holds foreign HTML. Who may say what is not decided here: that is the door's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec import Struct

from federation.errors import KindNotFederated, Malformed, PublicAudience, Refused
from federation.integrity import Json
from federation.jsonld import ACTIVITY_TYPES, as_list, meaning, one, words
from federation.nodes import (
    RECIPIENT_FIELDS,
    Node,
    address,
    addresses,
    instant_or_none,
    is_public,
    require_few,
    text,
    to_uri,
    type_of,
)
from federation.reader import (
    READERS,
    Thing,
    read_collection,
    read_comment,
    read_doctor,
    read_instance,
    read_object,
    read_post,
    read_tombstone,
)
from federation.render import to_node
from federation.strict import strict_json
from federation.vocabulary import (
    PUBLIC,
    VERIFIED_DOCTORS,
    Accept,
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
    Like,
    Move,
    Post,
    Reject,
    Tombstone,
    Undo,
    Update,
    Vote,
)

if TYPE_CHECKING:
    from federation.catch_up import Logged
    from federation.signatures import Verified

__all__ = [
    "Document",
    "activity",
    "activity_document",
    "addressed_hosts",
    "collection_page",
    "comment",
    "doctor",
    "document",
    "hosts_in",
    "instance",
    "post",
    "raw",
    "read",
    "strict_json",
    "thing",
    "tombstone",
]

_T = TypeVar("_T")


class Document(Struct, frozen=True, kw_only=True):
    """A message, read: the strict JSON as sent (proofs are checked on it), and what it says."""

    raw: dict[str, Json]
    activity: AnyActivity
    #: Every origin in a protocol field, also of fields this federation does not use (attachments, tags, bto, …).
    origins: frozenset[str]
    #: What its kind or audience is refused with. `document` raises it at once; `read` leaves it to the caller.
    objection: Refused | None = None


def document(proof: Verified | Logged) -> Document:
    """Return what the signed message says; raise Malformed, UnknownContext, TooMany, PublicAudience, … ."""
    found = read(proof)
    if found.objection is not None:
        raise found.objection
    return found


def read(proof: Verified | Logged) -> Document:
    """Return what the signed message says, with the refusal of its kind or audience as a value.

    For a caller that owes an earlier answer first: an author who is not the signer is refused before an audience is.
    """
    source = raw(proof)
    node = meaning(source)
    found, objection = _activity(source, node)
    return Document(raw=source, activity=found, origins=_origins(node), objection=objection)


def raw(proof: Verified | Logged) -> dict[str, Json]:
    """Return the strict JSON of a signed message."""
    return strict_json(proof.body)


def activity(proof: Verified) -> AnyActivity:
    """Return the activity of a signed message; raise Refused."""
    return document(proof).activity


def activity_document(source: Mapping[str, Json]) -> AnyActivity:
    """Return the activity in strict JSON whose sender is known by other means (a row of ours); raise Refused."""
    found, objection = _activity(source, meaning(source))
    if objection is not None:
        raise objection
    return found


# ── fetched documents ──


def doctor(source: Mapping[str, Json]) -> Doctor:
    """Return a doctor's actor document; raise Malformed for every other type of actor (N38)."""
    return _expect(source, "Person", read_doctor)


def instance(source: Mapping[str, Json]) -> Instance:
    """Return an instance's actor document."""
    return _expect(source, "Application", read_instance)


def post(source: Mapping[str, Json]) -> Post:
    """Return a post; raise PublicAudience where the public address is among its recipients."""
    return _expect(source, "Article", read_post)


def comment(source: Mapping[str, Json]) -> Comment:
    """Return a comment; raise PublicAudience where the public address is among its recipients."""
    return _expect(source, "Note", read_comment)


def tombstone(source: Mapping[str, Json]) -> Tombstone:
    """Return what stays of something withdrawn."""
    return _expect(source, "Tombstone", read_tombstone)


def collection_page(source: Mapping[str, Json]) -> Collection:
    """Return a collection or one page of it; raise ForeignOrigin where it leads to another server."""
    node = meaning(source)
    if not type_of(node).removesuffix("Page").endswith("Collection"):
        raise Malformed("not a collection")
    return read_collection(node)


def thing(source: Mapping[str, Json]) -> Thing:
    """Return a fetched document by its type; raise Malformed for a type this federation does not know."""
    node = meaning(source)
    reader = READERS.get(type_of(node))
    if reader is None:
        raise Malformed("a type of document this federation does not know")
    return _not_public(node, reader)


def _expect(source: Mapping[str, Json], type_name: str, reader: Callable[[Node], _T]) -> _T:
    node = meaning(source)
    if type_of(node) != type_name:
        raise Malformed(f"not of the type {type_name}")
    return _not_public(node, reader)


def _not_public(node: Node, reader: Callable[[Node], _T]) -> _T:
    found = reader(node)
    if is_public(node):
        raise PublicAudience
    return found


# ── activities ──


def _activity(source: Mapping[str, Json], node: Node) -> tuple[AnyActivity, Refused | None]:
    """The activity, and the refusal of its kind or audience if there is one."""
    type_name = type_of(node)
    if not type_name or type_name in READERS:
        raise Malformed("not an activity")
    require_few(node)
    head = {
        "id": address(node, "id"),
        "actor": address(node, "actor"),
        "to": addresses(node, "to"),
        "cc": addresses(node, "cc"),
        "published": instant_or_none(node, "published"),
        # Proofs are read on the document as sent, so JSON-LD has no say in whether there is one.
        "has_proof": source.get("proof") is not None,
    }
    try:
        found = _BUILDERS.get(type_name, _ignored)(node, head)
    except KindNotFederated as refusal:
        return _ignored(node, head), refusal
    inner = one(node.get("object")) if type_name != "Flag" else None
    public = is_public(node) or (isinstance(inner, dict) and is_public(inner))
    return found, PublicAudience() if public else None


def _create(node: Node, head: dict[str, Any]) -> Create:
    inner = one(node.get("object"))
    if not isinstance(inner, dict):
        raise Malformed("a Create that does not hold its object")
    return Create(object=_addressed_alike(read_object(inner), head), **head)


def _update(node: Node, head: dict[str, Any]) -> Update:
    inner = one(node.get("object"))
    if not isinstance(inner, dict) or not type_of(inner):
        return Update(object=to_uri(inner), **head)
    match type_of(inner):
        case "Person":
            return Update(object=read_doctor(inner), **head)
        case "Application":
            return Update(object=read_instance(inner), **head)
        case _:
            found = read_object(inner)
            if isinstance(found, Vote):
                raise KindNotFederated("a vote is given anew, not changed")
            return Update(object=_addressed_alike(found, head), **head)


_O = TypeVar("_O", bound=Post | Comment | Vote)


def _addressed_alike(found: _O, head: dict[str, Any]) -> _O:
    """C8: an activity and its object go to the same people; a difference would let one of them speak for the other."""
    if (found.to, found.cc) != (head["to"], head["cc"]) and (
        set(found.to) != set(head["to"]) or set(found.cc) != set(head["cc"])
    ):
        raise Malformed("activity and object are addressed differently")
    return found


def _flag(node: Node, head: dict[str, Any]) -> Flag:
    objects = addresses(node, "object")
    if not objects:
        raise Malformed("a report of nothing")
    reason = text(node, "reason", 64)
    if reason and not reason.replace("-", "").replace("_", "").isalnum():
        raise Malformed("a reason is a code")
    return Flag(objects=objects, reason=reason, **head)


def _move(node: Node, head: dict[str, Any]) -> Move:
    old, new = address(node, "object"), address(node, "target")
    if old.same_origin(new):
        raise Malformed("a move leads to another instance")
    return Move(object=old, target=new, **head)


def _ignored(node: Node, head: dict[str, Any]) -> Ignored:
    type_name = type_of(node)
    return Ignored(type_name=type_name if type_name in ACTIVITY_TYPES else "other", **head)


_M = TypeVar("_M", Delete, Follow, Accept, Reject, Undo, Like, Announce)


def _about(word: type[_M]) -> Callable[[Node, dict[str, Any]], _M]:
    """A reader of an activity about one thing, of which only the address counts: an inline copy proves nothing."""

    def build(node: Node, head: dict[str, Any]) -> _M:
        return word(object=address(node, "object"), **head)

    return build


_BUILDERS: Final[Mapping[str, Callable[[Node, dict[str, Any]], AnyActivity]]] = {
    "Create": _create,
    "Update": _update,
    "Delete": _about(Delete),
    "Follow": _about(Follow),
    "Accept": _about(Accept),
    "Reject": _about(Reject),
    "Undo": _about(Undo),
    "Like": _about(Like),
    "Announce": _about(Announce),
    "Flag": _flag,
    "Move": _move,
}


# ── hosts ──

#: Fields whose addresses must lie on listed origins (step 16 at the door); links inside text are not among them.
_PROTOCOL_FIELDS: Final = words(
    "id actor object attributedTo inReplyTo context tag attachment href url inbox outbox followers following"
    " endpoints sharedInbox publicKey owner assertionMethod controller issuerKey alsoKnownAs movedTo target poll"
)
#: Recipients that are no place: the public address, refused by its own rule, and our collection of all doctors.
_NOBODY: Final = PUBLIC | {VERIFIED_DOCTORS}


def _origins(node: Node) -> frozenset[str]:
    found: set[str] = set()
    _collect(node, found)
    return frozenset([_origin(text) for text in found])


def addressed_hosts(found: AnyActivity | Document | Post | Comment) -> frozenset[str]:
    """Return the origins in the protocol fields of a message; our namespace as a recipient names nobody.

    Of a Document also those in fields this federation does not use: a stranger's address is refused wherever it hides.
    """
    return found.origins if isinstance(found, Document) else _origins(to_node(found))


def hosts_in(body: bytes) -> frozenset[str]:
    """Return the same of an activity as bytes, with every field it has; raise Refused for bytes that are none."""
    return _origins(meaning(strict_json(body)))


def _collect(node: Node, found: set[str]) -> None:
    for key, value in node.items():
        if key in _PROTOCOL_FIELDS:
            if isinstance(value, str):
                found.add(value)
            else:
                _collect_inside(value, found)
        elif key in RECIPIENT_FIELDS:
            recipients: set[str] = set()
            _collect_inside(value, recipients)
            found |= recipients - _NOBODY


def _collect_inside(value: Json, found: set[str]) -> None:
    if isinstance(value, str):
        found.add(value)
    elif isinstance(value, dict):
        _collect(value, found)
    else:
        for item in as_list(value):
            _collect_inside(item, found)


@lru_cache(maxsize=16_384)
def _origin(text: str) -> str:
    return to_uri(text).origin

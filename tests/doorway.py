"""What a sibling's software says at our door: activities made by hand, signed with real keys, and bent on purpose."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from federation import render
from federation.integrity import add_proof
from federation.keys import PrivateKey
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import VERIFIED_DOCTORS, Comment, Create, Mention, Post, PostKind
from federation.wire import Response
from tests.town import Person, Place, rows, send_signed

_numbers = itertools.count(1)


def new_id(origin: str, folder: str) -> Uri:
    """An address that was never used."""
    return Uri.parse(f"{origin}/{folder}/made-{next(_numbers)}")


def a_post(by: Person, **changes: Any) -> Post:
    """A case of this doctor for the whole federation."""
    origin = by.place.node.origin
    values: dict[str, Any] = {
        "id": new_id(origin, "posts"), "author": by.uri, "kind": PostKind.CASE, "title": "Made-up case",
        "content": "<p>Nobody has this.</p>", "language": "en", "specialties": ("cardiology",),
        "to": (VERIFIED_DOCTORS,), "published": by.place.node.clock(), **changes,
    }  # fmt: skip
    return Post(**values)


def a_comment(by: Person, post: str, **changes: Any) -> Comment:
    """An answer of this doctor in the thread of a post."""
    values: dict[str, Any] = {
        "id": new_id(by.place.node.origin, "comments"), "author": by.uri, "content": "<p>Made up.</p>",
        "language": "en", "in_reply_to": Uri.parse(post), "context": Uri.parse(post), "to": (VERIFIED_DOCTORS,),
        "published": by.place.node.clock(), **changes,
    }  # fmt: skip
    return Comment(**values)


def a_create(author: Person, thing: Post | Comment | None = None, **changes: Any) -> Create:
    """The Create of a post or comment, addressed like it."""
    found = thing if thing is not None else a_post(author)
    return an_act(author, Create, object=found, to=found.to, cc=found.cc, **changes)


def an_act(author: Person, kind: type[Any], **values: Any) -> Any:
    """Any activity in this doctor's name."""
    fields = {
        "id": new_id(author.place.node.origin, "activities"), "actor": author.uri,
        "published": author.place.node.clock(), **values,
    }  # fmt: skip
    return kind(**fields)


def follower_mention(person: Person) -> Mention:
    """A mention of somebody."""
    return Mention(href=person.uri, name=f"@{person.address}")


def bent(activity: Any, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The document of an activity after somebody has laid hands on it."""
    document: dict[str, Any] = json.loads(render.activity(activity))
    change(document)
    return json.dumps(document).encode()


async def with_proof(author: Person, activity: Any) -> bytes:
    """The activity with its author's object proof."""
    key = await author.place.node.keys.proof_key(author.uri)
    document = render.document(activity)
    clock = author.place.node.clock
    return render.encode(add_proof(document, key.key, verification_method=key.id, created=clock()))


async def instance_key(place: Place, profile: Profile = Profile.CAVAGE) -> PrivateKey:
    """The key of an instance actor."""
    return await place.node.keys.signing_key(place.node.actor, profile)


async def says(author: Person, to: Place, activity: Any, **options: Any) -> Response:
    """Post an activity, signed by its doctor."""
    return await author.sends(to, render.activity(activity), **options)


async def reads(reader: Place, at: Place, target: str, *, profile: Profile = Profile.CAVAGE) -> Response:
    """A signed GET by an instance."""
    key = await instance_key(reader, profile)
    headers = sign("GET", Uri.parse(at.node.origin + target), None, key, profile, at.node.clock())
    return await at.request("GET", target, {**headers, "Accept": "application/activity+json"})


async def kept(place: Place) -> list[tuple[str, str]]:
    """Type and state of every message kept here."""
    return [
        (row["type"], row["state"]) for row in await rows(place.node, "select type, state from inbound order by id")
    ]


async def count(place: Place, table: str) -> int:
    """How many rows a table has."""
    return int((await rows(place.node, f"select count(*) as number from {table}"))[0]["number"])


async def send_as_instance(home: Place, to: Place, activity: Any) -> Response:
    """Post an activity, signed by an instance actor."""
    return await send_signed(to, render.activity(activity), await instance_key(home))

"""Documents as siblings send them, and how one of them is read: what the tests of the reader share."""

from __future__ import annotations

from typing import Any

import orjson

from federation import render
from federation.errors import Refused
from federation.jsonld import CONTEXT
from tests.federation import words
from tests.federation.words import FR, MARIE


def a_document(**changes: Any) -> dict[str, Any]:
    """A Create of a case, as plain JSON."""
    return {**orjson.loads(render.activity(words.a_create())), **changes}


def with_object(**changes: Any) -> dict[str, Any]:
    """The same with other values in the object."""
    document = a_document()
    document["object"].update(changes)
    return document


def about(type_name: str, thing: Any, **changes: Any) -> dict[str, Any]:
    """An activity of Marie's about something."""
    return {
        "@context": list(CONTEXT),
        "id": f"{FR}/activities/1",
        "type": type_name,
        "actor": str(MARIE),
        "object": thing,
        **changes,
    }


def status_of(read: Any, source: Any) -> int:
    """What the sender would be answered: 200 for what is read, else the refusal's status."""
    try:
        read(source)
    except Refused as refusal:
        return refusal.http_status
    return 200


class Signed:
    """The one member of Verified that is read here; the type is held by mypy, the maker by federation.signatures."""

    def __init__(self, body: bytes) -> None:
        self.body = body

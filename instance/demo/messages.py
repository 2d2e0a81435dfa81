"""Messages as a sibling's server would post them, for the smoke test; and how a step of it says that it failed."""

from __future__ import annotations

import asyncio
import http.client
from datetime import datetime
from typing import Any

import orjson

from federation import render
from federation.keys import PrivateKey
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import VERIFIED_DOCTORS, Create, Post, PostKind
from instance.demo.town import Country


class StepFailed(Exception):
    """A step was not seen on the other side as it should be."""


def expect(held: bool, what: str) -> None:
    """Raise StepFailed where something does not hold."""
    if not held:
        raise StepFailed(what)


def create(actor: Uri, at: datetime) -> bytes:
    """A well-formed case, as a verified doctor would send it."""
    origin, name = actor.origin, actor.rpartition("/")[2]
    post = Post(
        id=Uri.parse(f"{origin}/posts/{name}-1"), author=actor, kind=PostKind.CASE, title="Never to be seen",
        content="<p>Made up.</p>", language="en", specialties=("cardiology",), to=(VERIFIED_DOCTORS,), published=at,
    )  # fmt: skip
    create = Create(id=Uri.parse(f"{origin}/activities/{name}-1"), actor=actor, object=post, to=post.to, published=at)
    return render.activity(create)


async def post(country: Country, body: bytes, key: PrivateKey | None) -> tuple[int, str]:
    """Post it, signed with this key if there is one; return the status and the code of the answer."""
    inbox = Uri.parse(f"{country.node.origin}/inbox")
    headers = {"Host": inbox.authority, "Content-Type": render.ACTIVITY_JSON}
    if key is not None:
        headers |= sign("POST", inbox, body, key, Profile.CAVAGE, country.node.clock())
    return await asyncio.to_thread(_send, inbox, body, headers)


def _send(inbox: Uri, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", inbox.port, timeout=10)
    try:
        connection.request("POST", inbox.target, body, headers)
        answer = connection.getresponse()
        content: Any = orjson.loads(answer.read() or b"{}")
        return answer.status, str(content.get("error", ""))
    finally:
        connection.close()

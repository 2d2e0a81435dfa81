"""Requests of played siblings, signed just before they are sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from federation.render import write_time
from federation.signatures import Profile, sign
from federation.uri import Uri
from instance.ids import new_ulid
from tests.bench.ground import Author, Ground

_PUBLISHED: Final = re.compile(rb'"published":"[^"]*"')


@dataclass(frozen=True, slots=True)
class Letters:
    """Requests as bytes, and the posts they would make."""

    requests: list[bytes]
    posts: list[str]


def creates(ground: Ground, authors: Sequence[Author], number: int, profile: Profile) -> Letters:
    """So many Creates, each a new post in a new activity, by the authors in turn."""
    url = Uri.parse(f"{ground.config.origin}/inbox")
    letters = Letters([], [])
    for at in range(number):
        author = authors[at % len(authors)]
        now = datetime.now(UTC)
        post, activity = new_ulid(now), new_ulid(now)
        body = author.template.replace(author.post.encode(), post.encode())
        body = body.replace(author.activity.encode(), activity.encode())
        body = _PUBLISHED.sub(b'"published":"%s"' % write_time(now).encode(), body)
        headers = sign("POST", url, body, author.keys[profile], profile, now)
        letters.requests.append(_bytes("POST", "/inbox", headers, body))
        letters.posts.append(f"{author.uri.partition('/doctors')[0]}/posts/{post}")
    return letters


def actor_reads(ground: Ground, number: int) -> list[bytes]:
    """So many reads of doctors, signed by a sibling's instance actor."""
    requests = []
    for at in range(number):
        url = Uri.parse(ground.doctors[at % len(ground.doctors)])
        headers = sign("GET", url, None, ground.instance_key, Profile.CAVAGE, datetime.now(UTC))
        headers["Accept"] = "application/activity+json"
        requests.append(_bytes("GET", url.target, headers))
    return requests


def reads(ground: Ground, target: str, number: int) -> list[bytes]:
    """The same page, asked for by somebody who is signed in."""
    headers = {"Host": ground.config.authority, "Cookie": f"session={ground.token}", "Accept-Language": "en"}
    return [_bytes("GET", target, headers)] * number


def _bytes(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body

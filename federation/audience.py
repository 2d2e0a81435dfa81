"""Who may see an object. Pure, and nothing here ever widens.

    addressing           an audience ─▶ the recipients that stand on the wire
    of_post              a post ─▶ its audience, or Refused
    may_read_at_sibling  whether a sibling that asks may be shown it

Siblings, followers and the people named arrive as arguments; the rows they come from are the caller's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import assert_never

from federation.allowlist import Direction, Sibling
from federation.errors import Malformed, PublicAudience
from federation.uri import Uri
from federation.vocabulary import NAMESPACE, PUBLIC, VERIFIED_DOCTORS, Audience, Post, PostKind


@dataclass(frozen=True, slots=True)
class Target:
    """One inbox an activity is posted to."""

    origin: str
    inbox: Uri
    shared: bool


def addressing(
    audience: Audience, followers: Uri, named: Iterable[Uri] = ()
) -> tuple[tuple[Uri, ...], tuple[Uri, ...]]:
    """Return `to` and `cc` of a post and of everything in its thread; `followers` are those of the post's author.

    Raises ValueError for what has no recipients abroad: a `national` audience, or nobody named.
    """
    match audience:
        case Audience.FEDERATION:
            return (VERIFIED_DOCTORS,), ()
        case Audience.COLLEAGUES:
            return (followers,), ()
        case Audience.NAMED:
            people = tuple(dict.fromkeys(named))
            if not people or not PUBLIC.isdisjoint(people):
                raise ValueError("a named audience names somebody, and never the public")
            return people, ()
        case Audience.NATIONAL:
            raise ValueError("a national post never leaves")
        case _ as never:
            assert_never(never)


def of_post(post: Post, author_followers: Uri) -> Audience:
    """Return whom the post is for; raise PublicAudience, or Malformed for recipients that are no audience of ours."""
    recipients = {*post.to, *post.cc}
    if not PUBLIC.isdisjoint(recipients):
        raise PublicAudience
    if recipients == {VERIFIED_DOCTORS}:
        return Audience.FEDERATION
    if recipients == {author_followers}:
        return Audience.COLLEAGUES
    if not recipients or author_followers in recipients or any(_is_term(uri) for uri in recipients):
        raise Malformed("recipients that are no audience")
    return Audience.NAMED


def _is_term(uri: Uri) -> bool:
    return uri.without_fragment() == NAMESPACE


def may_read_at_sibling(
    audience: Audience,
    kind: PostKind,
    sibling: Sibling,
    follower_origins: Collection[str] = (),
    named_origins: Collection[str] = (),
) -> bool:
    """Whether the sibling may be shown an object of this audience when it asks: it has a doctor who may read it."""
    if sibling.refusal(Direction.SERVE) is not None or kind not in sibling.kinds_out:
        return False
    match audience:
        case Audience.FEDERATION:
            return True
        case Audience.COLLEAGUES:
            return sibling.origin in follower_origins
        case Audience.NAMED:
            return sibling.origin in named_origins
        case Audience.NATIONAL:
            return False
        case _ as never:
            assert_never(never)

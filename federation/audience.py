"""Who may see an object, and which inboxes an activity about it goes to. Pure, and nothing here ever widens.

    addressing           an audience ─▶ the recipients that stand on the wire
    of_post              a post ─▶ its audience, or Refused
    sibling_inboxes      an audience ─▶ the inboxes at siblings, each once
    may_read_at_sibling  whether a sibling that asks may be shown it

Siblings, followers and the people named arrive as arguments; the rows they come from are the caller's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import assert_never

from federation.allowlist import Allowlist, Direction, Sibling
from federation.errors import Malformed, PublicAudience
from federation.uri import Uri
from federation.vocabulary import NAMESPACE, PUBLIC, VERIFIED_DOCTORS, Audience, Post, PostKind


@dataclass(frozen=True, slots=True)
class Reader:
    """A doctor at a sibling, and where messages for them go."""

    actor: Uri
    inbox: Uri
    shared_inbox: Uri | None = None


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


def sibling_inboxes(
    audience: Audience,
    allowlist: Allowlist,
    kind: PostKind | None,
    followers: Iterable[Reader] = (),
    named: Iterable[Reader] = (),
    *,
    own_origin: str,
    actor: Uri | None = None,
) -> tuple[Target, ...]:
    """Return the inboxes at siblings for an activity in this audience, each once (ActivityPub section 7.1).

    Only siblings open for *out* that take this kind (None: an activity about no post); never our own origin; the actor
    is left out (S6). One POST per shared inbox; a doctor without one is served in person (S10).
    """
    match audience:
        case Audience.FEDERATION:
            return tuple([_shared(sibling) for sibling in _open(allowlist, kind, own_origin)])
        case Audience.COLLEAGUES:
            readers = followers
        case Audience.NAMED:
            readers = named
        case Audience.NATIONAL:
            return ()
        case _ as never:
            assert_never(never)
    open_origins = {sibling.origin for sibling in _open(allowlist, kind, own_origin)}
    targets = [_of_reader(reader) for reader in readers if reader.actor != actor]
    return tuple(dict.fromkeys([target for target in targets if target and target.origin in open_origins]))


def _open(allowlist: Allowlist, kind: PostKind | None, own_origin: str) -> list[Sibling]:
    return [
        sibling
        for sibling in allowlist.open_to(Direction.OUT)
        if sibling.origin != own_origin and (kind is None or kind in sibling.kinds_out)
    ]


def _shared(sibling: Sibling) -> Target:
    """The sibling's shared inbox; DESIGN section 4 fixes where it lies if its actor has not been read yet."""
    return Target(sibling.origin, sibling.inbox or Uri.parse(sibling.origin + "/inbox"), True)


def _of_reader(reader: Reader) -> Target | None:
    """The shared inbox if there is one, else the reader's own; an inbox on another server than the reader is none."""
    inbox = reader.shared_inbox or reader.inbox
    if not inbox.same_origin(reader.actor):
        return None
    return Target(inbox.origin, inbox, reader.shared_inbox is not None)


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

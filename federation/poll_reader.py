"""Polls and votes out of nodes (FEP-9967). Every function returns a value or raises `Refused`."""

from __future__ import annotations

from typing import Final

from federation.errors import Malformed
from federation.integrity import Json
from federation.jsonld import as_list, one
from federation.nodes import Node, address, addresses, instant, instant_or_none, line, opaque, own, require_few, type_of
from federation.vocabulary import Poll, PollOption, Vote

#: What a poll of this federation offers, and how often one of them can have been chosen.
OPTIONS: Final = range(2, 9)
MAX_VOTES: Final = 1_000_000


def read_vote(node: Node) -> Vote:
    """Return the vote of a Note that has a name and no content (FEP-9967)."""
    require_few(node)
    choice = line(node, "name")
    if not choice:
        raise Malformed("a vote for nothing")
    return Vote(
        id=address(node, "id"),
        author=address(node, "attributedTo"),
        choice=choice,
        in_reply_to=address(node, "inReplyTo"),
        to=addresses(node, "to"),
        cc=addresses(node, "cc"),
        published=instant(node, "published"),
    )


def is_vote(node: Node) -> bool:
    """Whether a Note is a vote and no comment."""
    return node.get("name") is not None and node.get("content") is None and node.get("contentMap") is None


def read_poll(node: Node) -> Poll | None:
    """Return the poll of a post, if it has one; raise Malformed for one of another form."""
    found = one(node.get("poll"))
    if found is None:
        return None
    if not isinstance(found, dict) or type_of(found) != "Question" or found.get("anyOf") is not None:
        raise Malformed("a poll is a Question of which one answer is chosen")
    options = tuple([_option(item) for item in as_list(found.get("oneOf"))])
    if len(options) not in OPTIONS or len({option.name for option in options}) != len(options):
        raise Malformed("two to eight different options")
    return Poll(
        id=own(address(node, "id"), address(found, "id")),
        options=options,
        closes=instant_or_none(found, "endTime"),
        closed=instant_or_none(found, "closed"),
        updated=instant(found, "updated"),
        by_specialty=opaque(found, "votesBySpecialty"),
    )


def _option(item: Json) -> PollOption:
    if not isinstance(item, dict) or type_of(item) != "Note":
        raise Malformed("an option is a Note with a name")
    name = line(item, "name")
    if not name:
        raise Malformed("an option without a name")
    replies = one(item.get("replies"))
    votes = one(replies.get("totalItems")) if isinstance(replies, dict) else None
    if votes is not None and (type(votes) is not int or not 0 <= votes <= MAX_VOTES):
        raise Malformed("a number of votes that is none")
    return PollOption(name=name, votes=votes or 0)

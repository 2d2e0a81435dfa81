"""What siblings tell beside the text of a post, and what their doctors choose in our polls."""

from __future__ import annotations

import orjson

from federation.errors import Malformed, NoSuchOption, NotTheOwner, NotVisible, PollClosed
from federation.uri import Uri
from federation.vocabulary import Post, Vote
from instance.services import case_parts, circles, hearing, polls
from instance.services.case_parts import CLINICAL
from instance.services.effects import POLL_CLOSED, RESOLVED, Incoming
from instance.storage.store import Row, Transaction
from instance.times import to_ms


async def keep_vote(tx: Transaction, into: Incoming, vote: Vote) -> None:
    """Count a sibling's doctor in a poll of ours, once; raise where it has ended, or is nothing to this doctor.

    Missing and hidden are answered alike. Of two votes the one said later counts, in whichever order they come.
    """
    if into.author is None:
        raise NotTheOwner("an instance does not vote")
    poll = await tx.one("cases.poll_by_uri", uri=vote.in_reply_to)
    post = await tx.one("apply.post", uri=poll["post"]) if poll is not None else None
    if poll is None or post is None or not post["local"] or post["kind"] not in into.kinds_out:
        raise NotVisible(vote.in_reply_to)
    if not await circles.sees(tx, into, Uri.parse(post["uri"]), vote.author):
        raise NotVisible(vote.in_reply_to)
    if {*vote.to, *vote.cc} != {post["author"]}:
        raise Malformed("a vote is for the author of the poll alone")
    options = case_parts.options_of(poll)
    if vote.choice not in options:
        raise NoSuchOption
    await tx.take_turn(f"poll of {post['uri']}")
    poll = await tx.one("cases.poll_by_uri", uri=vote.in_reply_to)
    if poll is None or not polls.is_open(poll, into.now):
        raise PollClosed
    voter = {"uri": vote.author, "specialties": orjson.dumps(into.author.specialties).decode()}
    await polls.keep_vote(tx, post, voter, options.index(vote.choice), to_ms(vote.published), into.now)


async def keep_parts(tx: Transaction, post: Post) -> tuple[bool, bool]:
    """Keep the poll and the end of a case as far as they are newer; return whether the poll, and the case, just ended.

    The version of the text has no say in it: what is counted and how a case ended have versions of their own.
    """
    if post.kind not in CLINICAL:
        return False, False
    return await _keep_poll(tx, post), await _keep_end(tx, post)


async def tell_parts(tx: Transaction, into: Incoming, post: Post, ended: tuple[bool, bool]) -> None:
    """Tell our own doctors who hear of a post what has just ended in it."""
    poll, case = ended
    if poll:
        await hearing.tell(tx, into.now, post.id, POLL_CLOSED, into.instance, about=post.id, voters=True)
    if case:
        await hearing.tell(tx, into.now, post.id, RESOLVED, post.author, about=post.id)


async def _keep_poll(tx: Transaction, post: Post) -> bool:
    if post.poll is None:
        return False
    values, before = case_parts.poll_values(post.poll), await tx.one("cases.poll", post=post.id)
    if before is None:
        await tx.run("cases.add_poll", post=post.id, uri=post.poll.id, now=to_ms(post.published), **values)
        return False
    if not await tx.run("cases.change_poll", post=post.id, **values):
        return False
    return before["closed_at"] is None and values["closed_at"] is not None


async def _keep_end(tx: Transaction, post: Post) -> bool:
    found = case_parts.read_resolution(post.resolution)
    if found is None:
        return False
    before: Row | None = await tx.one("cases.resolution", post=post.id)
    solved_at = None if found.resolved is None else to_ms(found.resolved)
    kept = await tx.run(
        "cases.resolve", post=post.id, diagnosis=found.diagnosis, outcome=found.outcome, language=found.language,
        thanked=orjson.dumps(found.thanked).decode(), resolved_at=solved_at, updated_at=to_ms(found.updated),
    )  # fmt: skip
    if not kept:
        return False
    await tx.run("cases.set_solved", post=post.id, solved_at=solved_at)
    if solved_at is None:
        await tx.run("cases.drop_told", kind=RESOLVED, post=post.id)
    return solved_at is not None and (before is None or before["resolved_at"] is None)

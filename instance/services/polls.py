"""Polls on a diagnosis: asked by the author of a case, answered once by each doctor who may see it, counted at home.

A vote may be changed until the poll ends. It goes to the poll's home alone, signed by the voter, and is shown to nobody
but the voter; what is told is how often each option was chosen, and by which specialties.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation.delivery import Priority
from federation.uri import Uri
from federation.vocabulary import Create, PostKind, Vote
from instance.ids import new_ulid
from instance.services import acting, case_parts, effects, hearing, sending
from instance.services.case_telling import say_anew
from instance.services.errors import Missing, Rejected
from instance.services.poll_drafts import CheckedPoll, PollDraft, check_poll
from instance.services.sending import Message
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification.standing import Action

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    "poll_options", "poll_option_too_long", "poll_days", "poll_kind", "poll_there", "poll_closed", "no_such_option",
    "own_poll", "too_many_votes",
)  # fmt: skip
#: Siblings are told the numbers this seldom while a poll is open.
TOLD_EVERY: Final = timedelta(minutes=10)
_AT_ONCE: Final = 100


class Polls:
    """Asking, voting, ending."""

    _node: Node

    async def attach_poll(self, doctor_uri: str, slug: str, draft: PollDraft) -> None:
        """Add a poll to an own case that has none; siblings are told."""
        await acting.doctor(self._node, doctor_uri, Action.POST)
        post = await self._own_post(doctor_uri, slug)
        if (checked := check_poll(draft, PostKind(post["kind"]))) is None:
            raise Rejected("poll_options", "poll_options")

        async def work(tx: Transaction) -> None:
            if not await keep_poll(self._node, tx, post["uri"], checked, self._node.clock()):
                raise Rejected("poll_there", "poll_options", status=409)
            await say_anew(self._node, tx, post["uri"])

        await self._write(work)

    async def close_poll(self, doctor_uri: str, slug: str) -> None:
        """End an own poll now; whoever follows the case or has voted is told. Twice is once."""
        await acting.doctor(self._node, doctor_uri, Action.EDIT)
        post = await self._own_post(doctor_uri, slug)

        async def work(tx: Transaction) -> None:
            if await close(self._node, tx, post["uri"], by=doctor_uri):
                await tell_numbers(self._node, tx, post["uri"])

        await self._write(work)

    async def vote(self, doctor_uri: str, slug: str, choice: str) -> None:
        """Vote, or vote anew. Raises Rejected for a poll that has ended, Missing where there is none to be seen."""
        voter = await acting.doctor(self._node, doctor_uri, Action.VOTE)
        post = await self._visible_post(doctor_uri, slug)
        if post["author"] == doctor_uri:
            raise Rejected("own_poll", status=409)
        targets = [] if post["local"] else _home(self._node, post)

        async def work(tx: Transaction) -> None:
            await tx.take_turn(f"poll of {post['uri']}")
            row = await tx.one("cases.poll", post=post["uri"])
            if row is None or await tx.one("posts.visible", slug=slug, reader=doctor_uri) is None:
                raise Missing()
            options = case_parts.options_of(row)
            place = option_at(choice, options)
            require_open(row, self._node.clock())
            before = await tx.one("cases.vote_of", post=post["uri"], voter=doctor_uri)
            if before is not None and before["choice"] == place:
                return
            await acting.once(self._node, tx, doctor_uri, "vote", "", slug)
            said = _later(self._node.clock(), before)
            await keep_vote(tx, post, voter, place, said, self._node.clock())
            if targets:
                await self._send_vote(tx, doctor_uri, post, row, options[place], said, targets)

        await self._write(work)

    async def _send_vote(
        self, tx: Transaction, voter: str, post: Row, poll: Row, choice: str, at: int, targets: Sequence[Any]
    ) -> None:
        word = Vote(
            id=Uri.parse(f"{self._node.origin}/votes/{new_ulid(self._node.clock())}"), author=Uri.parse(voter),
            choice=choice, in_reply_to=Uri.parse(poll["uri"]), to=(Uri.parse(post["author"]),), published=from_ms(at),
        )  # fmt: skip
        activity = Create(
            id=sending.activity_id(self._node), actor=word.author, to=word.to, published=word.published, object=word
        )
        # Under the post's address: what waits goes with the post.
        await sending.send(self._node, tx, Message(activity, Uri.parse(post["uri"]), "named", Priority.NAMED), targets)

    async def _write(self, work: Any) -> None:
        await self._node.store.write(work)
        self._node.wake.deliveries.set()

    if TYPE_CHECKING:

        async def _own_post(self, doctor_uri: str, slug: str) -> Row: ...

        async def _visible_post(self, doctor_uri: str, slug: str) -> Row: ...


# ── rows ──


async def keep_poll(node: Node, tx: Transaction, uri: str, checked: CheckedPoll, now: datetime) -> bool:
    """Write a new poll down; return whether there was none."""
    closes = checked.closes(now)
    return bool(
        await tx.run(
            "cases.add_poll",
            post=uri,
            uri=f"{uri}/poll",
            options=orjson.dumps(list(checked.options)).decode(),
            closes_at=None if closes is None else to_ms(closes),
            closed_at=None,
            now=to_ms(now),
            updated_at=to_ms(now),
            totals="[]",
            by_specialty="{}",
        )
    )


async def keep_vote(tx: Transaction, post: Row, voter: Row, choice: int, said: int, now: datetime) -> None:
    """Count a vote under what the voter was verified in first."""
    specialty = next(iter(json.loads(voter["specialties"])), "")
    kept = await tx.run("cases.vote", post=post["uri"], voter=voter["uri"], choice=choice, specialty=specialty, at=said)
    if kept and post["local"]:
        await tx.run("cases.voted", post=post["uri"], now=to_ms(now))


def option_at(choice: str, options: Sequence[str]) -> int:
    """Return the place a form names; raise Rejected where nothing stands there."""
    if not (choice.isascii() and choice.isdigit() and len(choice) == 1 and int(choice) < len(options)):
        raise Rejected("no_such_option", "choice")
    return int(choice)


def is_open(row: Row, now: datetime) -> bool:
    """Whether a poll takes votes now."""
    return row["closed_at"] is None and (row["closes_at"] is None or to_ms(now) < row["closes_at"])


def require_open(row: Row, now: datetime) -> None:
    """Raise Rejected where the poll has ended."""
    if not is_open(row, now):
        raise Rejected("poll_closed", status=409)


async def drop_outsiders(tx: Transaction, slug: str, uri: str, now: datetime) -> None:
    """Forget the votes of those who may not see the post any more."""
    for row in await tx.all("cases.voters", post=uri):
        if await tx.one("posts.visible", slug=slug, reader=row["voter"]) is None:
            await tx.run("cases.drop_vote", post=uri, voter=row["voter"])
            await tx.run("cases.voted", post=uri, now=to_ms(now))


async def forget_votes_of(tx: Transaction, voter: str, now: int) -> None:
    """Forget what a doctor who is gone has chosen; what was counted of it is told anew."""
    for row in await tx.all("cases.polls_voted_in", voter=voter):
        await tx.run("cases.voted", post=row["post"], now=now)
    await tx.run("cases.drop_votes_by", voter=voter)


# ── numbers ──


async def close(node: Node, tx: Transaction, uri: str, *, by: str = "") -> bool:
    """End a poll; return whether it was open. Whoever ended it knows; the others hear it of the instance."""
    await tx.take_turn(f"poll of {uri}")
    now = node.clock()
    if not await tx.run("cases.close_poll", post=uri, now=to_ms(now)):
        return False
    await hearing.tell(tx, now, uri, effects.POLL_CLOSED, node.actor, about=uri, voters=True, but=by)
    return True


async def tell_numbers(node: Node, tx: Transaction, uri: str) -> None:
    """Tell siblings what the votes come to, under a new version."""
    row = await tx.one("cases.poll", post=uri)
    if row is None:
        return
    now = to_ms(node.clock())
    await tx.run(
        "cases.poll_told", post=uri, now=now, updated_at=max(now, row["updated_at"] + 1), seen=row["voted_at"] or 0
    )
    await say_anew(node, tx, uri)


async def tick(node: Node) -> int:
    """End polls whose time has come, and tell the numbers of those that have changed; return how many were told."""
    now = node.clock()
    for row in await node.store.all("cases.polls_to_close", now=to_ms(now), most=_AT_ONCE):

        async def end(tx: Transaction, uri: str = row["post"]) -> None:
            await close(node, tx, uri)

        await node.store.write(end)
    due = await node.store.all("cases.polls_to_tell", before=to_ms(now - TOLD_EVERY), most=_AT_ONCE)
    for row in due:

        async def say(tx: Transaction, uri: str = row["post"]) -> None:
            await tx.take_turn(f"poll of {uri}")
            await tell_numbers(node, tx, uri)

        await node.store.write(say)
    if due:
        node.wake.deliveries.set()
    return len(due)


def _home(node: Node, post: Row) -> Sequence[Any]:
    targets = sending.of_doctors(node, [{"origin": post["origin"]}], PostKind(post["kind"]))
    if not targets:
        raise Rejected("sibling_closed", status=409)
    return targets


def _later(now: datetime, before: Row | None) -> int:
    """The time of a vote: later than the last one, or the home would take it for an old one come late."""
    return max(to_ms(now), before["at"] + 1 if before is not None else 0)

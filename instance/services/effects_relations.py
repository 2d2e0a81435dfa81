"""Follows, thanks, recommendations and reports: what stands between two doctors, or between a doctor and a post."""

from __future__ import annotations

from typing import Final

from federation.errors import AudienceWidened, NoSuchRelation, NotTheOwner, NotVisible
from federation.uri import Uri
from federation.vocabulary import VERIFIED_DOCTORS, Accept, Announce, Audience, Flag, Follow, Like, Reject, Undo
from instance.ids import new_ulid
from instance.services import circles, contact
from instance.services.circles import Circles
from instance.services.effects import (
    FOLLOW_ACCEPTED,
    FOLLOW_ASKED,
    FOLLOWED,
    LIKE,
    RECOMMENDED,
    REPORTED,
    Effects,
    Incoming,
    is_withdrawn,
    notify,
    withdraw,
)
from instance.services.forwarding import Answers
from instance.storage.store import Row, Transaction

#: What an Undo may take back, in the order in which it is looked for: by id, and how it goes.
_UNDOABLE: Final = (
    ("apply.like_by_id", "actor", "apply.drop_like"),
    ("apply.recommendation_by_id", "actor", "apply.drop_recommendation"),
    ("apply.follow_by_id", "follower", "apply.drop_follow"),
)
#: The notices that go with them.
_NOTICES: Final = (LIKE, RECOMMENDED, FOLLOWED, FOLLOW_ASKED)


class RelationEffects:
    """Effects of Follow, Accept, Reject, Undo, Like, Announce and Flag."""

    def __init__(self, origin: str, answers: Answers, circles: Circles) -> None:
        self._origin, self._answers, self._circles = origin, answers, circles

    # ── follows ──

    async def follow(self, tx: Transaction, into: Incoming, follow: Follow, effects: Effects) -> None:
        """Answer at once where no yes is waited for; who is blocked, or outside the contact rule, gets a no.

        A rule is for who asks anew: whoever follows already is answered with a yes again.
        """
        followee = await tx.one("apply.own_doctor", uri=follow.object)
        if followee is None:
            raise NotVisible("nobody of ours")
        if await is_withdrawn(tx, into, follow.id):
            return
        same = await tx.one("apply.follow_by_id", id=follow.id)
        if same is not None and (same["follower"], same["followee"]) != (follow.actor, follow.object):
            raise NotTheOwner("the id is another's")
        if await tx.one("apply.blocked", doctor=follow.object, blocked=follow.actor) is not None:
            await self._answers.queue(tx, into, Reject, effects)
            return
        waits = bool(followee["approves_followers"])
        before = await tx.one("apply.follow_state", follower=follow.actor, followee=follow.object)
        if (before is None or before["state"] == "rejected") and not await contact.takes_follow(
            tx, follow.object, follow.actor
        ):
            await self._answers.queue(tx, into, Reject, effects)
            return
        await tx.run(
            "apply.ask", follower=follow.actor, followee=follow.object, id=follow.id,
            state="pending" if waits else "accepted", now=into.now_ms, answered_at=None if waits else into.now_ms,
        )  # fmt: skip
        state = await tx.one("apply.follow_state", follower=follow.actor, followee=follow.object)
        if state is not None and state["state"] == "accepted":
            await self._answers.queue(tx, into, Accept, effects)
            await self._circles.regained(tx, follow.object, into.origin)
        if before is None or before["state"] != "accepted":
            await notify(tx, into, [follow.object], FOLLOW_ASKED if waits else FOLLOWED)

    async def answered(self, tx: Transaction, into: Incoming, answer: Accept | Reject) -> None:
        """Settle a Follow of ours; raise NoSuchRelation for an answer to what nobody asked, or asked of another."""
        follow = await tx.one("apply.follow_by_id", id=answer.object)
        ours = follow is not None and follow["follower"].startswith(self._origin + "/")
        if follow is None or not ours or follow["followee"] != answer.actor:
            raise NoSuchRelation(answer.object)
        accepted = isinstance(answer, Accept)
        if follow["state"] == "rejected" and accepted:
            raise NoSuchRelation("rejected before")
        state = "accepted" if accepted else "rejected"
        if follow["state"] == state:
            return
        await tx.run("apply.answer", id=answer.object, state=state, now=into.now_ms)
        if accepted:
            await notify(tx, into, [follow["follower"]], FOLLOW_ACCEPTED)

    async def undo(self, tx: Transaction, into: Incoming, undo: Undo) -> None:
        """Take back the actor's own Follow, Like or Announce; what has not come yet will not count (F23)."""
        for find, owner, drop in _UNDOABLE:
            row = await tx.one(find, id=undo.object)
            if row is None:
                continue
            if row[owner] != undo.actor:
                raise NotTheOwner("what is undone is another's")
            await tx.run(drop, id=undo.object)
            if row.get("state") == "accepted":
                await circles.left(tx, into, row["followee"])
            about = row.get("object", row.get("post", ""))
            await tx.run("notifications.mark_about", object=about, now=into.now_ms)
            for kind in _NOTICES:
                await tx.run("apply.drop_notice", kind=kind, actor=undo.actor, object=about)
            return
        if await self._post_of(tx, undo.object) is not None or await tx.one("apply.comment", uri=undo.object):
            raise NotTheOwner("posts and answers are withdrawn by Delete, not undone")
        await withdraw(tx, into, undo.object, "")

    # ── thanks and recommendations ──

    async def like(self, tx: Transaction, into: Incoming, like: Like) -> None:
        """Keep a doctor's thanks for what they can see."""
        if await is_withdrawn(tx, into, like.id):
            return
        post = await self._post_of(tx, like.object)
        await self._require_visible(tx, into, like.object, post, like.actor)
        kept = await tx.run("apply.add_like", actor=like.actor, object=like.object, id=like.id, now=into.now_ms)
        if kept and post is not None:
            owner = await tx.one("apply.comment", uri=like.object) or post
            await notify(tx, into, self._ours(owner["author"]), LIKE, post=post["slug"], about=like.object)

    async def announce(self, tx: Transaction, into: Incoming, announce: Announce) -> None:
        """Keep a recommendation inside the audience the post has; it never shows the post to anybody else (N3)."""
        if await is_withdrawn(tx, into, announce.id):
            return
        post = await tx.one("apply.post", uri=announce.object)
        await self._require_visible(tx, into, announce.object, post, announce.actor)
        if post is not None and post["audience"] != Audience.FEDERATION:
            if VERIFIED_DOCTORS in announce.to or VERIFIED_DOCTORS in announce.cc:
                raise AudienceWidened(announce.object)
            if not await circles.sees(tx, into, announce.object, announce.actor):
                return
        kept = await tx.run(
            "apply.add_recommendation", actor=announce.actor, post=announce.object, id=announce.id, now=into.now_ms
        )
        if kept and post is not None:
            await notify(tx, into, self._ours(post["author"]), RECOMMENDED, post=post["slug"], about=announce.object)

    async def _post_of(self, tx: Transaction, uri: Uri) -> Row | None:
        """The post with this id, or the post of the comment with this id."""
        comment = await tx.one("apply.comment", uri=uri)
        return await tx.one("apply.post", uri=comment["post"] if comment is not None else uri)

    async def _require_visible(self, tx: Transaction, into: Incoming, uri: Uri, post: Row | None, doctor: Uri) -> None:
        """Raise NotVisible where a thing is ours and closed to the doctor: missing and hidden are answered alike."""
        thread = Uri.parse(post["uri"]) if post is not None else uri
        if thread.origin == self._origin and not await circles.sees(tx, into, thread, doctor):
            raise NotVisible(uri)
        if post is not None and post["local"] and post["kind"] not in into.kinds_out:
            raise NotVisible(uri)
        if post is None and uri.origin == self._origin:
            raise NotVisible(uri)

    # ── reports ──

    async def flag(self, tx: Transaction, into: Incoming, flag: Flag) -> None:
        """Open a report on what is ours, and tell the moderators."""
        for uri in flag.objects:
            post = await self._post_of(tx, uri) if uri.origin == self._origin else None
            if post is None:
                continue
            await tx.run(
                "apply.add_report", id=new_ulid(into.now), object=uri, by_whom=flag.actor, reason=flag.reason,
                now=into.now_ms,
            )  # fmt: skip
            for row in await tx.all("apply.moderators"):
                await notify(tx, into, [row["doctor"]], REPORTED, post=post["slug"], about=uri)

    def _ours(self, doctor: str) -> list[str]:
        return [doctor] if doctor.startswith(self._origin + "/") else []

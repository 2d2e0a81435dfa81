"""The effects of what our own doctors said before older rows were put back: as if they said it again, by the same ids.

What was withdrawn stays withdrawn, in whichever order it comes. What an instance says of its doctors (credentials,
keys, standing) is not taken back: that is decided again by people (docs/operate/backup.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, assert_never

from federation import audience, html
from federation.allowlist import Sibling
from federation.audience import Target
from federation.delivery import Priority
from federation.errors import Malformed, PublicAudience
from federation.uri import Uri
from federation.vocabulary import (
    VERIFIED_DOCTORS,
    Accept,
    Announce,
    AnyActivity,
    Audience,
    Comment,
    Create,
    Delete,
    Doctor,
    Flag,
    Follow,
    Ignored,
    Instance,
    Like,
    Move,
    Post,
    PostKind,
    Reject,
    Undo,
    Update,
    Vote,
)
from instance.ids import new_ulid
from instance.outbox import Repeat
from instance.services import asking, bulletins, case_parts, effects_cases, notices, polls, sending
from instance.services.asking import Asking
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification import clinical

if TYPE_CHECKING:
    from instance.wiring import Node

#: What an Undo may take back: how it is found, whose it is, and how it goes.
_UNDOABLE: Final = (
    ("apply.like_by_id", "actor", "apply.drop_like"),
    ("apply.recommendation_by_id", "actor", "apply.drop_recommendation"),
    ("apply.follow_by_id", "follower", "apply.drop_follow"),
)


class TakenBack:
    """Callable: one activity of a doctor of ours, proved to be theirs, in one transaction."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, tx: Transaction, activity: AnyActivity, body: bytes, sibling: Sibling, inbox: Uri) -> bool:
        """Write the effect and offer it again; return whether it was news.

        `sibling` is where it was received, `inbox` to which it was sent.
        """
        about = _about(activity)
        if isinstance(activity, Create | Update) and isinstance(activity.object, Post | Comment):
            # Whoever showed it holds a copy: what is withdrawn from now on is withdrawn there.
            await tx.run("copies.add", object=about, origin=sibling.origin, at=self._now)
            shown = {"object": about, "origin": sibling.origin, "activity": activity.id}
            await tx.run("copies.shown", **shown, now=self._now)
        if await self._say_withdrawn(tx, activity, about, sibling):
            return False
        if await tx.one("activities.get", uri=activity.id) is not None:
            return False
        told = await self._effect(tx, activity, inbox)
        if told is None:
            return False
        await self._node.outbox.publish(
            tx, activity, body=body, targets=told, audience=_reach(activity), object=about,
            priority=Priority.WITHDRAWAL if isinstance(activity, Delete | Undo) else Priority.REST,
        )  # fmt: skip
        return True

    @property
    def _now(self) -> int:
        return to_ms(self._node.clock())

    async def _say_withdrawn(self, tx: Transaction, activity: AnyActivity, about: Uri, sibling: Sibling) -> bool:
        """Tell a sibling that shows what was withdrawn, for it holds that still; return whether it was withdrawn."""
        thing = about if isinstance(activity, Create | Update) else activity.id
        if await tx.one("apply.tombstone", uri=thing) is None:
            return False
        said = await tx.one("logs.withdrawal", object=thing, actor=activity.actor)
        targets = sending.of_holders(self._node, {sibling.origin})
        if said is not None and targets:
            repeat = Repeat(Uri.parse(said["uri"]), Uri.parse(said["actor"]), thing, Priority.WITHDRAWAL)
            await self._node.outbox.say_again(tx, repeat, targets[0])
        elif isinstance(activity, Create | Update):
            gone = Delete(
                id=sending.activity_id(self._node), actor=activity.actor, published=self._node.clock(), object=thing
            )
            await sending.send(self._node, tx, sending.Message(gone, thing, "", Priority.WITHDRAWAL), targets)
        return True

    async def _effect(self, tx: Transaction, activity: AnyActivity, inbox: Uri) -> Sequence[Target] | None:
        """Write it; return whom it is for beside the holders of copies, and None for what is not taken back."""
        match activity:
            case Create(object=thing):
                if isinstance(thing, Vote):
                    return await self._vote(tx, thing)
                return await (self._post(tx, thing) if isinstance(thing, Post) else self._comment(tx, thing))
            case Update(object=thing):
                return await self._changed(tx, thing)
            case Delete(object=uri):
                return await self._withdrawn(tx, activity.actor, uri)
            case Follow():
                return await self._follow(tx, activity)
            case Accept() | Reject():
                return await self._answer(tx, activity, inbox)
            case Undo():
                return await self._undone(tx, activity)
            case Like():
                return await self._like(tx, activity)
            case Announce():
                return await self._recommendation(tx, activity)
            case Flag() | Move() | Ignored():
                return None
            case _ as never:
                assert_never(never)

    # ── words ──

    async def _changed(
        self, tx: Transaction, thing: Post | Comment | Doctor | Instance | Uri
    ) -> Sequence[Target] | None:
        match thing:
            case Post():
                return await self._post_changed(tx, thing)
            case Comment():
                return await self._comment_changed(tx, thing)
            case _:
                return None

    async def _post(self, tx: Transaction, post: Post) -> Sequence[Target] | None:
        author = await tx.one("people.standing", uri=post.author)
        slug = post.id.rpartition("/")[2]
        if author is None or await self._is_withdrawn(tx, post.id) or await tx.one("posts.by_uri", uri=post.id):
            return None
        now = to_ms(post.published)
        await tx.run(
            "posts.add", uri=post.id, slug=slug, origin=self._node.origin, author=post.author,
            role_then=author["role"], context=post.context or f"{post.id}/context", now=now,
            **_columns(post, author),
        )  # fmt: skip
        await self._lists(tx, post, author, now)
        await self._beside(tx, post)
        return await self._circle(tx, post, author)

    async def _beside(self, tx: Transaction, post: Post) -> None:
        """What stands beside its text: the coded summary, the poll, the end of the case."""
        before = await tx.one("cases.facts", post=post.id)
        facts = case_parts.facts_with(
            before["facts"] if before is not None else "{}", clinical.read(post.clinical_summary)
        )
        await tx.run("cases.set_facts", post=post.id, facts=facts)
        await effects_cases.keep_parts(tx, post)

    async def _post_changed(self, tx: Transaction, post: Post) -> Sequence[Target] | None:
        author, before = await tx.one("people.standing", uri=post.author), await tx.one("posts.by_uri", uri=post.id)
        if author is None:
            return None
        at = to_ms(post.updated or post.published)
        if before is None:
            added = await self._post(tx, post)
            if added is not None and at > to_ms(post.published):
                values = _columns(post, author)
                await tx.run("posts.change", uri=post.id, now=at, audience_before=values["audience"], seen=0, **values)
            return added
        if at <= (before["updated_at"] or before["published_at"]):
            await effects_cases.keep_parts(tx, post)
            return None
        await tx.run("posts.add_version", id=new_ulid(self._node.clock()), object=post.id)
        await tx.run(
            "posts.change", uri=post.id, now=at, audience_before=before["audience"], seen=before["updated_at"] or 0,
            **_columns(post, author),
        )  # fmt: skip
        await tx.run("posts.drop_specialties", post=post.id)
        await tx.run("posts.drop_mentions", object=post.id)
        await self._lists(tx, post, author, before["published_at"])
        await self._beside(tx, post)
        return await self._circle(tx, post, author)

    async def _lists(self, tx: Transaction, post: Post, author: Row, sort_at: int) -> None:
        for slug in post.specialties:
            await tx.run(
                "posts.add_specialty",
                specialty=slug,
                post=post.id,
                sort_at=sort_at,
                bulletin=bulletins.filed(post.kind),
            )  # fmt: skip
        reach = _audience(post, author)
        for doctor in _named(post) if reach is Audience.NAMED else _asked(post):
            await tx.run("posts.add_mention", object=post.id, doctor=doctor)
        question = Asking(
            uri=post.id, kind=post.kind.value, audience=reach.value, specialties=post.specialties,
            country=post.asked_country, published=post.published,
        )  # fmt: skip
        await asking.ask(tx, question, self._node.clock())

    async def _circle(self, tx: Transaction, post: Post, author: Row) -> list[Target]:
        match _audience(post, author):
            case Audience.FEDERATION:
                return sending.of_federation(self._node, post.kind)
            case Audience.NAMED:
                return sending.of_doctors(self._node, [{"origin": one.origin} for one in _named(post)], post.kind)
            case _:
                followers = await tx.all("posts.followers", doctor=post.author)
                return sending.of_doctors(self._node, followers, post.kind)

    async def _vote(self, tx: Transaction, vote: Vote) -> Sequence[Target] | None:
        """What our doctor chose in a poll that is here; its home has it, or gets it again."""
        voter, poll = await tx.one("people.standing", uri=vote.author), await tx.one(
            "cases.poll_by_uri", uri=vote.in_reply_to
        )  # fmt: skip
        post = None if poll is None else await tx.one("posts.by_uri", uri=poll["post"])
        if voter is None or poll is None or post is None or vote.choice not in case_parts.options_of(poll):
            return None
        place = case_parts.options_of(poll).index(vote.choice)
        await polls.keep_vote(tx, post, voter, place, to_ms(vote.published), self._node.clock())
        return await self._personal(tx, Uri.parse(post["author"]))

    async def _comment(self, tx: Transaction, comment: Comment) -> Sequence[Target] | None:
        author = await tx.one("people.standing", uri=comment.author)
        if author is None or await self._is_withdrawn(tx, comment.id):
            return None
        if await tx.one("comments.by_uri", uri=comment.id) is not None:
            return None
        await tx.run(
            "comments.add", uri=comment.id, slug=comment.id.rpartition("/")[2], origin=self._node.origin,
            post=comment.context, parent=comment.in_reply_to, author=comment.author, content=comment.content,
            source=html.plain(comment.content), language=comment.language, role_then=author["role"],
            now=to_ms(comment.published),
        )  # fmt: skip
        if comment.note_kind:
            await tx.run("cases.goes_on", uri=comment.id)
        await self._name(tx, comment)
        await tx.run("comments.recount", post=comment.context)
        return await self._thread(tx, comment)

    async def _comment_changed(self, tx: Transaction, comment: Comment) -> Sequence[Target] | None:
        before, at = await tx.one("comments.by_uri", uri=comment.id), to_ms(comment.updated or comment.published)
        if before is None:
            added = await self._comment(tx, comment)
            before = await tx.one("comments.by_uri", uri=comment.id)
            if added is None or before is None:
                return None
        if at > (before["updated_at"] or before["published_at"]):
            await tx.run(
                "comments.change", uri=comment.id, content=comment.content, source=html.plain(comment.content),
                language=comment.language, now=at, seen=before["updated_at"] or 0,
            )  # fmt: skip
            await tx.run("posts.drop_mentions", object=comment.id)
            await self._name(tx, comment)
        return await self._thread(tx, comment)

    async def _name(self, tx: Transaction, comment: Comment) -> None:
        for person in comment.mentions:
            await tx.run("posts.add_mention", object=comment.id, doctor=person.href)

    async def _thread(self, tx: Transaction, comment: Comment) -> list[Target]:
        """Where an answer goes: the circle of its post; the home of a post that is not here passes it on."""
        post = await tx.one("comments.post", uri=comment.context)
        home = comment.context.origin
        if post is None:
            return self._addressed(comment)
        kind = PostKind(post["kind"])
        match Audience(post["audience"]):
            case Audience.FEDERATION:
                return sending.of_federation(self._node, kind)
            case Audience.NAMED:
                named = [row["doctor"] for row in await tx.all("serving.named", object=post["uri"])]
                homes = [{"origin": Uri.parse(uri).origin} for uri in (*named, post["author"])]
                return sending.of_doctors(self._node, homes, kind)
            case Audience.COLLEAGUES:
                if not post["local"]:
                    return sending.of_doctors(self._node, [{"origin": home}], kind)
                return sending.of_doctors(self._node, await tx.all("posts.followers", doctor=post["author"]), kind)
            case _:
                return []

    def _addressed(self, comment: Comment) -> list[Target]:
        """Whom an answer itself names, where its post is not here: its home, and whoever is sent posts of every kind
        that anybody sends or is sent; of which kind this one is, nobody knows here."""
        home = sending.of_holders(self._node, {comment.context.origin} - {self._node.origin})
        named = [{"origin": uri.origin} for uri in comment.to if uri != VERIFIED_DOCTORS]
        wide = VERIFIED_DOCTORS in comment.to
        kinds = {kind for each in self._node.allowlist() for kind in (*each.kinds_in, *each.kinds_out)}
        told = [
            {*sending.of_doctors(self._node, named, kind), *(sending.of_federation(self._node, kind) if wide else ())}
            for kind in sorted(kinds) or PostKind
        ]
        others = set.intersection(*told) - set(home)
        return [*home, *sorted(others, key=lambda target: target.origin)]

    async def _withdrawn(self, tx: Transaction, actor: Uri, uri: Uri) -> Sequence[Target] | None:
        """A withdrawal wins over whatever comes before or after it."""
        if uri == actor or uri.origin != self._node.origin:
            return None
        post, comment = await tx.one("posts.by_uri", uri=uri), await tx.one("comments.by_uri", uri=uri)
        owned = post or comment
        if owned is not None and owned["author"] != actor:
            return None
        await tx.run(
            "posts.add_tombstone", uri=uri, origin=self._node.origin, actor=actor,
            former_type="Article" if "/posts/" in uri else "Note", now=self._now,
        )  # fmt: skip
        await sending.forget_object(tx, uri, self._now)
        if post is not None:
            await tx.run("posts.remove", uri=uri)
            for answer in await tx.all("posts.foreign_comments", post=uri):
                await sending.forget_object(tx, answer["uri"], self._now)
            await tx.run("posts.drop_foreign_comments", post=uri)
            await tx.run("posts.drop_recommendations", object=uri)
            await notices.take_back_of_post(tx, post["slug"], from_ms(self._now))
        elif comment is not None:
            await tx.run("comments.remove", uri=uri)
            await tx.run("comments.recount", post=comment["post"])
        return ()

    # ── relations ──

    async def _follow(self, tx: Transaction, follow: Follow) -> Sequence[Target] | None:
        if await self._is_withdrawn(tx, follow.id):
            return None
        await tx.run(
            "follows.ask", follower=follow.actor, followee=follow.object, id=follow.id, state="pending",
            now=to_ms(follow.published) if follow.published else self._now, answered_at=None,
        )  # fmt: skip
        return await self._personal(tx, follow.object)

    async def _answer(self, tx: Transaction, answer: Accept | Reject, inbox: Uri) -> Sequence[Target] | None:
        """What our doctor answered; the question itself comes again in its sender's log."""
        state = "accepted" if isinstance(answer, Accept) else "rejected"
        follow = await tx.one("apply.follow_by_id", id=answer.object)
        if follow is not None and follow["followee"] == answer.actor:
            await tx.run("apply.answer", id=answer.object, state=state, now=self._now)
            return await self._personal(tx, Uri.parse(follow["follower"]))
        asked_by = await tx.one("deliveries.owner_of_inbox", origin=inbox.origin, inbox=inbox)
        if follow is not None or asked_by is None or await self._is_withdrawn(tx, answer.object):
            return None
        await tx.run(
            "apply.ask", follower=asked_by["uri"], followee=answer.actor, id=answer.object, state=state, now=self._now,
            answered_at=self._now,
        )  # fmt: skip
        return await self._personal(tx, Uri.parse(asked_by["uri"]))

    async def _undone(self, tx: Transaction, undo: Undo) -> Sequence[Target] | None:
        for find, owner, drop in _UNDOABLE:
            row = await tx.one(find, id=undo.object)
            if row is None:
                continue
            if row[owner] != undo.actor:
                return None
            await tx.run(drop, id=undo.object)
            other = Uri.parse(row.get("followee") or row.get("object") or row.get("post"))
            heard = [row["origin"] for row in await tx.all("logs.sent_to", activity=undo.object)]
            return [*await self._owner(tx, other), *sending.of_holders(self._node, heard)]
        await tx.run(
            "posts.add_tombstone", uri=undo.object, origin=self._node.origin, actor=undo.actor, former_type="",
            now=self._now,
        )  # fmt: skip
        return ()

    async def _like(self, tx: Transaction, like: Like) -> Sequence[Target] | None:
        if await self._is_withdrawn(tx, like.id):
            return None
        await tx.run("posts.like", actor=like.actor, object=like.object, id=like.id, now=self._now)
        return await self._owner(tx, like.object)

    async def _recommendation(self, tx: Transaction, announce: Announce) -> Sequence[Target] | None:
        post = await tx.one("posts.by_uri", uri=announce.object)
        if await self._is_withdrawn(tx, announce.id):
            return None
        await tx.run("posts.recommend", actor=announce.actor, post=announce.object, id=announce.id, now=self._now)
        wide = post is not None and post["audience"] == Audience.FEDERATION
        return sending.of_federation(self._node, PostKind(post["kind"])) if wide and post is not None else ()

    # ── parts ──

    async def _is_withdrawn(self, tx: Transaction, uri: Uri) -> bool:
        return await tx.one("apply.tombstone", uri=uri) is not None

    async def _personal(self, tx: Transaction, doctor: Uri) -> list[Target]:
        row = await tx.one("directory.doctor", uri=doctor)
        return sending.personal_if_open(self._node, row) if row is not None else []

    async def _owner(self, tx: Transaction, thing: Uri) -> list[Target]:
        """The inbox of whoever wrote a thing, or of the doctor it names."""
        row = await tx.one("posts.by_uri", uri=thing) or await tx.one("comments.by_uri", uri=thing)
        return await self._personal(tx, Uri.parse(row["author"]) if row is not None else thing)


def _about(activity: Any) -> Uri:
    """The post, comment or doctor an activity is about, as its delivery names it."""
    thing = getattr(activity, "object", activity.id)
    return thing if isinstance(thing, Uri) else Uri.parse(thing.id)


def _reach(activity: Any) -> str:
    """The audience as the outbox names it; relations have none."""
    thing = getattr(activity, "object", None)
    if not isinstance(thing, Post | Comment):
        return ""
    return Audience.FEDERATION.value if any("VerifiedDoctors" in uri for uri in thing.to) else ""


def _audience(post: Post, author: Row) -> Audience:
    try:
        return audience.of_post(post, Uri.parse(author["followers"]))
    except (Malformed, PublicAudience):
        return Audience.NAMED


def _named(post: Post) -> list[Uri]:
    return [uri for uri in dict.fromkeys((*post.to, *post.cc)) if uri != post.author]


def _asked(post: Post) -> list[Uri]:
    """Whom a question asks by name."""
    asked = post.mentions if post.kind is PostKind.QUESTION else ()
    return [uri for uri in dict.fromkeys(each.href for each in asked) if uri != post.author]


def _columns(post: Post, author: Row) -> dict[str, Any]:
    return {
        "kind": post.kind.value, "title": post.title, "content": post.content, "source": html.plain(post.content),
        "language": post.language, "specialties": json.dumps(list(post.specialties)),
        "audience": _audience(post, author).value, **bulletins.columns(post),
    }  # fmt: skip

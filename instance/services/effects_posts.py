"""Posts and comments of siblings' doctors: kept, changed, withdrawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from federation import audience
from federation.errors import AudienceWidened, KindNotFederated, Malformed, NotTheOwner, NotVisible
from federation.uri import Uri
from federation.vocabulary import Audience, Comment, Post, PostKind
from instance.ids import new_ulid
from instance.services import asking, bulletins, circles, effects_cases, hearing, polls, sending
from instance.services.asking import Asking
from instance.services.effects import (
    ANSWER,
    ASKED,
    CASE_ANSWER,
    CASE_UPDATE,
    MENTION,
    NAMED,
    REPLY,
    Effects,
    Incoming,
    is_withdrawn,
    milliseconds,
    notify,
    withdraw,
)
from instance.services.forwarding import Forwarding
from instance.storage.store import Row, Transaction
from instance.times import to_ms

#: From the widest to the narrowest; an Update may only go down.
_WIDTH: Final = {"federation": 2, "colleagues": 1, "named": 0}


class PostEffects:
    """Effects of Create, Update and Delete."""

    def __init__(self, origin: str, forwarding: Forwarding) -> None:
        self._origin, self._forwarding = origin, forwarding

    # ── posts ──

    async def keep_post(self, tx: Transaction, into: Incoming, post: Post) -> None:
        """Keep a new post, or a new version of one that never came."""
        before = await tx.one("apply.before_post", uri=post.id)
        if before is not None and before["author"] is not None and before["author"] != post.author:
            raise NotTheOwner("the id is another's")
        if before is not None and (before["author"] is not None or await is_withdrawn(tx, into, post.id)):
            return
        values = self._post_values(into, post)
        added = await tx.one(
            "apply.add_post", uri=post.id, slug=new_ulid(into.now), origin=into.origin, author=post.author,
            role_then=into.author.role if into.author else "", context=post.context or "",
            published_at=to_ms(post.published), sort_at=min(to_ms(post.published), into.now_ms), now=into.now_ms,
            **values,
        )  # fmt: skip
        if values["audience"] != Audience.FEDERATION:
            await tx.run("apply.drop_recommendations_outside", post=post.id)
        await effects_cases.keep_parts(tx, post)
        await self._index_post(tx, into, post, values["audience"])
        if post.kind is PostKind.QUESTION:
            await self._ask(tx, into, post, values["audience"])
        if added is None or added["answers"]:
            await self._drop_outsiders(tx, post)

    async def _drop_outsiders(self, tx: Transaction, post: Post) -> None:
        """Answers that were here first, by somebody outside the circle, go unseen (A54)."""
        early = await tx.all("apply.early_answers", post=post.id)
        outside = [row for row in early if not await self._in_circle(tx, post.id, row["author"])]
        for row in outside:
            await tx.run("apply.drop_mentions", object=row["uri"])
            await tx.run("apply.drop_comment", uri=row["uri"])
        if outside:
            await tx.run("comments.recount", post=post.id)

    async def _in_circle(self, tx: Transaction, post: Uri, doctor: str) -> bool:
        return await tx.one("apply.in_circle", post=post, doctor=doctor) is not None

    async def change_post(self, tx: Transaction, into: Incoming, post: Post) -> None:
        """Keep a newer version beside the old; an older or equal one changes nothing (F23)."""
        before = await tx.one("apply.post", uri=post.id)
        if before is None:
            await self.keep_post(tx, into, post)
            return
        if before["author"] != post.author:
            raise NotTheOwner("the post is another's")
        values = self._post_values(into, post)
        if _WIDTH[values["audience"]] > _WIDTH.get(before["audience"], 0):
            raise AudienceWidened(post.id)
        if values["audience"] == before["audience"] or _is_newer(post, before):
            await effects_cases.tell_parts(tx, into, post, await effects_cases.keep_parts(tx, post))
        if not _is_newer(post, before):
            return
        del values["updated_at"]
        facts = await tx.one("apply.facts", uri=post.id)
        if not await tx.run(
            "apply.change_post", uri=post.id, updated_at=to_ms(post.updated or post.published), **values
        ):
            return  # a newer version came in between
        await self._remember_version(tx, into, before, before["title"], facts["facts"] if facts else "{}")
        await tx.run("apply.drop_post_specialties", post=post.id)
        await tx.run("apply.drop_mentions", object=post.id)
        await self._index_post(tx, into, post, values["audience"])
        await self._ask(tx, into, post, values["audience"])

    def _post_values(self, into: Incoming, post: Post) -> dict[str, Any]:
        if into.author is None:
            raise NotTheOwner("the instance writes no posts")
        return {
            "kind": post.kind.value, "title": post.title, "content": post.content, "language": post.language,
            "specialties": json.dumps(post.specialties),
            "audience": audience.of_post(post, into.author.followers).value,
            "updated_at": milliseconds(post.updated), **bulletins.columns(post),
        }  # fmt: skip

    async def _index_post(self, tx: Transaction, into: Incoming, post: Post, reach: str) -> None:
        """Make the post findable by specialty, and remember and tell those it names, or (a question) asks by name."""
        for slug in post.specialties:
            await tx.run("apply.add_post_specialty", post=post.id, specialty=slug, bulletin=bulletins.filed(post.kind))
        if reach != Audience.NAMED and post.kind is not PostKind.QUESTION:
            return
        named, kind = (_named(post), NAMED) if reach == Audience.NAMED else (_mentioned(post), ASKED)
        for doctor in named:
            await tx.run("apply.add_mention", object=post.id, doctor=doctor)
        kept = await tx.one("apply.post", uri=post.id) if named else None
        if kept is not None:
            await notify(tx, into, self._ours(named), kind, post=kept["slug"], about=post.id)

    async def _ask(self, tx: Transaction, into: Incoming, post: Post, reach: str) -> None:
        asked = Asking(
            uri=post.id, kind=post.kind.value, audience=reach, specialties=post.specialties,
            country=post.asked_country, published=post.published,
        )  # fmt: skip
        await asking.ask(tx, asked, into.now)

    # ── comments ──

    async def keep_comment(self, tx: Transaction, into: Incoming, comment: Comment, effects: Effects) -> None:
        """Keep an answer; one whose post is not here yet waits unseen, one in a thread closed to it is refused."""
        post = await self._open_thread(tx, into, comment)
        if await is_withdrawn(tx, into, comment.id) or (
            post is None and await tx.one("apply.tombstone", uri=comment.context) is not None
        ):
            await tx.run("logs.forget_words", object=comment.id, nothing=b"")
            return
        before = await tx.one("apply.comment", uri=comment.id)
        if before is not None:
            if before["author"] != comment.author:
                raise NotTheOwner("the id is another's")
            return
        outside = comment.context.origin not in (self._origin, into.origin, into.forwarded_by)
        if outside and post is not None and not await self._in_circle(tx, comment.context, comment.author):
            return  # the home of the thread decides who belongs to it, and would have passed this on (A54)
        await tx.run(
            "apply.add_comment", uri=comment.id, slug=new_ulid(into.now), origin=into.origin, post=comment.context,
            parent=comment.in_reply_to, author=comment.author, content=comment.content, language=comment.language,
            role_then=into.author.role if into.author else "", published_at=to_ms(comment.published),
            updated_at=milliseconds(comment.updated), now=into.now_ms,
            document=self._document(into, post), outside=int(outside),
        )  # fmt: skip
        if _kind_of(comment, post):
            await tx.run("cases.goes_on", uri=comment.id)
        for doctor in _mentioned(comment):
            await tx.run("apply.add_mention", object=comment.id, doctor=doctor)
        if post is None:
            return
        await tx.run("apply.answered", post=comment.context, author=comment.author, at=to_ms(comment.published))
        await self._tell_thread(tx, into, comment, post)
        await self._forwarding.pass_on(tx, into, post, effects)

    async def change_comment(self, tx: Transaction, into: Incoming, comment: Comment, effects: Effects) -> None:
        """Keep a newer version of an answer; it stays where it was in the thread."""
        before = await tx.one("apply.comment", uri=comment.id)
        if before is None:
            await self.keep_comment(tx, into, comment, effects)
            return
        if before["author"] != comment.author:
            raise NotTheOwner("the comment is another's")
        post = await self._open_thread(tx, into, comment)
        if before["post"] != comment.context or not _is_newer(comment, before):
            return
        changed = await tx.run(
            "apply.change_comment", uri=comment.id, content=comment.content, language=comment.language,
            updated_at=to_ms(comment.updated or comment.published), document=self._document(into, post),
        )  # fmt: skip
        if not changed:
            return
        await self._remember_version(tx, into, before)
        await tx.run("apply.drop_mentions", object=comment.id)
        for doctor in _mentioned(comment):
            await tx.run("apply.add_mention", object=comment.id, doctor=doctor)
        if post is not None:
            for ours in self._ours(_mentioned(comment)):
                if ours != post["author"]:
                    await hearing.tell_one(tx, into.now, ours, post["uri"], MENTION, comment.author, about=comment.id)
            await self._forwarding.pass_on(tx, into, post, effects)

    async def _open_thread(self, tx: Transaction, into: Incoming, comment: Comment) -> Row | None:
        """Return the post if it is here; raise NotVisible where it is ours and closed to the author (A54)."""
        post = await tx.one("apply.post", uri=comment.context)
        parent = await tx.one("apply.comment", uri=comment.in_reply_to)
        if parent is not None and parent["post"] != comment.context:
            raise Malformed("answers something in another thread")
        if comment.context.origin == self._origin:
            seen = await circles.sees(tx, into, comment.context, comment.author)
            if not seen or post is None or post["kind"] not in into.kinds_out:
                raise NotVisible(comment.context)
        if post is not None and post["kind"] not in into.kinds:
            raise KindNotFederated(post["kind"])
        return post

    async def _tell_thread(self, tx: Transaction, into: Incoming, comment: Comment, post: Row) -> None:
        """Each doctor of ours hears once: as the one answered, else as the post's author, else as somebody named."""
        parent = await tx.one("apply.comment", uri=comment.in_reply_to)
        told = [parent["author"]] if parent is not None else []
        await notify(tx, into, self._ours(told), REPLY, post=post["slug"], about=comment.id)
        if post["author"] not in told:
            told.append(post["author"])
            await notify(tx, into, self._ours([post["author"]]), ANSWER, post=post["slug"], about=comment.id)
        named = [doctor for doctor in _mentioned(comment) if doctor not in told]
        for doctor in self._ours(named):
            await hearing.tell_one(tx, into.now, doctor, post["uri"], MENTION, comment.author, about=comment.id)
        kind = CASE_UPDATE if _kind_of(comment, post) else CASE_ANSWER
        await hearing.tell(tx, into.now, post["uri"], kind, comment.author, about=comment.id)

    def _document(self, into: Incoming, post: Row | None) -> str:
        """The signed activity, kept where we are the home that has to pass it on."""
        keep = post is not None and post["local"] and into.activity.has_proof
        return into.body.decode() if keep else ""

    # ── withdrawing ──

    async def delete(self, tx: Transaction, into: Incoming, uri: Uri, effects: Effects) -> None:
        """Withdraw whatever has this id; what is unknown leaves a tombstone all the same (A52)."""
        post = await tx.one("apply.post", uri=uri)
        comment = None if post is not None else await tx.one("apply.comment", uri=uri)
        owned = post or comment
        if owned is not None and into.activity.actor not in (owned["author"], into.instance):
            raise NotTheOwner("what is withdrawn is another's")
        await withdraw(tx, into, uri, "Article" if post else "Note" if comment else "")
        if post is not None:
            await self._drop_post(tx, into, uri)
        elif comment is not None:
            await self._drop_comment(tx, into, comment, effects)
        else:  # what hangs on it may have come first
            await self._drop_answers(tx, into, uri)
            await self._drop_words(tx, into, uri)

    async def delete_doctor(self, tx: Transaction, into: Incoming, uri: Uri) -> None:
        """Take a doctor away with everything they wrote and every relation; ids stay as tombstones."""
        for row in await tx.all("apply.posts_by", author=uri):
            await withdraw(tx, into, Uri.parse(row["uri"]), "Article")
            await self._drop_post(tx, into, row["uri"])
        for row in await tx.all("apply.comments_by", author=uri):
            await withdraw(tx, into, Uri.parse(row["uri"]), "Note")
            await self._drop_words(tx, into, row["uri"])
            await tx.run("apply.drop_comment", uri=row["uri"])
            await tx.run("comments.recount", post=row["post"])
        await withdraw(tx, into, uri, "Person")
        await tx.run("logs.forget_words", object=uri, nothing=b"")
        await polls.forget_votes_of(tx, uri, into.now_ms)
        await tx.run("apply.drop_likes_by", actor=uri)
        await tx.run("apply.drop_recommendations_by", actor=uri)
        await tx.run("apply.drop_follows_of", doctor=uri)
        await tx.run("apply.drop_notices_by", actor=uri)
        await tx.run("contact.forget_doctor", doctor=uri)
        await tx.run("contact.forget_listed", doctor=uri)
        await tx.run("directory.drop_specialties", doctor=uri)
        await tx.run("directory.drop_words", doctor=uri)
        await tx.run("keys.drop_of_owner", owner=uri)
        await tx.run("apply.doctor_gone", uri=uri, now=into.now_ms)

    async def _drop_answers(self, tx: Transaction, into: Incoming, post: str) -> None:
        for row in await tx.all("apply.foreign_comments_of", post=post):
            await self._drop_words(tx, into, row["uri"])
            await tx.run("apply.drop_comment", uri=row["uri"])

    async def _drop_post(self, tx: Transaction, into: Incoming, uri: str) -> None:
        await self._drop_answers(tx, into, uri)
        await self._drop_words(tx, into, uri)
        await tx.run("apply.drop_recommendations_of", post=uri)
        await tx.run("apply.drop_post", uri=uri)

    async def _drop_comment(self, tx: Transaction, into: Incoming, comment: Row, effects: Effects) -> None:
        await self._drop_words(tx, into, comment["uri"])
        await tx.run("apply.drop_comment", uri=comment["uri"])
        await tx.run("comments.recount", post=comment["post"])
        post = await tx.one("apply.post", uri=comment["post"])
        if post is not None:
            await self._forwarding.pass_on(tx, into, post, effects)

    async def _drop_words(self, tx: Transaction, into: Incoming, uri: str) -> None:
        """Everything that hangs on one object: earlier versions, and what we passed on of it as a thread's home."""
        await sending.forget_object(tx, uri, into.now_ms)

    async def _remember_version(
        self, tx: Transaction, into: Incoming, before: Row, title: str = "", facts: str = "{}"
    ) -> None:
        await tx.run(
            "apply.add_revision", id=new_ulid(into.now), object=before["uri"], title=title, content=before["content"],
            language=before["language"], at=before["updated_at"] or before["published_at"], facts=facts,
            kind=before["kind"] if title else "",
        )  # fmt: skip

    def _ours(self, doctors: Sequence[str]) -> list[str]:
        mark = self._origin + "/"
        return [doctor for doctor in doctors if doctor.startswith(mark)]


def _kind_of(comment: Comment, post: Row | None) -> str:
    """Only the author of a post goes on telling, below the post itself; anybody else's is an answer."""
    theirs = comment.note_kind == "update" and comment.in_reply_to == comment.context
    return "update" if theirs and (post is None or post["author"] == comment.author) else ""


def _named(post: Post) -> tuple[Uri, ...]:
    """The doctors a post is addressed to one by one, without its author."""
    return tuple(dict.fromkeys(uri for uri in (*post.to, *post.cc) if uri != post.author))


def _mentioned(word: Post | Comment) -> tuple[Uri, ...]:
    """Those a comment mentions or a question asks, without its author (ActivityPub section 7.1: leave it out)."""
    return tuple(dict.fromkeys(m.href for m in word.mentions if m.href != word.author))


def _is_newer(thing: Post | Comment, before: Row) -> bool:
    return bool(to_ms(thing.updated or thing.published) > (before["updated_at"] or before["published_at"]))

"""Answers: where each goes is the home's truth about its thread (DESIGN, the wire).

    federation   from the author's instance to every sibling directly
    named        to the instances of the doctors named
    colleagues   to the post's home, which forwards it; from the home to the followers' instances
    national     nowhere

Every activity about a comment carries its author's object proof (FEP-8b32), so that a home can forward it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from federation import audience as audiences
from federation.audience import Target
from federation.delivery import Priority
from federation.keys import PrivateKey
from federation.uri import Uri
from federation.vocabulary import Audience, Comment, Create, Delete, Mention, PostKind, Update
from instance.ids import new_ulid
from instance.services import acting, drafts, effects, hearing, mentions, notices, sending
from instance.services.drafts import CommentDraft
from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.sending import Message
from instance.storage.store import Row, Transaction
from instance.text import Mentioned
from instance.times import from_ms, to_ms
from verification.standing import Action

if TYPE_CHECKING:
    from instance.wiring import Node


@dataclass(frozen=True, slots=True)
class _Thread:
    """Where a comment stands, and to whom activities about it go."""

    post: Row
    to: tuple[Uri, ...]
    targets: tuple[Target, ...]

    @property
    def travels(self) -> bool:
        """Whether anything about this thread leaves."""
        return bool(self.post["audience"] != Audience.NATIONAL)


@dataclass(frozen=True, slots=True)
class _Said:
    """What an answer says: its text as HTML, in which language, whom it mentions, and whether it goes on telling."""

    content: str
    language: str
    mentioned: tuple[Mentioned, ...]
    kind: str


class Comments:
    """Answering, mending and withdrawing answers."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def comment(self, doctor_uri: str, slug: str, draft: CommentDraft) -> str:
        """Answer a post, or an answer in its thread; return the slug. The same form sent twice is one answer."""
        author = await acting.doctor(self._node, doctor_uri, Action.COMMENT)
        if (made := await acting.earlier(self._node, doctor_uri, draft.form_key)) is not None:
            own = f"{self._node.origin}/comments/{made}"
            return acting.same(made, await self._node.store.one("comments.by_uri", uri=own), draft.text)
        drafts.check_text(draft.text)
        drafts.check_language(draft.language)
        thread = await self._thread(author, await self._visible_post(doctor_uri, slug))
        parent = await self._parent(doctor_uri, thread, draft.parent_slug)
        if draft.as_update and (thread.post["author"] != doctor_uri or parent is not thread.post):
            raise Forbidden("not_the_owner")
        made = new_ulid(self._node.clock())
        said = await self._said_in(author, thread, draft)
        word = self._comment(author, made, thread, said, parent, self._node.clock())
        key = await self._node.keys.proof_key(Uri.parse(doctor_uri))

        async def work(tx: Transaction) -> str:
            done = await acting.once(self._node, tx, doctor_uri, "comment", draft.form_key, made)
            if done is not None:
                return done
            await self._keep_comment(tx, author, made, word, draft.text, thread, parent, said)
            await self._tell(tx, Create, author, word, thread, key)
            return made

        result = await self._node.store.write(work)
        self._node.wake.deliveries.set()
        return result

    async def edit_comment(self, doctor_uri: str, slug: str, draft: CommentDraft, *, seen: int | None = None) -> None:
        """Keep a new version of an own answer; the earlier one stays in the history.

        A draft that changes nothing keeps nothing and tells nobody. One made from another version than the present
        (`seen`, acting.require_seen) is Rejected: changed_meanwhile.
        """
        author = await acting.doctor(self._node, doctor_uri, Action.EDIT)
        before = await self._own_comment(doctor_uri, slug)
        drafts.check_text(draft.text)
        language = drafts.check_language(draft.language)
        if (draft.text, language) == (before["source"], before["language"]):
            return
        acting.require_seen(before, seen)
        thread = await self._thread(author, await self._visible_post(doctor_uri, before["post_slug"]))
        parent = await self._parent_row(doctor_uri, thread, before["parent"])
        published, now = from_ms(before["published_at"]), acting.after(before, self._node.clock())
        said = await self._said_in(author, thread, replace(draft, as_update=bool(before["kind"])))
        word = self._comment(author, slug, thread, said, parent, published, updated=now)
        key = await self._node.keys.proof_key(Uri.parse(doctor_uri))

        async def work(tx: Transaction) -> None:
            await tx.run(
                "posts.add_revision", id=new_ulid(now), object=word.id, title="", content=before["content"],
                language=before["language"], at=before["updated_at"] or before["published_at"],
            )  # fmt: skip
            changed = await tx.run(
                "comments.change", uri=word.id, content=said.content, source=draft.text, language=language,
                now=to_ms(now), seen=before["updated_at"] or 0,
            )  # fmt: skip
            if not changed:
                raise Rejected("changed_meanwhile", status=409)
            await self._require_same_circle(tx, author, thread)
            await tx.run("posts.drop_mentions", object=word.id)
            await self._keep_mentions(tx, author, word, thread, said)
            await self._tell(tx, Update, author, word, thread, key)

        await self._node.store.write(work)
        self._node.wake.deliveries.set()

    async def withdraw_comment(self, doctor_uri: str, slug: str) -> None:
        """Withdraw an own answer, here and wherever it was sent; a discussion closed to its author does not matter."""
        author = await acting.doctor(self._node, doctor_uri, Action.WITHDRAW)
        before = await self._own_words(doctor_uri, slug)
        post = await self._node.store.one("comments.post", uri=before["post"])
        thread = None if post is None else await self._thread(author, post)
        holders = [row["origin"] for row in await self._node.store.all("posts.holders", object=before["uri"])]
        targets = sending.of_holders(self._node, holders)
        key = await self._node.keys.proof_key(Uri.parse(doctor_uri))
        uri = Uri.parse(before["uri"])

        async def work(tx: Transaction) -> None:
            await self._remove_comment(tx, before)
            if not targets:
                return
            activity = Delete(
                id=sending.activity_id(self._node), actor=Uri.parse(doctor_uri), to=thread.to if thread else (),
                published=self._node.clock(), object=uri,
            )  # fmt: skip
            audience = thread.post["audience"] if thread else ""
            await sending.send(self._node, tx, Message(activity, uri, audience, Priority.WITHDRAWAL, key), targets)

        await self._node.store.write(work)
        self._node.wake.deliveries.set()

    # ── where it stands ──

    async def _visible_post(self, doctor_uri: str, slug: str) -> Row:
        row = await self._node.store.one("posts.visible", slug=slug, reader=doctor_uri)
        if row is None:
            raise Missing()
        return row

    async def _visible_comment(self, doctor_uri: str, slug: str) -> Row:
        row = await self._node.store.one("comments.visible", slug=slug, reader=doctor_uri)
        if row is None:
            raise Missing()
        return row

    async def _own_comment(self, doctor_uri: str, slug: str) -> Row:
        row = await self._visible_comment(doctor_uri, slug)
        if row["author"] != doctor_uri or not row["local"]:
            raise Forbidden("not_the_owner")
        return row

    async def _own_words(self, doctor_uri: str, slug: str) -> Row:
        """An own answer, whether or not its discussion is open to its author still."""
        row = await self._node.store.one("comments.own", slug=slug, author=doctor_uri)
        return row if row is not None else await self._own_comment(doctor_uri, slug)

    async def _parent(self, doctor_uri: str, thread: _Thread, parent_slug: str | None) -> Row:
        if parent_slug is None:
            return thread.post
        row = await self._visible_comment(doctor_uri, parent_slug)
        if row["post"] != thread.post["uri"]:
            raise Missing()
        return row

    async def _parent_row(self, doctor_uri: str, thread: _Thread, parent_uri: str) -> Row:
        """What an own answer answers; the post itself where that answer has been withdrawn since."""
        row = await self._node.store.one("comments.by_uri", uri=parent_uri)
        if row is None:
            return {**thread.post, "uri": parent_uri}
        return await self._visible_comment(doctor_uri, row["slug"])

    async def _thread(self, author: Row, post: Row) -> _Thread:
        """Say who is addressed: the circle of the post, never more, whoever is answered."""
        audience, kind = Audience(post["audience"]), PostKind(post["kind"])
        if audience is Audience.NATIONAL:
            return _Thread(post, (), ())
        if audience is Audience.NAMED:
            # By address: among those whom another's post names, there may be some whom this instance never met.
            named = [row["doctor"] for row in await self._node.store.all("serving.named", object=post["uri"])]
            circle = [Uri.parse(uri) for uri in (*named, post["author"]) if uri != author["uri"]]
            to, _ = audiences.addressing(audience, _followers(post), circle)
            homes = [{"origin": uri.origin} for uri in circle]
            return _Thread(post, to, tuple(sending.of_doctors(self._node, homes, kind)))
        to, _ = audiences.addressing(audience, _followers(post))
        return _Thread(post, to, tuple(await self._circle(audience, kind, post)))

    async def _circle(self, audience: Audience, kind: PostKind, post: Row) -> list[Target]:
        if audience is Audience.FEDERATION:
            return sending.of_federation(self._node, kind)
        if not post["local"]:
            return sending.of_doctors(self._node, [{"origin": post["origin"]}], kind)
        followers = await self._node.store.all("posts.followers", doctor=post["author"])
        return sending.of_doctors(self._node, followers, kind)

    async def _require_same_circle(self, tx: Transaction, author: Row, thread: _Thread) -> None:
        """Ask again inside the transaction: a post withdrawn, closed or narrowed meanwhile gets no such answer."""
        row = await tx.one("posts.visible", slug=thread.post["slug"], reader=author["uri"])
        if row is None:
            raise Missing()
        if row["audience"] != thread.post["audience"]:
            raise Rejected("changed_meanwhile", status=409)

    # ── what is said ──

    async def _said_in(self, author: Row, thread: _Thread, draft: CommentDraft) -> _Said:
        """The text as HTML, with whom it mentions: those who may see the post, and whom the answer reaches."""
        reached = {target.origin for target in thread.targets}
        known = await mentions.found(self._node, author["uri"], thread.post, draft.text, reached)
        content = drafts.check_text(draft.text, known)
        kind = "update" if draft.as_update else ""
        return _Said(content, drafts.check_language(draft.language), tuple(known.values()), kind)

    def _comment(
        self, author: Row, slug: str, thread: _Thread, said: _Said, parent: Row, published: datetime,
        *, updated: datetime | None = None,
    ) -> Comment:  # fmt: skip
        answered = _mentions(author, thread.post, parent)
        there = {mention.href for mention in answered}
        more = tuple(tag for tag in mentions.tags(said.mentioned) if tag.href not in there)
        return Comment(
            id=Uri.parse(f"{self._node.origin}/comments/{slug}"), author=Uri.parse(author["uri"]),
            content=said.content, language=said.language, in_reply_to=Uri.parse(parent["uri"]),
            context=Uri.parse(thread.post["uri"]), to=thread.to, mentions=(*answered, *more), published=published,
            updated=updated, note_kind=said.kind,
        )  # fmt: skip

    async def _tell(
        self, tx: Transaction, kind: type[Create] | type[Update], author: Row, word: Comment, thread: _Thread,
        key: PrivateKey,
    ) -> None:  # fmt: skip
        if not thread.travels:
            return
        activity = kind(
            id=sending.activity_id(self._node), actor=word.author, to=word.to, published=self._node.clock(),
            object=word,
        )  # fmt: skip
        urgent = thread.post["audience"] == Audience.NAMED
        priority = Priority.NAMED if urgent else Priority.REST
        await sending.send(
            self._node, tx, Message(activity, word.id, thread.post["audience"], priority, key), thread.targets
        )

    # ── rows ──

    async def _keep_comment(
        self, tx: Transaction, author: Row, slug: str, word: Comment, source: str, thread: _Thread, parent: Row,
        said: _Said,
    ) -> None:  # fmt: skip
        post = thread.post
        await self._require_same_circle(tx, author, thread)
        await tx.run(
            "comments.add", uri=word.id, slug=slug, origin=self._node.origin, post=post["uri"], parent=parent["uri"],
            author=author["uri"], content=word.content, source=source, language=word.language,
            role_then=author["role"], now=to_ms(word.published),
        )  # fmt: skip
        if word.note_kind:
            await tx.run("cases.goes_on", uri=word.id)
        await tx.run("comments.recount", post=post["uri"])
        # Each hears once: as the one answered, else as the author of the post.
        answered = parent["author"] if parent["uri"] != post["uri"] else None
        if answered is not None:
            await notices.tell(self._node, tx, answered, effects.REPLY, author["uri"], post=post["slug"], about=word.id)
        if post["author"] != answered:
            await notices.tell(
                self._node, tx, post["author"], effects.ANSWER, author["uri"], post=post["slug"], about=word.id
            )
        await self._keep_mentions(tx, author, word, thread, said)
        kind = effects.CASE_UPDATE if word.note_kind else effects.CASE_ANSWER
        await hearing.tell(tx, self._node.clock(), post["uri"], kind, author["uri"], about=word.id)

    async def _keep_mentions(self, tx: Transaction, author: Row, word: Comment, thread: _Thread, said: _Said) -> None:
        """Keep whom an answer names, and tell those of ours whom its text mentions."""
        for person in word.mentions:
            await tx.run("posts.add_mention", object=word.id, doctor=person.href)
        for each in said.mentioned:
            now, post = self._node.clock(), thread.post["uri"]
            await hearing.tell_one(tx, now, each.uri, post, effects.MENTION, author["uri"], about=word.id)

    async def _remove_comment(self, tx: Transaction, before: Row) -> None:
        uri, now = before["uri"], to_ms(self._node.clock())
        if not await tx.run("comments.remove", uri=uri):
            raise Missing()
        await tx.run(
            "posts.add_tombstone", uri=uri, origin=self._node.origin, actor=before["author"], former_type="Note",
            now=now,
        )  # fmt: skip
        await sending.forget_object(tx, uri, now)
        await tx.run("comments.recount", post=before["post"])


def _followers(post: Row) -> Uri:
    return Uri.parse(post["author_followers"])


def _mentions(author: Row, post: Row, parent: Row) -> tuple[Mention, ...]:
    """Everybody it answers: the author of the parent and of the post, never its own (ActivityPub section 7.1, S6)."""
    people = {row["author"]: row["author_handle"] for row in (parent, post)}
    people.pop(author["uri"], None)
    return tuple(drafts.mention({"uri": uri, "handle": handle}) for uri, handle in sorted(people.items()))

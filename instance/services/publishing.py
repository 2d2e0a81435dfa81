"""Posts: published, mended, withdrawn. Each is one transaction: the row, the activity, what waits for each sibling.

Comments and reactions are `comments.Comments` and `reactions.Reactions`; `Publishing` is all three for the routes.
Codes raised here: CODES.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from federation import audience as audiences
from federation.audience import Target
from federation.delivery import Priority
from federation.uri import Uri
from federation.vocabulary import Audience, Create, Delete, Post, PostKind, Update
from instance.ids import new_ulid
from instance.services import (
    acting,
    asking,
    bulletins,
    case_parts,
    drafts,
    effects,
    endings,
    marks,
    naming,
    notices,
    polls,
    reactions,
    sending,
    standings,
)
from instance.services.asking import Asking
from instance.services.circles import Circles
from instance.services.comments import Comments
from instance.services.drafts import CheckedPost, CommentDraft, PostDraft
from instance.services.endings import Endings, ResolutionDraft
from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.marks import Marks
from instance.services.poll_drafts import PollDraft
from instance.services.polls import Polls
from instance.services.reactions import Reactions
from instance.services.sending import Message
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification import clinical
from verification.standing import Action

__all__ = ["CODES", "CommentDraft", "PollDraft", "PostDraft", "Publishing", "ResolutionDraft"]

CODES: Final = (
    *drafts.CODES, *acting.CODES, *reactions.CODES, *standings.CODES, *sending.CODES, "not_found", "not_the_owner",
    "changed_meanwhile", *polls.CODES, *endings.CODES, *marks.CODES,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Mended:
    """One version of an own post becoming the next."""

    author: Row
    before: Row
    after: CheckedPost
    at: datetime
    post: Post | None
    told: Sequence[Target]
    dropped: Sequence[Target]


class Publishing(Comments, Reactions, Polls, Endings, Marks):
    """Everything a doctor says."""

    async def publish(self, doctor_uri: str, draft: PostDraft) -> str:
        """Publish a post and return its slug; the same form sent twice is one post."""
        author = await acting.doctor(self._node, doctor_uri, Action.POST)
        if (made := await acting.earlier(self._node, doctor_uri, draft.form_key)) is not None:
            return acting.same(made, await self._node.store.one("posts.by_slug", slug=made), draft.text)
        checked = drafts.check_post(draft, await naming.named(self._node, draft, author), self._opened())
        self._require_readers(checked)
        slug = new_ulid(self._node.clock())
        post = self._post(author, slug, checked, self._node.clock())
        targets = await self._targets(author, checked)

        async def work(tx: Transaction) -> str:
            done = await acting.once(self._node, tx, doctor_uri, "post", draft.form_key, slug)
            if done is not None:
                return done
            await self._keep(tx, author, slug, checked, to_ms(post.published))
            if checked.audience is not Audience.NATIONAL:
                told = await case_parts.beside(tx, post, _to_all)
                await sending.send(self._node, tx, self._said(Create, author, told, checked), targets)
            return slug

        made = await self._node.store.write(work)
        self._node.wake.deliveries.set()
        return made

    async def edit(self, doctor_uri: str, slug: str, draft: PostDraft, *, seen: int | None = None) -> None:
        """Keep a new version; the earlier one stays in the history. A narrower audience deletes at those dropped.

        A draft that changes nothing keeps nothing and tells nobody. One made from another version than the present
        (`seen`, acting.require_seen) is Rejected: changed_meanwhile.
        """
        author = await acting.doctor(self._node, doctor_uri, Action.EDIT)
        before = await self._own_post(doctor_uri, slug)
        already = await self._named_in(before)
        after = drafts.check_post(draft, await naming.named(self._node, draft, author, already), self._opened())
        self._require_readers(after)
        facts = await self._node.store.one("cases.facts", post=before["uri"])
        same = facts is not None and case_parts.summary_in(facts["facts"]) == after.summary
        if same and _is_the_same(before, after, already):
            return
        acting.require_seen(before, seen)
        _require_narrower(before, after, already)
        mended, to = await self._mend(author, before, after), await self._addressed(author, before)
        now = to_ms(self._node.clock())

        async def work(tx: Transaction) -> None:
            await self._keep_version(tx, mended)
            if mended.post is not None:
                told = await case_parts.beside(tx, mended.post, self._to_each(mended.told))
                await sending.send(self._node, tx, self._said(Update, author, told, after), mended.told)
            if mended.post is not None and after.audience is Audience.COLLEAGUES:
                for target in mended.told:  # where it comes for the first time, its thread goes after it
                    await Circles(self._node).regained(tx, author["uri"], target.origin)
            if mended.dropped:
                for target in mended.dropped:
                    await tx.run("posts.drop_waiting_at", object=before["uri"], origin=target.origin, now=now)
                await self._delete_at(tx, author, before, to, mended.dropped, narrowed=True)

        await self._node.store.write(work)
        self._node.wake.deliveries.set()

    async def withdraw(self, doctor_uri: str, slug: str) -> None:
        """Withdraw a post, here and at every sibling that was sent it; nothing of it that still waits is sent."""
        author = await acting.doctor(self._node, doctor_uri, Action.WITHDRAW)
        before = await self._own_post(doctor_uri, slug)
        holders = [row["origin"] for row in await self._node.store.all("posts.holders", object=before["uri"])]
        targets, to = sending.of_holders(self._node, holders), await self._addressed(author, before)

        async def work(tx: Transaction) -> None:
            await self._remove(tx, before)
            if targets:
                await self._delete_at(tx, author, before, to, targets)

        await self._node.store.write(work)
        self._node.wake.deliveries.set()

    # ── what is said ──

    def _post(self, author: Row, slug: str, checked: CheckedPost, published: datetime) -> Post:
        uri = Uri.parse(f"{self._node.origin}/posts/{slug}")
        to, cc = self._addressing(author, checked)
        return Post(
            id=uri, author=Uri.parse(author["uri"]), kind=checked.kind, title=checked.title, content=checked.content,
            language=checked.language, specialties=checked.specialties, to=to, cc=cc, mentions=checked.mentions,
            published=published, context=Uri.parse(f"{uri}/context"), asked_country=checked.asked_country,
            clinical_summary=clinical.write(checked.summary), **checked.bulletin.words(),
        )  # fmt: skip

    def _addressing(self, author: Row, checked: CheckedPost) -> tuple[tuple[Uri, ...], tuple[Uri, ...]]:
        if checked.audience is Audience.NATIONAL:
            return (), ()
        return audiences.addressing(checked.audience, Uri.parse(author["followers"]), checked.named_uris)

    def _said(self, kind: type[Create] | type[Update], author: Row, post: Post, checked: CheckedPost) -> Message:
        """The activity carries the same recipients as its object (ActivityPub section 6.2, C8)."""
        activity = kind(
            id=sending.activity_id(self._node), actor=Uri.parse(author["uri"]), to=post.to, cc=post.cc,
            published=self._node.clock(), object=post,
        )  # fmt: skip
        priority = Priority.NAMED if checked.audience is Audience.NAMED else Priority.REST
        return Message(activity, post.id, checked.audience.value, priority)

    async def _delete_at(
        self, tx: Transaction, author: Row, before: Row, to: tuple[Uri, ...], targets: Sequence[Target], *,
        narrowed: bool = False,
    ) -> None:  # fmt: skip
        uri = Uri.parse(before["uri"])
        activity = Delete(
            id=sending.activity_id(self._node), actor=Uri.parse(author["uri"]), to=to,
            published=self._node.clock(), object=uri,
        )  # fmt: skip
        message = Message(activity, uri, before["audience"], Priority.WITHDRAWAL, narrowed=narrowed)
        await sending.send(self._node, tx, message, targets)

    async def _addressed(self, author: Row, before: Row) -> tuple[Uri, ...]:
        """Whom the version in force is for; a withdrawal is addressed to them, and to nobody else."""
        audience = Audience(before["audience"])
        named = [Uri.parse(row["uri"]) for row in await self._node.store.all("posts.named", object=before["uri"])]
        if audience is Audience.NATIONAL or (audience is Audience.NAMED and not named):
            return ()
        return audiences.addressing(audience, Uri.parse(author["followers"]), named)[0]

    # ── to whom ──

    def _require_readers(self, checked: CheckedPost) -> None:
        """Raise where a question asks a country whose doctors cannot read it."""
        national = checked.audience is Audience.NATIONAL
        if national and checked.asked_country not in ("", self._node.config.country):
            raise Rejected("asked_outside", "asked_country")

    def _opened(self) -> frozenset[PostKind]:
        """Every kind that at least one sibling takes."""
        return frozenset(kind for sibling in self._node.allowlist() for kind in sibling.kinds_out)

    async def _targets(self, author: Row, checked: CheckedPost) -> list[Target]:
        match checked.audience:
            case Audience.FEDERATION:
                return sending.of_federation(self._node, checked.kind)
            case Audience.COLLEAGUES:
                followers = await self._node.store.all("posts.followers", doctor=author["uri"])
                return sending.of_doctors(self._node, followers, checked.kind)
            case Audience.NAMED:
                return sending.of_doctors(self._node, checked.named, checked.kind)
            case _:
                return []

    def _to_each(self, told: Sequence[Target]) -> case_parts.Lets:
        """Whether everybody who is told may know of what lies there."""
        return lambda homes: all(self._node.sets.lets(homes, target.origin) for target in told)

    async def _named_in(self, before: Row) -> frozenset[str]:
        return frozenset(row["uri"] for row in await self._node.store.all("posts.named", object=before["uri"]))

    # ── rows ──

    async def _own_post(self, doctor_uri: str, slug: str) -> Row:
        row = await self._node.store.one("posts.visible", slug=slug, reader=doctor_uri)
        if row is None:
            raise Missing()
        if row["author"] != doctor_uri or not row["local"]:
            raise Forbidden("not_the_owner")
        return row

    async def _mend(self, author: Row, before: Row, after: CheckedPost) -> _Mended:
        told, at = await self._targets(author, after), acting.after(before, self._node.clock())
        post: Post | None = None
        if after.audience is not Audience.NATIONAL:
            post = self._post(author, before["slug"], after, from_ms(before["published_at"]))
            post = _updated(post, at)
        reached = {target.origin for target in told}
        held = {row["origin"] for row in await self._node.store.all("posts.holders", object=before["uri"])}
        # Only an edit that changes whom it is for, or what kind it is, leaves somebody behind.
        changed = (before["audience"], before["kind"]) != (after.audience.value, after.kind.value)
        leaves = changed or after.audience is Audience.NAMED
        dropped = sending.of_holders(self._node, held - reached) if leaves else []
        return _Mended(author, before, after, at, post, told, dropped)

    async def _keep(self, tx: Transaction, author: Row, slug: str, checked: CheckedPost, now: int) -> None:
        """Keep a new post; `now` is what siblings are told as well."""
        node, uri = self._node, f"{self._node.origin}/posts/{slug}"
        await tx.run(
            "posts.add", uri=uri, slug=slug, origin=node.origin, author=author["uri"], role_then=author["role"],
            context=f"{uri}/context", now=now, **_columns(checked),
        )  # fmt: skip
        await self._keep_lists(tx, uri, now, checked)
        await self._keep_summary(tx, uri, checked)
        if checked.poll is not None:
            await polls.keep_poll(node, tx, uri, checked.poll, from_ms(now))
        await self._tell_named(tx, author, uri, checked)
        if checked.kind is PostKind.QUESTION:
            await self._ask(tx, uri, checked, now)

    async def _keep_version(self, tx: Transaction, mended: _Mended) -> None:
        before, now = mended.before, mended.at
        uri = before["uri"]
        await tx.run("posts.add_version", id=new_ulid(now), object=uri)
        changed = await tx.run(
            "posts.change", uri=uri, now=to_ms(now), audience_before=before["audience"],
            seen=before["updated_at"] or 0, **_columns(mended.after),
        )  # fmt: skip
        if not changed:
            raise Rejected("changed_meanwhile", status=409)
        await tx.run("posts.drop_specialties", post=uri)
        await tx.run("posts.drop_mentions", object=uri)
        await self._keep_lists(tx, uri, before["published_at"], mended.after)
        if mended.after.audience is not Audience.NAMED:
            await self._tell_named(tx, mended.author, uri, mended.after)
        await self._ask(tx, uri, mended.after, before["published_at"])
        await self._keep_summary(tx, uri, mended.after)
        if mended.dropped or before["audience"] != mended.after.audience.value:
            await polls.drop_outsiders(tx, before["slug"], uri, mended.at)

    async def _tell_named(self, tx: Transaction, author: Row, uri: str, checked: CheckedPost) -> None:
        """Tell those a post names, each once."""
        kind, slug = effects.NAMED if checked.audience is Audience.NAMED else effects.ASKED, uri.rpartition("/")[2]
        for row in checked.named:
            await notices.tell(self._node, tx, row["uri"], kind, author["uri"], post=slug, about=uri)

    async def _ask(self, tx: Transaction, uri: str, checked: CheckedPost, published: int) -> None:
        asked = Asking(
            uri=uri, kind=checked.kind.value, audience=checked.audience.value, specialties=checked.specialties,
            country=checked.asked_country, published=from_ms(published),
        )  # fmt: skip
        await asking.ask(tx, asked, self._node.clock())

    async def _keep_summary(self, tx: Transaction, uri: str, checked: CheckedPost) -> None:
        before = await tx.one("cases.facts", post=uri)
        facts = before["facts"] if before is not None else "{}"
        if (after := case_parts.facts_with(facts, checked.summary)) != facts:
            await tx.run("cases.set_facts", post=uri, facts=after)

    async def _keep_lists(self, tx: Transaction, uri: str, sort_at: int, checked: CheckedPost) -> None:
        for slug in checked.specialties:
            await tx.run(
                "posts.add_specialty", specialty=slug, post=uri, sort_at=sort_at, bulletin=bulletins.filed(checked.kind)
            )
        for person in checked.named_uris:
            await tx.run("posts.add_mention", object=uri, doctor=person)

    async def _remove(self, tx: Transaction, before: Row) -> None:
        """Leave a tombstone; the text is gone from every table."""
        uri, now = before["uri"], to_ms(self._node.clock())
        if not await tx.run("posts.remove", uri=uri):
            raise Missing()
        await tx.run(
            "posts.add_tombstone", uri=uri, origin=self._node.origin, actor=before["author"], former_type="Article",
            now=now,
        )  # fmt: skip
        await sending.forget_object(tx, uri, now)
        for answer in await tx.all("posts.foreign_comments", post=uri):
            await sending.forget_object(tx, answer["uri"], now)
        await tx.run("posts.drop_foreign_comments", post=uri)
        await tx.run("posts.drop_recommendations", object=uri)
        await notices.take_back_of_post(tx, before["slug"], self._node.clock())


def _require_narrower(before: Row, after: CheckedPost, already: Collection[str]) -> None:
    was = Audience(before["audience"])
    if not drafts.narrows(was, after.audience):
        raise Rejected("audience_widened", "audience")
    if was is after.audience is Audience.NAMED and not {row["uri"] for row in after.named} <= set(already):
        raise Rejected("audience_widened", "named")


def _is_the_same(before: Row, after: CheckedPost, already: Collection[str]) -> bool:
    """Whether a version says what the one before it says, to the same people."""
    kept = all(before[name] == value for name, value in _columns(after).items())
    return kept and before["asked_country"] == after.asked_country and set(after.named_uris) == set(already)


def _columns(checked: CheckedPost) -> dict[str, Any]:
    return {
        "kind": checked.kind.value, "title": checked.title, "content": checked.content, "source": checked.source,
        "language": checked.language, "specialties": json.dumps(list(checked.specialties)),
        "audience": checked.audience.value, **bulletins.columns(checked.bulletin),
    }  # fmt: skip


def _to_all(_homes: Sequence[str]) -> bool:
    return True


def _updated(post: Post, at: datetime) -> Post:
    values = {name: getattr(post, name) for name in post.__struct_fields__}
    return Post(**{**values, "updated": at})

"""Thanks, recommendations and reports: small acts on what one may read, never beyond its audience."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from federation.audience import Target
from federation.delivery import Priority
from federation.uri import Uri
from federation.vocabulary import VERIFIED_DOCTORS, Announce, Audience, Flag, Like, PostKind, Undo
from instance.ids import new_ulid
from instance.services import acting, effects, notices, sending
from instance.services.errors import Missing, Rejected
from instance.services.sending import Message
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification.standing import Action

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("own_words", "not_recommendable", "bad_reason")
#: Coded, because free text about a case does not belong in a report.
REASONS: Final = ("identity", "advertising", "harassment", "wrong_advice", "not_a_doctor", "other")


class Reactions:
    """What doctors do with what others wrote."""

    _node: Node

    async def like(self, doctor_uri: str, slug: str) -> None:
        """Thank for a post or an answer; its author's instance is told. Twice is once."""
        actor = await acting.doctor(self._node, doctor_uri, Action.LIKE)
        thing = await self._readable(doctor_uri, slug)
        if thing["author"] == doctor_uri:
            raise Rejected("own_words", status=409)
        activity = self._activity(Like, actor, Uri.parse(thing["uri"]))
        targets = self._author_inbox(thing)

        async def work(tx: Transaction) -> None:
            if not await self._add(tx, "posts.like", activity, object=thing["uri"]):
                return
            post = thing["post_slug"] if "post_slug" in thing else thing["slug"]
            await notices.tell(self._node, tx, thing["author"], effects.LIKE, doctor_uri, post=post, about=thing["uri"])
            await self._queue(tx, activity, targets, thing["uri"], Priority.REST)

        await self._carry_out(work)

    async def unlike(self, doctor_uri: str, slug: str) -> None:
        """Take the thanks back."""
        actor = await acting.doctor(self._node, doctor_uri, Action.LIKE)
        thing = await self._readable(doctor_uri, slug)

        async def work(tx: Transaction) -> None:
            row = await tx.one("posts.like_of", actor=doctor_uri, object=thing["uri"])
            if row is None:
                return
            await tx.run("posts.unlike", actor=doctor_uri, object=thing["uri"])
            await notices.take_back(self._node, tx, thing["author"], effects.LIKE, doctor_uri, about=thing["uri"])
            undo = self._activity(Undo, actor, Uri.parse(row["id"]))
            await self._queue(tx, undo, self._author_inbox(thing), thing["uri"], Priority.WITHDRAWAL)

        await self._carry_out(work)

    async def recommend(self, doctor_uri: str, slug: str) -> None:
        """Recommend a post within the audience it has: abroad only what every verified doctor may read."""
        actor = await acting.doctor(self._node, doctor_uri, Action.RECOMMEND)
        post = await self._post_to_recommend(doctor_uri, slug)
        activity = self._activity(Announce, actor, Uri.parse(post["uri"]), to=(VERIFIED_DOCTORS,))

        async def work(tx: Transaction) -> None:
            if not await self._add(tx, "posts.recommend", activity, post=post["uri"]):
                return
            await notices.tell(
                self._node, tx, post["author"], effects.RECOMMENDED, doctor_uri, post=post["slug"], about=post["uri"]
            )
            await self._queue(tx, activity, self._everywhere(post), post["uri"], Priority.REST)

        await self._carry_out(work)

    async def unrecommend(self, doctor_uri: str, slug: str) -> None:
        """Take the recommendation back."""
        actor = await acting.doctor(self._node, doctor_uri, Action.RECOMMEND)
        post = await self._post_to_recommend(doctor_uri, slug)

        async def work(tx: Transaction) -> None:
            row = await tx.one("posts.recommendation_of", actor=doctor_uri, post=post["uri"])
            if row is None:
                return
            await tx.run("posts.unrecommend", actor=doctor_uri, post=post["uri"])
            await notices.take_back(self._node, tx, post["author"], effects.RECOMMENDED, doctor_uri, about=post["uri"])
            undo = self._activity(Undo, actor, Uri.parse(row["id"]), to=(VERIFIED_DOCTORS,))
            await self._queue(tx, undo, self._everywhere(post), post["uri"], Priority.WITHDRAWAL)

        await self._carry_out(work)

    async def report(self, doctor_uri: str, slug: str, reason_code: str) -> None:
        """Report a post or an answer to our moderators and, in the instance's name, to those of its home."""
        await acting.doctor(self._node, doctor_uri, Action.FLAG)
        if reason_code not in REASONS:
            raise Rejected("bad_reason", "reason")
        thing = await self._readable(doctor_uri, slug)
        uri, now = Uri.parse(thing["uri"]), self._node.clock()
        # The instance signs, so that the other side does not learn who reported.
        flag = Flag(
            id=sending.activity_id(self._node), actor=self._node.actor, published=now, objects=(uri,),
            reason=reason_code,
        )  # fmt: skip

        async def work(tx: Transaction) -> None:
            if await tx.one("posts.open_report", object=uri, by_whom=doctor_uri) is not None:
                return
            await tx.run(
                "posts.report", id=new_ulid(now), object=uri, by_whom=doctor_uri, reason=reason_code, now=to_ms(now)
            )
            post = thing["post_slug"] if "post_slug" in thing else thing["slug"]
            for staff in await tx.all("notifications.staff"):
                if staff["doctor"] == thing["author"]:
                    continue
                # In the instance's name, as those that siblings forward: neither author nor reporter "did" this.
                await notices.tell(
                    self._node, tx, staff["doctor"], effects.REPORTED, self._node.actor, post=post, about=uri
                )
            await self._queue(tx, flag, self._home_inbox(thing), uri, Priority.REST)

        await self._carry_out(work)

    # ── parts ──

    async def _readable(self, doctor_uri: str, slug: str) -> Row:
        store = self._node.store
        row = await store.one("posts.visible", slug=slug, reader=doctor_uri)
        row = row or await store.one("comments.visible", slug=slug, reader=doctor_uri)
        if row is None:
            raise Missing()
        return row

    async def _post_to_recommend(self, doctor_uri: str, slug: str) -> Row:
        row = await self._node.store.one("posts.visible", slug=slug, reader=doctor_uri)
        if row is None:
            raise Missing()
        if row["author"] == doctor_uri:
            raise Rejected("own_words", status=409)
        if row["audience"] == Audience.NAMED:
            raise Rejected("not_recommendable", status=409)
        return row

    def _activity(self, kind: type[Any], actor: Row, object: Uri, **values: Any) -> Any:
        return kind(
            id=sending.activity_id(self._node), actor=Uri.parse(actor["uri"]), published=self._node.clock(),
            object=object, **values,
        )  # fmt: skip

    def _author_inbox(self, thing: Row) -> list[Target]:
        return sending.personal_if_open(self._node, {"origin": thing["author_origin"], "inbox": thing["author_inbox"]})

    def _home_inbox(self, thing: Row) -> list[Target]:
        return sending.of_holders(self._node, {thing["origin"]} - {self._node.origin})

    def _everywhere(self, post: Row) -> list[Target]:
        if post["audience"] != Audience.FEDERATION:
            return []
        return sending.of_federation(self._node, PostKind(post["kind"]))

    async def _add(self, tx: Transaction, query: str, activity: Any, **values: str) -> int:
        now = to_ms(self._node.clock())
        return await tx.run(query, actor=activity.actor, id=activity.id, now=now, **values)

    async def _queue(
        self, tx: Transaction, activity: Any, targets: list[Target], about: str, priority: Priority
    ) -> None:
        if targets:
            message = Message(activity, Uri.parse(about), "", priority)
            await sending.send(self._node, tx, message, targets)

    async def _carry_out(self, work: Any) -> None:
        await self._node.store.write(work)
        self._node.wake.deliveries.set()

"""Who reads whom: asked, answered, ended, and blocked.

A follow is a row from the moment it is asked, and counts only when the other side has said yes (ActivityPub section
7.5). `Block` itself never leaves this instance; what it ends is told as Undo and Reject.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from federation.delivery import Priority
from federation.errors import Refused
from federation.uri import BadUri, Uri
from federation.vocabulary import Accept, Follow, Reject, Undo
from instance.services import acting, contact, effects, notices, sending, standings
from instance.services.circles import Circles
from instance.services.errors import Missing, Rejected
from instance.services.sending import Message
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification.standing import Action

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    *standings.CODES,
    *sending.CODES,
    "not_found",
    "own_follow",
    "cannot_follow",
    "no_request",
    "own_block",
    "follow_closed",
)

PENDING, ACCEPTED, REJECTED = "pending", "accepted", "rejected"


class Follows:
    """Follows and blocks of our own doctors."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._store = node.store
        self._circles = Circles(node)

    async def ask(self, doctor_uri: str, target: str) -> str:
        """Ask to follow the doctor with this address or URI; return the state. Asking twice changes nothing.

        Rejected with follow_closed where a doctor of ours has a rule against it; a sibling's is answered by their home.
        """
        actor = await acting.doctor(self._node, doctor_uri, Action.FOLLOW)
        other = _living(await self._find(target))
        if other["uri"] == doctor_uri:
            raise Rejected("own_follow", status=409)
        waits = not other["local"] or bool(other["approves_followers"])
        follow = self._activity(Follow, actor, Uri.parse(other["uri"]))
        targets = sending.personal(self._node, other)

        async def work(tx: Transaction) -> str:
            await self._require_unblocked(tx, doctor_uri, other["uri"])
            before = await tx.one("follows.get", follower=doctor_uri, followee=other["uri"])
            if before is not None and before["state"] != REJECTED:
                return str(before["state"])
            if not await contact.takes_follow(tx, other["uri"], doctor_uri):
                raise Rejected("follow_closed", status=409)
            now = to_ms(self._node.clock())
            state = PENDING if waits else ACCEPTED
            added = await tx.run(
                "follows.ask", follower=doctor_uri, followee=other["uri"], id=follow.id, state=state, now=now,
                answered_at=None if waits else now,
            )  # fmt: skip
            if not added:
                row = await tx.one("follows.get", follower=doctor_uri, followee=other["uri"])
                return str(row["state"]) if row is not None else PENDING
            kind = effects.FOLLOW_ASKED if waits else effects.FOLLOWED
            await notices.tell(self._node, tx, other["uri"], kind, doctor_uri)
            await self._queue(tx, follow, targets, other["uri"], Priority.REST)
            return state

        return str(await self._carry_out(work))

    async def undo(self, doctor_uri: str, target: str) -> None:
        """Stop following, or take the question back; their instance is told."""
        actor = await acting.doctor(self._node, doctor_uri, Action.READ)
        other = await self._find(target)

        async def work(tx: Transaction) -> None:
            await self._end_following(tx, actor, other)

        await self._carry_out(work)

    async def answer(self, doctor_uri: str, follower_uri: str, yes: bool) -> None:
        """Say yes or no to somebody who asked; a no to somebody who follows already ends that. Twice is once."""
        actor = await acting.doctor(self._node, doctor_uri, Action.FOLLOW if yes else Action.READ)
        other = await self._find(follower_uri)
        if yes:
            _living(other)

        async def work(tx: Transaction) -> None:
            row = await tx.one("follows.get", follower=other["uri"], followee=doctor_uri)
            if row is not None and row["state"] == (ACCEPTED if yes else REJECTED):
                return
            if row is None or row["state"] == REJECTED:
                raise Rejected("no_request", status=409)
            await self._answer(tx, actor, other, row, yes)

        await self._carry_out(work)

    async def block(self, doctor_uri: str, target: str) -> None:
        """Block a doctor: neither sees the other any more, and every follow between the two ends."""
        actor = await acting.doctor(self._node, doctor_uri, Action.READ)
        other = await self._find(target)
        if other["uri"] == doctor_uri:
            raise Rejected("own_block", status=409)

        async def work(tx: Transaction) -> None:
            await tx.run("follows.block", doctor=doctor_uri, blocked=other["uri"], now=to_ms(self._node.clock()))
            await self._end_following(tx, actor, other)
            row = await tx.one("follows.get", follower=other["uri"], followee=doctor_uri)
            if row is not None and row["state"] != REJECTED:
                await self._answer(tx, actor, other, row, yes=False)
            await notices.take_back_between(tx, doctor_uri, other["uri"], self._node.clock())
            await tx.run("lists.take_from_all", reader=doctor_uri, doctor=other["uri"])

        await self._carry_out(work)

    async def unblock(self, doctor_uri: str, target: str) -> None:
        """Take a block back, also of somebody who has left; follows that it ended stay ended."""
        await acting.doctor(self._node, doctor_uri, Action.READ)
        other = await self._store.one("people.standing", uri=target) or await self._find(target)

        async def work(tx: Transaction) -> None:
            await tx.run("follows.unblock", doctor=doctor_uri, blocked=other["uri"])

        await self._carry_out(work)

    # ── parts ──

    async def _find(self, target: str) -> Row:
        """The doctor with this URI or address, looked up at the sibling where none is known here.

        Also one whose standing is gone: whoever wants to end something with them must be able to.
        """
        if target.startswith(("https://", "http://")):
            return await self._by_uri(target)
        plain = target.strip().removeprefix("acct:").removeprefix("@").removesuffix("@" + self._node.authority)
        row = await self._store.one("people.by_address", address=plain)
        if row is None and "@" in plain:
            try:
                known = await self._node.directory.find_handle(plain)
            except (Refused, ValueError):
                raise Missing() from None
            row = await self._store.one("people.by_address", address=known.address)
        return _known(row)

    async def _by_uri(self, text: str) -> Row:
        try:
            uri = Uri.parse(text)
        except BadUri:
            raise Missing() from None
        row = await self._store.one("people.standing", uri=uri)
        if row is None and uri.origin != self._node.origin:
            try:
                await self._node.directory.doctor(uri)
            except (Refused, ValueError):
                raise Missing() from None
            row = await self._store.one("people.standing", uri=uri)
        return _known(row)

    async def _require_unblocked(self, tx: Transaction, doctor_uri: str, other: str) -> None:
        """Raise cannot_follow for whom they blocked themselves; who is blocked meets a doctor nobody can follow."""
        blocks = {row["doctor"] for row in await tx.all("follows.blocked_between", one=doctor_uri, other=other)}
        if doctor_uri in blocks:
            raise Rejected("cannot_follow", status=409)
        if blocks:
            raise Missing()

    async def _end_following(self, tx: Transaction, actor: Row, other: Row) -> None:
        row = await tx.one("follows.get", follower=actor["uri"], followee=other["uri"])
        if row is None:
            return
        await tx.run("follows.drop", follower=actor["uri"], followee=other["uri"])
        for kind in (effects.FOLLOWED, effects.FOLLOW_ASKED):
            await notices.take_back(self._node, tx, other["uri"], kind, actor["uri"])
        undo = self._activity(Undo, actor, Uri.parse(row["id"]))
        targets = sending.personal_if_open(self._node, other)
        await self._queue(tx, undo, targets, other["uri"], Priority.WITHDRAWAL)

    async def _answer(self, tx: Transaction, actor: Row, other: Row, row: Row, yes: bool) -> None:
        """Accept and Reject name the Follow they answer, by the id its sender gave it."""
        changed = await tx.run(
            "follows.answer", follower=other["uri"], followee=actor["uri"], state=ACCEPTED if yes else REJECTED,
            before=row["state"], now=to_ms(self._node.clock()),
        )  # fmt: skip
        if not changed:
            raise Rejected("no_request", status=409)
        await notices.take_back(self._node, tx, actor["uri"], effects.FOLLOW_ASKED, other["uri"])
        if yes:
            await notices.tell(self._node, tx, other["uri"], effects.FOLLOW_ACCEPTED, actor["uri"])
        told = self._activity(Accept if yes else Reject, actor, Uri.parse(row["id"]))
        targets = sending.personal_if_open(self._node, other)
        await self._queue(tx, told, targets, other["uri"], Priority.REST if yes else Priority.WITHDRAWAL)
        if yes:
            await self._circles.regained(tx, actor["uri"], other["origin"])

    def _activity(self, kind: type[Any], actor: Row, object: Uri) -> Any:
        return kind(
            id=sending.activity_id(self._node), actor=Uri.parse(actor["uri"]), published=self._node.clock(),
            object=object,
        )  # fmt: skip

    async def _queue(self, tx: Transaction, activity: Any, targets: Any, about: str, priority: Priority) -> None:
        if targets:
            await sending.send(self._node, tx, Message(activity, Uri.parse(about), "", priority), targets)

    async def _carry_out(self, work: Any) -> Any:
        result = await self._store.write(work)
        self._node.wake.deliveries.set()
        return result


def _known(row: Row | None) -> Row:
    if row is None or row["gone_at"] is not None:
        raise Missing()
    return row


def _living(row: Row) -> Row:
    if row["standing"] != "ok":
        raise Missing()
    return row

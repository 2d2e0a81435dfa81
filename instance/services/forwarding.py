"""What follows from a kept activity on its way out again: answers to follows, and threads passed on by their home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from federation.delivery import Priority
from federation.uri import Uri
from federation.vocabulary import Accept, Audience, Comment, Create, Delete, Follow, PostKind, Reject, Update
from instance.services import sending
from instance.services.effects import Effects, Incoming
from instance.services.sending import Message
from instance.storage.store import Row, Transaction

if TYPE_CHECKING:
    from instance.wiring import Node


class Answers:
    """Our doctor's answer to a Follow, in the transaction that decided it."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def queue(self, tx: Transaction, into: Incoming, kind: type[Accept] | type[Reject], effects: Effects) -> None:
        """Queue an Accept or a Reject in the followed doctor's name, for the follower's own inbox."""
        follow = into.activity
        follower = await tx.one("directory.doctor", uri=follow.actor)
        if not isinstance(follow, Follow) or follower is None:
            return
        answer = kind(
            id=sending.activity_id(self._node), actor=follow.object, to=(follow.actor,), published=into.now,
            object=follow.id,
        )  # fmt: skip
        message = Message(answer, follow.id, Audience.NAMED.value, Priority.NAMED)
        await sending.send(self._node, tx, message, sending.personal_if_open(self._node, follower))
        effects.wake_deliveries = True


class Forwarding:
    """Inbox forwarding (ActivityPub section 7.1.2), by the home of a `colleagues` thread alone.

    Only what is new here, concerns our own post and carries its author's proof goes on, unchanged, to the instances of
    those who follow the post's author: the audience it was addressed to, and nobody else (S8, S9).
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    async def pass_on(self, tx: Transaction, into: Incoming, post: Row, effects: Effects) -> None:
        """Queue the message as it came for every other instance of the audience."""
        activity = into.activity
        if not post["local"] or post["audience"] != Audience.COLLEAGUES or not activity.has_proof:
            return
        followers = await tx.all("posts.followers", doctor=post["author"])
        others = [row for row in followers if row["origin"] != into.origin]
        targets = sending.of_doctors(self._node, others, PostKind(post["kind"]))
        if not targets and not isinstance(activity, Delete):  # a Delete goes to every holder besides
            if isinstance(activity, Update):
                await tx.run("circles.withhold_version", object=_about(into), activity=activity.id)
            return
        await self._node.outbox.publish(
            tx, activity, body=into.body, targets=targets, audience=Audience.COLLEAGUES.value, object=_about(into),
            priority=Priority.WITHDRAWAL if isinstance(activity, Delete) else Priority.REST, signer=self._node.actor,
        )  # fmt: skip
        effects.wake_deliveries = True


def _about(into: Incoming) -> Uri:
    match into.activity:
        case Create(object=Comment() as comment) | Update(object=Comment() as comment):
            return comment.id
        case Delete(object=uri):
            return uri
        case _:
            return into.activity.id

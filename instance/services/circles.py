"""Circles of followers that change while messages are lost or late.

    said inside    somebody left the circle, and what they said before that comes only now: its number in their home's
                   log is lower than that of their leaving, so it counts as if it had come in time
    regained       somebody at an instance that holds a post belongs to its circle again: what was said in the thread,
                   or lost, while nobody there did is sent after them

Neither widens anything: a circle's thread is shown to whoever belongs to it now, and blocks count as they are now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from federation import parse
from federation.delivery import Priority
from federation.uri import Uri
from federation.vocabulary import Audience, PostKind
from instance.outbox import Repeat
from instance.services import sending
from instance.services.effects import Incoming
from instance.storage.store import Row, Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: How long it is known who left: longer than a message is tried.
REMEMBERED: Final = timedelta(days=31)
#: Posts, and answers, that are sent after one who came back, the newest; what is older is found when it is read.
MOST: Final = 200


async def left(tx: Transaction, into: Incoming, followee: str) -> None:
    """Note when the actor left a circle, by their home's own count; nothing for what bears no number."""
    if into.place is not None:
        await tx.run(
            "circles.left", follower=into.activity.actor, followee=followee, origin=into.origin,
            epoch=into.place.epoch, number=into.place.number, now=into.now_ms,
        )  # fmt: skip


async def sees(tx: Transaction, into: Incoming, post: Uri, doctor: Uri) -> bool:
    """Whether a sibling's doctor is inside the audience of a post, or was when they said what comes only now."""
    if await tx.one("apply.visible_to_foreigner", post=post, reader=doctor) is not None:
        return True
    if into.place is None:
        return False
    asked = {"origin": into.origin, "epoch": into.place.epoch, "number": into.place.number}
    return await tx.one("circles.said_inside", post=post, reader=doctor, **asked) is not None


async def withheld(tx: Transaction, origin: str, objects: Sequence[str]) -> None:
    """Note what a sibling's log does not say because nobody there belongs to its circle; it may be missing there."""
    for object in objects:
        await tx.run("circles.withhold", object=object, origin=origin)


async def sweep(node: Node) -> None:
    """Forget who left long ago."""
    before = to_ms(node.clock() - REMEMBERED)

    async def work(tx: Transaction) -> None:
        await tx.run("circles.forget", before=before)

    await node.store.write(work)


class Circles:
    """What is sent after doctors who belong to a circle again."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def regained(self, tx: Transaction, doctor: str, origin: str) -> bool:
        """Queue for an instance what it missed of our doctor's circle, in the transaction that lets one of its doctors
        in; return whether there was any. The posts first, each thread in its order."""
        if origin == self._node.origin:
            return False
        asked = {"doctor": doctor, "origin": origin, "count": MOST}
        posts = await tx.all("circles.missed_posts", **asked)
        answers = await tx.all("circles.missed_answers", **asked)
        said = [await self._say(tx, row, origin) for row in (*reversed(posts), *reversed(answers))]
        return any(said)

    async def _say(self, tx: Transaction, row: Row, origin: str) -> bool:
        targets = sending.of_doctors(self._node, [{"origin": origin}], PostKind(row["kind"]))
        repeat = await self._newest(tx, row)
        if not targets or repeat is None:
            return False
        if not await self._node.outbox.say_again(tx, repeat, targets[0]):
            return False  # its home, or whoever it names, does not speak with that instance
        await tx.run("copies.add", object=row["uri"], origin=origin, at=to_ms(self._node.clock()))
        await tx.run("circles.given", object=row["uri"], origin=origin)
        return True

    async def _newest(self, tx: Transaction, row: Row) -> Repeat | None:
        """The newest words, as they were said; of others' answers what we keep as the home of the thread."""
        if row["document"]:
            body = str(row["document"]).encode()
            activity = parse.activity_document(parse.strict_json(body))
            await tx.run(
                "activities.add", uri=activity.id, actor=activity.actor, type=type(activity).__name__,
                object=row["uri"], audience=Audience.COLLEAGUES.value, body=body, at=to_ms(self._node.clock()),
            )  # fmt: skip
            return Repeat(activity.id, self._node.actor, row["uri"], Priority.REST)
        said = await tx.one("circles.newest", object=row["uri"], author=row["author"], nothing=b"")
        if said is None or not str(row["uri"]).startswith(self._node.origin + "/"):
            return None
        return Repeat(Uri.parse(said["uri"]), Uri.parse(said["actor"]), row["uri"], Priority.REST)

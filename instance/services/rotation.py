"""The message keys of the instance itself, made anew.

Siblings pin them, so nothing may be signed with the new ones before each sibling's administrator has compared and
pinned them. They are shown beside the old, announced by an `Update` that the old ones sign, and sign after days, not
minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation import keys as federation_keys
from federation.vocabulary import Update
from instance.services import sending, staff_acts
from instance.services.orders import check_order
from instance.storage.store import Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

#: How long siblings have to compare, unless the administrator says otherwise.
TO_COMPARE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What the administrator tells those of the siblings."""

    #: Over every key shown now, old and new: what `esanum siblings repin` shows there.
    fingerprint: str
    signs_at: datetime
    drops_at: datetime


async def rotate_instance(node: Node, by: str, reason: str, wait: timedelta = TO_COMPARE) -> Rotation:
    """Make new message keys for the instance actor, with overlap, and tell every sibling; raise Rejected.

    They sign after `wait`, at least ten minutes; the old ones are dropped a day later.
    """
    check_order(by, reason)
    actor, now = node.actor, node.clock()
    pairs = await node.keys.make(actor, await node.keys.next_version(actor))
    overlap = federation_keys.overlap(now, wait)
    shown = await node.serving.instance([pair.public() for pair in pairs])

    async def work(tx: Transaction) -> None:
        await node.keys.rotate(tx, actor, pairs, overlap)
        await sending.to_all_siblings(node, tx, Update, actor=actor, object=shown, priority=sending.STANDING)
        await staff_acts.record(tx, "instance_keys_rotated", by, actor, now, reason=reason)

    await node.store.write(work)
    node.keys.forget(actor)
    node.wake.deliveries.set()
    return Rotation(await node.siblings.own_fingerprint(), overlap.sign_after, overlap.drop_after)

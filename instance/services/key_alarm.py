"""A sibling whose keys have changed without being announced is suspended by the instance itself, and that is an alarm.

What counts is what was read at the sibling's own origin, or signed with a pinned key; whoever merely claims a key of it
cannot bring this about. People compare, pin (`pins`) and resume; until they have compared, nobody resumes.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from federation.allowlist import LocalPolicy, Sibling
from federation.membership import narrowed
from instance.services import alerts, federation_list_rows
from instance.services.allowlist_cache import read_sibling
from instance.services.sibling_changes import Touched, commit, record, take_turn
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification.people import SYSTEM

if TYPE_CHECKING:
    from instance.wiring import Node

#: Why, as it stands in the record of the allowlist, in the log and in the mail.
CODE: Final = "key_not_pinned"


async def suspend(node: Node, sibling: Sibling) -> None:
    """Pause a sibling that shows a key without a pinned one beside it; its queue is held and nothing is lost.

    Whoever is paused or blocked already, or whose pins were changed meanwhile, stays as they are.
    """
    origin = sibling.origin

    async def work(tx: Transaction) -> None:
        await take_turn(tx)
        before = await tx.one("siblings.get", origin=origin)
        if before is None:
            return
        if await _pins(node, tx, before) != sibling.instance_keys:
            return
        touched = Touched.of(await tx.one("siblings.touched", origin=origin))
        if not await tx.run("siblings.suspend", origin=origin, seen=before["instance_keys"]):
            return
        await tx.run("siblings.hold_deliveries", origin=origin)
        await tx.run("siblings.raise_alarm", origin=origin, at=str(to_ms(node.clock())))
        await alerts.tell(tx, alerts.KEYS_CHANGED, node.clock())
        after = {**before, "policy": LocalPolicy.PAUSE.value}
        await record(node, tx, origin, "pause", SYSTEM.id, CODE, before=before, after=after, touched=touched)

    await commit(node, work)
    node.wake.mails.set()


async def _pins(node: Node, tx: Transaction, row: Row) -> frozenset[str]:
    """The keys pinned of an entry as it counts: where a federation list is kept, as far as the list in force has it."""
    entry, anchor = read_sibling(row), node.config.federation_list
    if anchor is not None:
        entry = narrowed(entry, (await federation_list_rows.in_force(tx, anchor)).current)
    return entry.instance_keys


async def alarms(node: Node) -> dict[str, datetime]:
    """The siblings that are suspended since they show other keys, and since when."""
    found = await node.store.all("siblings.alarms")
    return {row["name"].removeprefix("key alarm of "): from_ms(int(row["value"])) for row in found}

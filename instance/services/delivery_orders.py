"""What an administrator orders of the queue out: try a sibling now, send dead letters again. Each is on the record.

Whoever is paused, blocked, kept out by the federation list or no sibling any more is sent nothing by any order: what
is kept for them stays as it is. Codes raised here: CODES.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from federation.allowlist import Direction, LocalPolicy
from instance.services import staff_acts
from instance.services.errors import Rejected
from instance.storage.store import Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("deliveries_kept", "reason_missing", "unknown_delivery")


async def try_now(node: Node, origin: str, by: str) -> None:
    """Have what waits for this sibling tried at once; raise Rejected: deliveries_kept, reason_missing."""
    _require_giver(by)
    await _require_open(node, origin)

    async def also(tx: Transaction) -> None:
        await _require_spoken_with(tx, origin)
        await staff_acts.record(tx, "lane_tried", by, origin, node.clock())

    await node.queue.try_now(origin, also=also)
    node.wake.deliveries.set()


async def again(node: Node, origin: str, by: str) -> int:
    """Send all dead letters of a sibling again; return how many. Raises as `try_now` does."""
    _require_giver(by)
    await _require_open(node, origin)
    number = await node.queue.retry(origin=origin, also=_recorded(node, origin, by, origin))
    node.wake.deliveries.set()
    return number


async def letter_again(node: Node, id: str, by: str, origin: str = "") -> int:
    """Send one dead letter again, of this sibling where one is named; return 0 where it was dead no more.

    Raises Rejected(unknown_delivery) besides.
    """
    _require_giver(by)
    found = await node.queue.show(id)
    if origin and found["origin"] != origin:
        raise Rejected("unknown_delivery", "id", status=404)
    await _require_open(node, found["origin"])
    also = _recorded(node, found["origin"], by, id, whom=f"m-{id.lower()}")
    number = await node.queue.retry(id=id, also=also)
    node.wake.deliveries.set()
    return number


def _recorded(
    node: Node, origin: str, by: str, subject: str, whom: str | None = None
) -> Callable[[Transaction], Awaitable[None]]:  # fmt: skip
    async def also(tx: Transaction) -> None:
        await _require_spoken_with(tx, origin)
        await staff_acts.record(tx, "deliveries_retried", by, subject, node.clock(), whom=whom)

    return also


def _require_giver(by: str) -> None:
    """An order needs no reason, but somebody who gives it."""
    if not by.strip():
        raise Rejected("reason_missing", "reason")


async def _require_open(node: Node, origin: str) -> None:
    """Ask the list in force, which knows of the federation list as well."""
    if not (await node.allowlist.refresh_if_changed()).permits(origin, Direction.OUT):
        raise Rejected("deliveries_kept", status=409)


async def _require_spoken_with(tx: Transaction, origin: str) -> None:
    """Whoever was paused a moment ago stays so: the row counts."""
    row = await tx.one("siblings.get", origin=origin)
    if row is None or row["policy"] != LocalPolicy.INHERIT:
        raise Rejected("deliveries_kept", status=409)
